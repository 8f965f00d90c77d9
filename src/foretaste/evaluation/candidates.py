"""Which items compete for a place in a list, and the lists that models make of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import top_of_rows
from foretaste._utils.progress import Task
from foretaste.errors import InvalidParameter, did_you_mean
from foretaste.evaluation.ranking_task import Question
from foretaste.ids import Indices
from foretaste.metrics.ranking import is_whole
from foretaste.models import Model
from foretaste.ratings import Pairs
from foretaste.recommendation.topk import Ranking, Seen

_PAIRS = 50_000_000  # ranked by a kernel in one step, so that progress is seen to move
_PREDICTED = 1_000_000  # predicted one by one in one step

SAMPLED = (
    "sampled candidates mislead: figures are far higher than among all items, and can put models in another "
    'order (Krichene and Rendle, "On sampled metrics for item recommendation", KDD 2020)'
)
OWN = (
    "among a user's own test items nothing unrated competes: this tells how well models order what people "
    "chose themselves, not what is worth recommending"
)


@dataclass(frozen=True)
class Candidates:
    """A policy: which items compete.

    Parameters
    ----------
    policy : {"all", "test", "sampled"}
    negatives : int
        With "sampled", how many items that the user has not rated are drawn.
    seed : int
        Chooses them.
    """

    policy: str
    negatives: int = 0
    seed: int = 0

    @property
    def words(self) -> str:
        """The policy as a sentence."""
        if self.policy == "all":
            return "all items of train that the user has not rated there"
        if self.policy == "test":
            return "only the test items of the user"
        return (
            f"sampled: the relevant items of the user and {self.negatives:,} of the items that the user has "
            f"not rated, seed {self.seed}"
        )

    @property
    def mark(self) -> str:
        """What stands behind each figure's name in a table."""
        return {"all": "", "test": " (test items)", "sampled": " (sampled)"}[self.policy]

    @property
    def warning(self) -> str | None:
        """Why figures by this policy are to be taken with care."""
        return {"all": None, "test": OWN, "sampled": SAMPLED}[self.policy]

    def to_dict(self) -> dict[str, Any]:
        """Return the policy as JSON can hold it."""
        drawn = {"negatives": self.negatives, "seed": self.seed} if self.policy == "sampled" else {}
        return {"policy": self.policy, **drawn, "words": self.words}


def as_candidates(candidates: Any, seed: int) -> Candidates:
    """Return a policy from ``"all"``, ``"test"`` or ``("sampled", 100)``.

    Raises
    ------
    InvalidParameter
        If it is none of these.
    """
    if candidates in ("all", "test"):
        return Candidates(candidates)
    if isinstance(candidates, tuple | list) and len(candidates) == 2 and candidates[0] == "sampled":
        count = candidates[1]
        if is_whole(count) and count >= 1:
            return Candidates("sampled", int(count), seed)
    near = did_you_mean(candidates, ("all", "test", "sampled")) if isinstance(candidates, str) else ""
    raise InvalidParameter(
        f"candidates={candidates!r} is not allowed{near}",
        hint='candidates="all" (or "test", or ("sampled", 100))',
    )


