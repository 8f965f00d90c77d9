"""What neighbourhood models share: similarities, the lists of the most alike, the weighted mean."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import nearest_rows, neighbor_means, neighbor_shares
from foretaste._utils import memory
from foretaste._utils.progress import Progress, Task
from foretaste._utils.threads import thread_count
from foretaste.errors import BadModelFile, NotSupported
from foretaste.ids import IdIndex, Indices
from foretaste.models._groupby import damped_mean, mean_by
from foretaste.models._knn_fold_in import Base
from foretaste.models.base import Model
from foretaste.models.bias import alternate
from foretaste.models.fold_in import known_items, known_users, with_items, with_users
from foretaste.models.outputs import Contributions, Floats, Prediction, Sources
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings

_Doubles = npt.NDArray[np.float64]
_Starts = npt.NDArray[np.int64]


@model_class
class Neighbors(Model):
    """Predict from the most alike rows (items or users) that have a rating in the same column.

    ``ItemKNN`` and ``UserKNN`` say which side is the rows, and hold the equations.
    """

    rows: ClassVar[str] = "item"
    columns: ClassVar[str] = "user"

    neighbors: int = param(40, "how many neighbours a prediction is taken from, at most", low=1)
    min_neighbors: int = param(1, "with fewer, the prediction is what it starts from", low=1)
    stored: int | None = param(
        500, "how many of the most alike are kept for each; None is all that have a rater in common",
        low=1, optional=True,
    )  # fmt: skip
    similarity: str = param(
        "pearson_bias",
        "of ratings as they are (cosine, msd), less the mean of the own side (pearson) or of the other "
        "(adjusted_cosine), or less biases (pearson_bias)",
        one_of=("cosine", "adjusted_cosine", "pearson", "pearson_bias", "msd"),
    )
    norms: str = param(
        "all", "whether lengths and means run over all ratings, or those in common", one_of=("all", "common")
    )
    standardize: bool = param(
        True,
        "take ratings as they are in standard deviations from their mean; False as they are given and to "
        "the last bit, as other libraries do",
    )
    shrinkage: float = param(
        30.0, "similarities from n ratings in common count (n - 1) / (n - 1 + shrinkage); 0 is off", low=0
    )
    min_support: int = param(1, "with fewer ratings in common, two are not alike", low=1)
    significance: int = param(
        0, "similarities from n ratings in common count n / significance if that is below 1; 0 is off", low=0
    )
    negative: bool = param(False, "whether opposites count, too: by the size of the similarity")
    centring: str = param(
        "bias",
        "what a prediction starts from, and ratings are deviations from: the mean of all, the mean of the "
        "own side, that in its standard deviations, or biases",
        one_of=("none", "mean", "z_score", "bias"),
    )
    damping: float = param(0.2, "how much similarity of neighbours without deviation is added", low=0)
    user_damping: float = param(5.0, "biases: how many ratings at the mean a user has beforehand", low=0)
    item_damping: float = param(5.0, "biases: how many ratings at the mean an item has beforehand", low=0)
    bias_epochs: int | None = param(
        None, "biases: just so many alternations, items first; None is until nothing moves",
        low=1, optional=True,
    )  # fmt: skip
    threads: int | None = param(
        None, "how many threads; None is all; never changes the result", low=1, high=1024, optional=True
    )

    mean_: float = learned()
    user_bias_: Floats = learned("users")
    item_bias_: Floats = learned("items")
    list_start_: _Starts = learned("row bounds", dtype="int64")
    neighbor_: Indices = learned("kept", dtype="int32")
    similarity_: Floats = learned("kept")
    rated_start_: _Starts = learned("column bounds", dtype="int64")
    rated_: Indices = learned("ratings", dtype="int32")
    deviation_: Floats = learned("ratings")
    spread_: Floats  # of the rows, so that subclasses declare it
    # The rows that neighbours are from, where they are not the model's own, who were taken in; else empty.
    base_: IdIndex = learned("ids", may_lack=True)
    base_bias_: Floats = learned("base", may_lack=True)
    base_spread_: Floats = learned("base", may_lack=True)

    def _fit(self, train: Ratings, progress: Progress) -> None:
        row, column = getattr(train, self.rows), getattr(train, self.columns)
        rows, columns = len(getattr(train, f"{self.rows}s")), len(getattr(train, f"{self.columns}s"))
        threads = thread_count(self.threads)
        keep = rows if self.stored is None else min(int(self.stored), rows)
        self._require_memory(row, column, rows, columns, keep, threads)
        nobody = np.empty(0, np.float32)
        self.base_, self.base_bias_, self.base_spread_ = IdIndex(np.empty(0, np.int64)), nobody, nobody
        with progress.task(type(self).__name__, 3) as task:
            residual = self._residual(train, task)
            start = self._centre(train, residual)
            task.step(note="similarities")
            compared = self._compared(row, column, train.value, residual, train)
            lists = self._nearest(row, column, compared, (rows, columns), keep)
            self.list_start_, self.neighbor_, self.similarity_ = lists
            task.step()
        self._rate(train, start)

    def _nearest(
        self, row: Indices, column: Indices, compared: npt.NDArray[np.floating], size: tuple[int, int],
        keep: int, first: int = 0,
    ) -> tuple[_Starts, Indices, Floats]:  # fmt: skip
        """Return the rows most alike to each; from ``first`` on, if given, those before it."""
        rules = self.shrinkage, self.min_support, self.significance, self.negative, not self.standardize
        kernel, threads = self._kernel(), thread_count(self.threads)
        rows, columns = size
        return nearest_rows(row, column, compared, rows, columns, kernel, keep, *rules, threads, first)

    def _residual(self, train: Ratings, task: Task) -> _Doubles:
        """Find the biases, if anything asks for them; return what they leave of the ratings."""
        self.mean_, _ = train.moments()
        users, items = np.zeros(len(train.users)), np.zeros(len(train.items))
        if "bias" in (self.centring, self.similarity.removeprefix("pearson_")):
            users, items = self._biases(train)
        task.step(note="biases")
        self.user_bias_, self.item_bias_ = users.astype(np.float32), items.astype(np.float32)
        return train.value.astype(np.float64) - (self.mean_ + users[train.user] + items[train.item])

    def _biases(self, train: Ratings) -> tuple[_Doubles, _Doubles]:
        """Return the biases of users and of items."""
        fixed, epochs = self.bias_epochs is not None, int(self.bias_epochs or 200)
        return alternate(train, self.user_damping, self.item_damping, epochs, fixed, Task())

    def _centre(self, train: Ratings, residual: _Doubles) -> _Doubles:
        """Settle what predictions start from; return the deviations from it."""
        row, rows = getattr(train, self.rows), len(getattr(train, f"{self.rows}s"))
        spread = np.ones(rows)
        if self.centring != "bias":
            self.user_bias_, self.item_bias_ = np.zeros_like(self.user_bias_), np.zeros_like(self.item_bias_)
            residual = train.value.astype(np.float64) - self.mean_
        if self.centring in ("mean", "z_score"):
            mean = mean_by(row, residual, rows)
            setattr(self, f"{self.rows}_bias_", mean.astype(np.float32))
            residual -= mean[row]
        if self.centring == "z_score":
            spread = self._spread(row, residual, rows, train.moments()[1])
            residual /= spread[row]
        self.spread_ = spread.astype(np.float32)
        return residual

    def _spread(self, row: Indices, deviation: _Doubles, rows: int, std: float) -> _Doubles:
        """Return the standard deviation of each row; that of all ratings where it has none."""
        spread = np.sqrt(mean_by(row, deviation**2, rows))
        spread[spread <= 1e-6 * std] = std or 1.0
        return np.asarray(spread)

    def _kernel(self) -> str:
        """Return the kernel's name of the similarity."""
        if self.similarity == "msd":
            return "msd"
        if self.norms == "all":
            return "product"
        return "pearson" if self.similarity == "pearson" else "cosine"

    def _compared(
        self, row: Indices, column: Indices, value: Floats, residual: _Doubles, train: Ratings
    ) -> npt.NDArray[np.floating]:
        """Return the numbers that are compared; what is said of columns and of all is from ``train``."""
        mean, std = train.moments() if self.standardize else (0.0, 1.0)
        number = (value.astype(np.float64) - mean) / (std or 1.0)
        if self.similarity == "pearson_bias":
            number = residual
        elif self.similarity == "adjusted_cosine":
            given, where = (
                (train.value.astype(np.float64) - mean) / (std or 1.0),
                getattr(train, self.columns),
            )
            number = number - mean_by(where, given, len(getattr(train, f"{self.columns}s")))[column]
        elif (self.similarity, self.norms) == ("pearson", "all"):
            number = number - mean_by(row, number, int(row.max(initial=0)) + 1)[row]
        return number.astype(np.float32) if self._kernel() == "product" else number

    def _rate(self, ratings: Ratings, deviation: _Doubles) -> None:
        """Keep who rated what, by columns."""
        self.rated_start_, order = ratings.by_user() if self.columns == "user" else ratings.by_item()
        self.rated_ = np.ascontiguousarray(getattr(ratings, self.rows)[order])
        self.deviation_ = deviation[order].astype(np.float32)

    def _with_columns(self, new: Ratings) -> Self:
        """Return a model of new columns: people by the items that they rated, or items by their raters."""
        side, row = self.columns, self.rows
        if len(self.base_):
            raise NotSupported(
                f"new {side}s are rated by {row}s that learning knew, and this {type(self).__name__} has "
                f"taken in its {row}s",
                hint=f"fold_in(model, {side}s=...) first, then fold_in(of_what_it_returns, {row}s=...)",
            )
        known = known_items(self, new) if side == "user" else known_users(self, new)
        rows, columns = getattr(known, row), getattr(known, side)
        start = self.mean_ + getattr(self, f"{row}_bias_")[rows].astype(np.float64)
        residual, bias = known.value - start, np.zeros(len(getattr(new, f"{side}s")))
        if self.centring == "bias":  # their step of the alternation that found the biases of the rows
            damping = self.user_damping if side == "user" else self.item_damping
            bias = damped_mean(columns, residual, np.ones(len(known)), len(bias), damping)
        learned_ = {f"{side}_bias_": bias.astype(np.float32)}
        folded = with_users(self, new, **learned_) if side == "user" else with_items(self, new, **learned_)
        folded._rate(known, (residual - bias[columns]) / self.spread_[rows])
        return folded

    def _base(self) -> Base:
        """Return the rows that neighbours are from: those that were learned from."""
        if len(self.base_):
            return Base(self.base_, self.base_bias_, self.base_spread_)
        side = self.rows
        return Base(getattr(self, f"{side}s_"), getattr(self, f"{side}_bias_"), self.spread_)

    def _placed(self, row: Indices) -> Indices:
        """Return rows as the kernels know them: those taken in come after those that neighbours are from."""
        return np.where(row >= 0, row + np.int32(len(self.base_)), row)

    def _lists(self) -> tuple[_Starts, Indices, Floats, _Starts, Indices, Floats]:
        none_of_them = np.zeros(len(self.base_), np.int64)
        return (
            np.r_[none_of_them, self.list_start_], self.neighbor_, self.similarity_,
            self.rated_start_, self.rated_, self.deviation_,
        )  # fmt: skip

    def _start(self, pairs: Pairs) -> _Doubles:
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user], 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        return np.asarray(self.mean_ + user.astype(np.float64) + item)

    def _mean(self, pairs: Pairs) -> Floats:
        """Return the mean deviation over the neighbours, in rating units."""
        row, column = getattr(pairs, self.rows), getattr(pairs, self.columns)
        counts = min(int(self.neighbors), 2**31 - 1), min(int(self.min_neighbors), 2**31 - 1)
        mean = neighbor_means(
            self._placed(row), column, *self._lists(), *counts, self.damping, thread_count(self.threads)
        )
        return np.asarray(mean * self.spread_[row])

    def _predict(self, pairs: Pairs) -> Prediction:
        return self._prediction(pairs, self._start(pairs) + self._mean(pairs))

    def _explain(self, pairs: Pairs) -> Contributions:
        user = np.where(pairs.user >= 0, self.user_bias_[pairs.user], 0)
        item = np.where(pairs.item >= 0, self.item_bias_[pairs.item], 0)
        mean = np.full(len(pairs), self.mean_)
        values = np.column_stack([mean, user, item, self._mean(pairs)]).astype(np.float32)
        return Contributions(("mean", "user", "item", "neighbors"), values)

    def _shares(self, pairs: Pairs) -> tuple[Indices, Floats]:
        """Return which neighbours the part "neighbors" of each prediction comes from, and how much from each.

        Returns
        -------
        neighbor : int32 array, shape (n, neighbors)
            Indices of items (or users), the most alike first; -1 behind the last.
        share : float32 array, shape (n, neighbors)
            In rating units.
        """
        row, column = getattr(pairs, self.rows), getattr(pairs, self.columns)
        counts = min(int(self.neighbors), 2**31 - 1), min(int(self.min_neighbors), 2**31 - 1)
        neighbor, share = neighbor_shares(self._placed(row), column, *self._lists(), *counts, self.damping)
        return neighbor, share * self.spread_[row][:, None]

    def _sources(self, user: int, item: int, own: Ratings | None) -> Sources | None:
        """Return the neighbours and their ratings in the column, which the model keeps."""
        neighbor, share = self._shares(Pairs(np.array([user], np.int32), np.array([item], np.int32)))
        there = neighbor[0] >= 0
        rows = neighbor[0][there]
        column = user if self.columns == "user" else item
        part = slice(*self.rated_start_[column : column + 2].tolist())
        order = np.argsort(self.rated_[part])
        found = order[np.searchsorted(self.rated_[part], rows, sorter=order)]
        base, bias = self._base(), float(getattr(self, f"{self.columns}_bias_")[column])
        rating = self.mean_ + bias + base.bias[rows].astype(np.float64)
        rating += self.deviation_[part][found].astype(np.float64) * base.spread[rows]
        own_share = share[0][there].astype(np.float64)
        return Sources("neighbors", self.rows, rows, rating, own_share, base.ids)

    def _require_memory(
        self, row: Indices, column: Indices, rows: int, columns: int, keep: int, threads: int
    ) -> None:
        others = np.bincount(row, np.bincount(column, minlength=columns)[column] - 1.0, rows)
        size = lists_bytes(np.minimum(others, rows - 1), keep, len(row), threads)
        memory.require(
            size,
            f"{type(self).__name__} keeping up to {keep} of {rows} {self.rows}s for each",
            f"stored={min(keep // 10 or 1, 100)}, or SVD(), which needs memory by the rating",
        )

    def _from_state(self, state: dict[str, object]) -> Self:
        super()._from_state(state)
        rows, columns = len(self.spread_), len(getattr(self, f"{self.columns}s_"))
        known = len(self._base().ids)
        lists = ((self.list_start_, self.neighbor_, rows), (self.rated_start_, self.rated_, columns))
        for start, index, size in lists:
            whole = len(start) == size + 1 and start[0] == 0 and start[-1] == len(index)
            whole = whole and known == len(self._base().bias)
            if not whole or (np.diff(start) < 0).any() or (index < 0).any() or (index >= known).any():
                raise BadModelFile(f"the lists of {self.rows}s in the file are not lists of known ones")
        return self


def lists_bytes(others: _Doubles, keep: int, ratings: int, threads: int) -> int:
    """Return about how many bytes fitting needs at its peak, beside the ratings.

    Parameters
    ----------
    others : float64 array, shape (rows,)
        With how many others each row has a column in common, at most.
    keep : int
        How many are kept for each.
    ratings, threads : int
    """
    kept = int(np.minimum(others, keep).sum())
    gathered = threads * len(others) * (keep + keep // 2 + 8) * 16
    return (
        (gathered if gathered <= 1_000_000_000 else 16 * kept)
        + 8 * kept
        + threads * 80 * len(others)
        + 60 * ratings
    )
