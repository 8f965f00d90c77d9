"""Global effects: one small regression after another on what the ones before have left."""

from __future__ import annotations

from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from foretaste._utils.progress import Progress, Task
from foretaste.models._effects import LADDER, Step, codes_of, places
from foretaste.models._groupby import Numbers, damped_mean, ratio, sum_by, weights_of
from foretaste.models.base import Model
from foretaste.models.fold_in import known_items, known_users, with_items, with_users
from foretaste.models.outputs import Contributions, Floats, Prediction
from foretaste.params import learned, model_class, param
from foretaste.ratings import Pairs, Ratings

_DAY = 86_400.0  # seconds
_SIDES = ("user", "item")


@model_class
class GlobalEffects(Model):
    r"""Regress what is left on one effect after another: item, user, and their drifts and leanings.

    :math:`\hat r_{ui} = \mu + \sum_k \theta^k x^k_{ui}`, where :math:`\theta^k` belongs to the user or to the
    item and :math:`x^k_{ui}` is 1, or the square root of the days since the user's (the item's) first rating,
    or the average rating or the square root of the number of ratings of the other side, less its mean
    over the ratings of the user (the item). In this order, the residuals :math:`e` of the effects before give

    .. math:: \theta^k_u = \frac{\sum_i w_{ui} x^k_{ui} e_{ui}}
              {\sum_i w_{ui} (x^k_{ui})^2 + \lambda \overline{(x^k)^2}} ,

    as if the user came with :math:`\lambda` ratings that show no effect (:math:`\overline{(x^k)^2}` is the
    mean over all ratings, so that units do not matter). ``sweeps`` above 1 go through the effects again,
    each given all others (backfitting).

    The four effects of time count only if the ratings have times; where a pair to be predicted has none, they
    are 0. An unknown user has no effects, nor has an unknown item.

    Bell and Koren, "Scalable collaborative filtering with jointly derived neighborhood interpolation
    weights", ICDM 2007, section 3; backfitting: Hastie and Tibshirani, "Generalized additive models", 1990.
    """

    tags: ClassVar[frozenset[str]] = frozenset({"weights", "weights_exact", "times"})
    summary: ClassVar[str] = "a ladder of small regressions: item, user, their drift in time, their leanings"

    user_damping: float = param(5.0, "how many ratings without an effect a user is given beforehand", low=0)
    item_damping: float = param(5.0, "how many ratings without an effect an item is given beforehand", low=0)
    slope_damping: float = param(
        70.0, "the same for the effects of time, average and support", low=0, open_low=True
    )
    sweeps: int = param(5, "how often it goes through all effects; 1 is the ladder as published", low=1)

    mean_: float = learned()
    timed_: int = learned()
    user_effect_: Floats = learned("users", "user_steps")
    item_effect_: Floats = learned("items", "item_steps")
    user_centre_: Floats = learned("users", "user_steps")
    item_centre_: Floats = learned("items", "item_steps")
    user_spread_: Floats = learned("user_steps")
    item_spread_: Floats = learned("item_steps")
    user_average_: Floats = learned("users")
    item_average_: Floats = learned("items")
    user_support_: Floats = learned("users")
    item_support_: Floats = learned("items")
    user_first_: npt.NDArray[np.int64] = learned("users", dtype="int64")
    item_first_: npt.NDArray[np.int64] = learned("items", dtype="int64")

    def _fit(self, train: Ratings, progress: Progress) -> None:
        self.mean_, _ = train.moments()
        self.timed_ = int(train.when is not None)
        self.user_spread_, self.item_spread_ = (np.zeros(places(side), np.float32) for side in _SIDES)
        with progress.task("GlobalEffects", self.sweeps) as task:
            self._climb(train, _SIDES, task)

    def _climb(self, ratings: Ratings, sides: tuple[str, ...], task: Task) -> None:
        """Learn the effects of these sides; those of the other side are taken as they are."""
        for side in sides:
            self._note_facts(side, ratings)
        left = ratings.value.astype(np.float64) - self.mean_
        for sweep in range(self.sweeps):
            for step in self._steps():
                x = self._variable(step, ratings)
                if step.side in sides:
                    if sweep == 0:
                        x = self._centred(step, ratings, x, learn_spread=sides == _SIDES)
                    left = self._regress(step, ratings, x, left)
                elif sweep == 0:
                    left -= self._column("effect", step)[codes_of(step.side, ratings)] * x
            task.step()

    def _note_facts(self, side: str, ratings: Ratings) -> None:
        """Note the average, the support and the first time of every user or item; no effects yet."""
        codes, n, weight = codes_of(side, ratings), len(getattr(ratings, f"{side}s")), weights_of(ratings)
        damping = self.user_damping if side == "user" else self.item_damping
        above = damped_mean(codes, ratings.value.astype(np.float64) - self.mean_, weight, n, damping)
        first = np.zeros(n, np.int64)
        if ratings.when is not None:
            latest = np.iinfo(np.int64).max
            first[:] = latest
            np.minimum.at(first, codes[weight > 0], ratings.when[weight > 0])
            first[first == latest] = 0
        facts = {
            "average": (self.mean_ + above).astype(np.float32),
            "support": np.sqrt(sum_by(codes, weight, n)).astype(np.float32),
            "first": first,
            "effect": np.zeros((n, places(side)), np.float32),
            "centre": np.zeros((n, places(side)), np.float32),
        }
        for name, fact in facts.items():
            setattr(self, f"{side}_{name}_", fact)

    def _centred(self, step: Step, ratings: Ratings, x: Numbers, *, learn_spread: bool) -> Numbers:
        """Note the mean of a variable for each user or item, and its mean square; return it centred."""
        codes, weight, centre = (
            codes_of(step.side, ratings),
            weights_of(ratings),
            self._column("centre", step),
        )
        if step.variable != "one":
            count = sum_by(codes, weight, len(centre))
            centre[:] = ratio(sum_by(codes, weight * x, len(centre)), count)
            x = x - centre[codes]
        if learn_spread:
            getattr(self, f"{step.side}_spread_")[step.place] = float(np.sum(weight * x * x) / weight.sum())
        return x

    def _regress(self, step: Step, ratings: Ratings, x: Numbers, left: Numbers) -> Numbers:
        """Fit the numbers of one step to what is left without them; return what is left with them."""
        codes, weight, effect = (
            codes_of(step.side, ratings),
            weights_of(ratings),
            self._column("effect", step),
        )
        left = left + effect[codes] * x
        along = sum_by(codes, weight * x * left, len(effect))
        power = sum_by(codes, weight * x * x, len(effect))
        spread = float(getattr(self, f"{step.side}_spread_")[step.place])
        effect[:] = ratio(along, power + self._damping(step) * spread)
        return np.asarray(left - effect[codes] * x)

    def _steps(self) -> list[Step]:
        return [step for step in LADDER if self.timed_ or not step.variable.endswith("time")]

    def _damping(self, step: Step) -> float:
        if step.variable != "one":
            return self.slope_damping
        return self.user_damping if step.side == "user" else self.item_damping

    def _column(self, what: str, step: Step) -> Floats:
        table: Floats = getattr(self, f"{step.side}_{what}_")
        return table[:, step.place]

    def _variable(self, step: Step, pairs: Pairs) -> Numbers:
        """Return what the numbers of a step multiply, shape (n,); 0 where something is unknown."""
        if step.variable == "one":
            return np.ones(len(pairs))
        side, what = step.variable.split("_")
        codes = codes_of(side, pairs)
        if what == "time":
            if pairs.when is None:
                return np.zeros(len(pairs))
            days = (pairs.when - getattr(self, f"{side}_first_")[codes]) / _DAY
            value = np.sqrt(np.maximum(days, 0))
        else:
            value = getattr(self, f"{side}_{what}_")[codes].astype(np.float64)
        centred = value - self._column("centre", step)[codes_of(step.side, pairs)]
        return np.where((pairs.user >= 0) & (pairs.item >= 0), centred, 0)

    def _part(self, step: Step, pairs: Pairs) -> Numbers:
        """Return what one step adds to each prediction."""
        codes = codes_of(step.side, pairs)
        added = self._column("effect", step)[codes] * self._variable(step, pairs)
        return np.where(codes >= 0, added, 0)

    def _predict(self, pairs: Pairs) -> Prediction:
        value = np.full(len(pairs), self.mean_)
        for step in self._steps():
            value += self._part(step, pairs)
        return self._prediction(pairs, value)

    def _explain(self, pairs: Pairs) -> Contributions:
        parts = [np.full(len(pairs), self.mean_), *(self._part(step, pairs) for step in self._steps())]
        names = "mean", *(step.name for step in self._steps())
        return Contributions(names, np.column_stack(parts).astype(np.float32))

    def _fold_in(self, new: Ratings) -> Self:
        known = known_items(self, new)
        if not self.timed_:
            known = known.replace(when=None)
        folded = with_users(self, new)
        folded._climb(known, ("user",), Task())
        return folded

    def _fold_in_items(self, new: Ratings) -> Self:
        known = known_users(self, new)
        if not self.timed_:
            known = known.replace(when=None)
        folded = with_items(self, new)
        folded._climb(known, ("item",), Task())
        return folded