class Lister:
    """Makes the lists of one model after the other, by one policy.

    Parameters
    ----------
    question : Question
    candidates : Candidates
    n : int
        How long the lists are.
    threads : int
    """

    def __init__(self, question: Question, candidates: Candidates, n: int, threads: int) -> None:
        self.question, self.n, self.threads = question, n, threads
        self.short = 0
        self.rows: tuple[npt.NDArray[np.int64], Indices] | None = None
        if candidates.policy == "all":
            self.rated = question.train_rows()
        elif candidates.policy == "test":
            starts, item = question.test_rows()
            self.rows = starts, question.items.remap(question.test.items.ids)[item]
        else:
            self.rows, self.short = _drawn(question, candidates)

    def lists(self, model: Model, task: Task) -> tuple[Indices, int]:
        """Return the lists of a fitted model, and how many are of equal predictions.

        Lists are numbers of ``question.items``, shape (judged, n), -1 after the end of a shorter one.
        """
        return self._of_all(model, task) if self.rows is None else self._of_few(model, *self.rows, task)

    def _of_all(self, model: Model, task: Task) -> tuple[Indices, int]:
        question = self.question
        here = model.items_.remap(question.train.items.ids)  # of train, in the model
        ranking = Ranking(model, np.unique(here[here >= 0]), self.n, self.threads)
        user = model.users_.remap(question.users)
        starts, item = self.rated[0], here[self.rated[1]]
        if (item < 0).any():  # a model fitted elsewhere, that does not know them
            starts = np.r_[0, np.cumsum(item >= 0)][starts].astype(np.int64)
            item = item[item >= 0]
        seen = Seen(starts, item)
        there = np.r_[question.items.remap(model.items_.ids), np.int32(-1)]
        lists, tied = np.full((len(user), self.n), -1, np.int32), 0
        step = max(1, _PAIRS // max(1, len(ranking.allowed)))
        for start in range(0, len(user), step):
            part = slice(start, min(len(user), start + step))
            best, score = ranking.best(user[part], seen.take(part))
            tied += _tied(score)
            lists[part, : best.shape[1]] = there[best]
            task.step(part.stop - part.start)
        return lists, tied

    def _of_few(
        self, model: Model, starts: npt.NDArray[np.int64], item: Indices, task: Task
    ) -> tuple[Indices, int]:
        """Predict each candidate, and rank: users with equally many candidates together."""
        question = self.question
        user = model.users_.remap(question.users)
        there = model.items_.remap(question.items.ids)
        length = np.diff(starts)
        order = np.argsort(length, kind="stable")
        lists, tied = np.full((len(user), self.n), -1, np.int32), 0
        first = 0
        while first < len(order):
            # Widths increase; so many rows that even the widest leaves the block below its size.
            last = first + 1
            while last < len(order) and (last + 1 - first) * length[order[last]] <= _PREDICTED:
                last += 1
            rows = order[first:last]
            size, wide = length[rows], int(length[rows[-1]])
            inside = np.arange(wide) < size[:, None]
            names = np.full(inside.shape, -1, np.int32)
            names[inside] = item[(starts[rows][:, None] + np.arange(wide))[inside]]
            score = np.full(inside.shape, -np.inf, np.float32)
            pairs = Pairs(np.repeat(user[rows], size), there[names[inside]])
            score[inside] = model._predict(pairs).value
            keep = min(self.n, wide)
            lists[rows, :keep], best = top_of_rows(score, names, keep, self.threads)
            tied += _tied(best)
            task.step(len(rows))
            first = last
        return lists, tied


def _drawn(question: Question, candidates: Candidates) -> tuple[tuple[npt.NDArray[np.int64], Indices], int]:
    """Return the relevant items of each user and some that the user has not rated; and who had too few."""
    rng = np.random.default_rng(candidates.seed)
    train_starts, train_item = question.train_rows()
    test_starts, test_item = question.test_rows()
    train_there = question.items.remap(question.train.items.ids)
    test_there = question.items.remap(question.test.items.ids)
    free = np.zeros(len(question.items), np.bool_)
    free[train_there] = True
    ends = np.searchsorted(question.user, np.arange(len(question.users) + 1))
    parts, short = list[Indices](), 0
    for row in range(len(question.users)):
        rated = np.r_[
            train_there[train_item[train_starts[row] : train_starts[row + 1]]],
            test_there[test_item[test_starts[row] : test_starts[row + 1]]],
        ]
        before, free[rated] = free[rated], False
        left = np.flatnonzero(free)
        free[rated] = before
        short += len(left) < candidates.negatives
        drawn = rng.choice(left, min(len(left), candidates.negatives), replace=False)
        parts.append(np.r_[question.item[ends[row] : ends[row + 1]], drawn].astype(np.int32))
    starts = np.r_[0, np.cumsum([len(part) for part in parts])].astype(np.int64)
    return (starts, np.concatenate(parts)), short


def _tied(score: npt.NDArray[np.float32]) -> int:
    """Return in how many rows, best first and minus infinity after their ends, all of several are equal."""
    several = (score > -np.inf).sum(axis=1) > 1
    last = np.where(score > -np.inf, score, np.inf).min(axis=1, initial=np.inf)
    return int(np.count_nonzero(several & (score[:, 0] == last))) if score.shape[1] else 0
