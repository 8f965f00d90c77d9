"""User-based k-nearest neighbors."""

from __future__ import annotations

from typing import ClassVar

from foretaste.models._knn_fold_in import FoldInKNNModel
from foretaste.params import estimator, fitted_attribute
from foretaste.typing import Entity, Float32Array


@estimator
class UserKNN(FoldInKNNModel):
    r"""Predict from the ratings of the most similar users (user-based collaborative filtering).

    ``ItemKNN`` with users and items exchanged: with :math:`N` the ``neighbors`` users most similar to
    :math:`u` among those who rated :math:`i` (and that are among its ``max_stored_neighbors``),

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{v \in N} s_{uv} (r_{vi} - b_{vi})}
              {\sum_{v \in N} |s_{uv}| + \delta} ,

    where :math:`\delta` is ``damping``, and :math:`b_{ui}` the mean plus the biases of user and item (as in
    ``Bias``), or with ``centering="none"`` the mean of all ratings, with ``"mean"`` that of the user; with
    ``"z_score"`` deviations from that are, moreover, in standard deviations of their user. Similarities are
    those of ``ItemKNN``, over the items that two users both rated: ``pearson`` subtracts the mean of the
    user, ``adjusted_cosine`` that of the item. Ties are broken by the order of ids.

    A user or item that is unknown has bias 0 and no neighbors. A new user is folded in exactly:
    the neighbors are training users, by their similarities; training ratings are stored.

    Resnick, Iacovou, Suchak, Bergstrom and Riedl, "GroupLens: an open architecture for collaborative
    filtering of netnews", CSCW 1994; Herlocker, Konstan, Borchers and Riedl, "An algorithmic framework for
    performing collaborative filtering", SIGIR 1999; Koren, TKDD 4(1), 2010, section 2.2 (biases and
    shrinkage).
    """

    row_entity: ClassVar[Entity] = Entity.USER
    column_entity: ClassVar[Entity] = Entity.ITEM
    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "the ratings of the most similar users"

    row_std_: Float32Array = fitted_attribute("users")
