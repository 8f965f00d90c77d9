"""Users who rate like the user."""

from __future__ import annotations

from typing import ClassVar

from foretaste.models._knn import KNNBase
from foretaste.params import estimator, fitted_attribute
from foretaste.typing import Entity, Float32Array


@estimator
class UserKNN(KNNBase):
    r"""Predict from how the users most like this one rated the item.

    ``ItemKNN`` with users and items in each other's place: with :math:`N` the ``neighbors`` users most alike
    to :math:`u` among those who rated :math:`i` (and whom :math:`u` has ``stored``),

    .. math:: \hat r_{ui} = b_{ui} + \frac{\sum_{v \in N} s_{uv} (r_{vi} - b_{vi})}
              {\sum_{v \in N} |s_{uv}| + \delta} ,

    where :math:`\delta` is ``damping``, and :math:`b_{ui}` the mean plus the biases of user and item (as in
    ``Bias``), or with ``centering="none"`` the mean of all ratings, with ``"mean"`` that of the user; with
    ``"z_score"`` deviations from that are, moreover, in standard deviations of their user. Similarities are
    those of ``ItemKNN``, over the items that two users both rated: ``pearson`` takes out the mean of the
    user, ``adjusted_cosine`` that of the item. Users equally alike are taken in the order of their ids.

    A user or item that is unknown has bias 0 and no neighbours. A new user is taken in by definition:
    the neighbours are users learned from, by the similarities to these, whose ratings are kept.

    Resnick, Iacovou, Suchak, Bergstrom and Riedl, "GroupLens: an open architecture for collaborative
    filtering of netnews", CSCW 1994; Herlocker, Konstan, Borchers and Riedl, "An algorithmic framework for
    performing collaborative filtering", SIGIR 1999; Koren, TKDD 4(1), 2010, section 2.2 (biases and
    shrinkage).
    """

    row_entity: ClassVar[Entity] = Entity.USER
    column_entity: ClassVar[Entity] = Entity.ITEM
    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "how the users most like this one rated the item"

    row_std_: Float32Array = fitted_attribute("users")
