"""Imputation of the utility matrix from the nearest users."""

from __future__ import annotations

from typing import ClassVar

from foretaste import memory
from foretaste._native import impute_nearest
from foretaste.models.answers import Floats, Prediction
from foretaste.models.base import Model, group_means
from foretaste.params import learned, model_class, param
from foretaste.progress import Progress
from foretaste.ratings import Pairs, Ratings
from foretaste.threads import thread_count

_BLOCK_BYTES = 16_000_000  # distances of one block of users, for each thread


@model_class
class KNNImputation(Model):
    r"""Fill each missing rating with the mean over the nearest users who rated the item.

    The distance of two users is the root mean squared difference over the items that both rated,

    .. math:: d(u, v) = \sqrt{\frac{1}{|I_u \cap I_v|} \sum_{i \in I_u \cap I_v} (r_{ui} - r_{vi})^2} ,

    and users without a common item have none. With :math:`N` the ``neighbors`` users nearest to :math:`u`
    among those who rated :math:`i`,

    .. math:: \hat r_{ui} = \frac{\sum_{v \in N} w_{uv} r_{vi}}{\sum_{v \in N} w_{uv}} ,

    where :math:`w_{uv}` is 1 (``uniform``) or :math:`1 / d(u, v)` (``distance``; if some of :math:`N` are at
    distance 0, only those count). Users at the same distance are taken in the order of their ids. A rating
    without any such user is the mean of the item. A rating that was learned from is predicted as itself, so
    the training error is 0.

    These are the semantics of scikit-learn's ``KNNImputer`` (which leaves open which of equal distances it
    takes). An unknown user gets the item's mean, as there; an unknown item gets the user's mean, or 0 with
    ``unknown_item="zero"``, as there with ``keep_empty_features=True``; both unknown get the mean of all
    ratings (0 with ``"zero"``).

    Troyanskaya et al., "Missing value estimation methods for DNA microarrays", Bioinformatics 17(6), 2001.
    """

    tags: ClassVar[frozenset[str]] = frozenset()
    summary: ClassVar[str] = "the mean over the nearest users who rated the item"

    neighbors: int = param(10, "how many users each missing rating is taken from", low=1)
    weights: str = param("uniform", "whether nearer users count more", one_of=("uniform", "distance"))
    unknown_item: str = param(
        "user_mean", "what an item without training ratings gets", one_of=("user_mean", "zero")
    )
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, optional=True
    )

    mean_: float = learned()
    user_mean_: Floats = learned("users")
    item_mean_: Floats = learned("items")
    imputed_: Floats = learned("users", "items")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        threads = thread_count(self.threads)
        users, items = len(train.users), len(train.items)
        memory.require(
            imputation_bytes(users, items, len(train), threads),
            f"KNNImputation of {users} users x {items} items",
            "SVD() or Bias(), which need memory by the rating, or fewer items: ratings.at_least(item=20)",
        )
        self.mean_, _ = train.moments()
        self.user_mean_ = group_means(train.user, users, train, self.mean_)
        self.item_mean_ = group_means(train.item, items, train, self.mean_)
        with progress.task("KNNImputation", 1) as task:
            neighbors = min(int(self.neighbors), users)  # more than all users are all users
            self.imputed_ = impute_nearest(train.to_matrix(), neighbors, self.weights == "distance", threads)
            task.step()

    def _predict(self, pairs: Pairs) -> Prediction:
        new_user, new_item = pairs.user < 0, pairs.item < 0
        value = self.imputed_[pairs.user, pairs.item]
        value[new_user] = self.item_mean_[pairs.item[new_user]]
        value[new_item] = 0 if self.unknown_item == "zero" else self.user_mean_[pairs.user[new_item]]
        value[new_user & new_item] = 0 if self.unknown_item == "zero" else self.mean_
        return self._prediction(pairs, value)


def imputation_bytes(users: int, items: int, ratings: int, threads: int) -> int:
    """Return about how many bytes ``KNNImputation`` needs at its peak, beside the ratings.

    A cell of the matrix takes 4 bytes as it is given, 4 imputed, 5 as laid out for the kernel and a bit;
    a rating 4 in the list of its item; a thread holds the distances of a block of users.
    """
    return int(13.125 * users * items) + 4 * ratings + threads * (_BLOCK_BYTES + 24 * users + 64 * items)
