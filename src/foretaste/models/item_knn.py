"""Item-based k-nearest neighbors."""

from __future__ import annotations

from typing import ClassVar

from foretaste.models._knn_fold_in import FoldInKNNModel
from foretaste.params import estimator, fitted_attribute
from foretaste.typing import Float32Array


@estimator
class ItemKNN(FoldInKNNModel):
    r"""Predict from the user's ratings of the most similar items (item-based collaborative filtering).

    With :math:`N` the ``neighbors`` items most similar to :math:`i` among those that :math:`u` rated (and
    that are among its ``max_stored_neighbors``),

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{j \in N} s_{ij} (r_{uj} - b_{uj})}
              {\sum_{j \in N} |s_{ij}| + \delta} ,

    where :math:`\delta` is ``damping``, and :math:`b_{ui}` the mean plus the biases of user and item (as in
    ``Bias``), or with ``centering="none"`` the mean of all ratings, with ``"mean"`` that of the item; with
    ``"z_score"`` deviations from that are, moreover, in standard deviations of their item.

    Similarity is the cosine of two items' numbers :math:`x`,

    .. math:: \rho_{ij} = \sum_u x_{ui} x_{uj} / \sqrt{\sum_u x_{ui}^2 \sum_u x_{uj}^2} , \qquad
              s_{ij} = \rho_{ij} \frac{n_{ij} - 1}{n_{ij} - 1 + \lambda}

    over the :math:`n_{ij}` users who rated both (with ``norm_over="all"``, the squares over all users of each
    item), :math:`\lambda` being ``shrinkage``. The numbers are the ratings (``cosine``), less the mean of the
    item (``pearson``; over those in common with ``norm_over="common"``), of the user (``adjusted_cosine``),
    or less the mean and the biases (``pearson_bias``). ``msd`` is one over one plus the mean squared
    difference. With ``standardize`` ratings are first put into standard deviations from the mean of all. Ties
    are broken by the order of ids.

    A user or item that is unknown has bias 0 and no neighbors. A new item is folded in exactly:
    its neighbors are training items, by their similarities; training ratings are stored.

    Sarwar, Karypis, Konstan and Riedl, "Item-based collaborative filtering recommendation algorithms", WWW10,
    2001; Koren, "Factor in the neighbors: scalable and accurate collaborative filtering", TKDD 4(1), 2010,
    section 2.2; Herlocker, Konstan, Borchers and Riedl, "An algorithmic framework for performing
    collaborative filtering", SIGIR 1999 (``significance_weighting``).
    """

    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "the user's ratings of the most similar items"

    row_std_: Float32Array = fitted_attribute("items")
