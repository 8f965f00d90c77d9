"""Candidate policies of ranking evaluation, and the top-n lists of a model among the candidates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import top_of_rows
from foretaste._utils.checks import closest_choice, is_integer
from foretaste._utils.progress import ProgressTask
from foretaste.errors import Hint, InvalidParameterError
from foretaste.evaluation.ranking_task import RankingTask
from foretaste.models import Model
from foretaste.ratings import Pairs
from foretaste.recommendation.topk import ExcludedItems, TopKRanker
from foretaste.typing import Float32Array, IndexArray, Int64Array

SAMPLED_WARNING = (
    "sampled candidates mislead: metrics are far higher than among all items, and can rank models in another "
    'order (Krichene and Rendle, "On sampled metrics for item recommendation", KDD 2020)'
)
TEST_ITEMS_WARNING = (
    "among a user's test items alone no unrated item competes: this measures how well models order what "
    "users chose themselves, not what is worth recommending"
)


@dataclass(frozen=True)
class Candidates:
    """A policy: the items ranked for each user.

    Parameters
    ----------
    policy : {"all", "test", "sampled"}
    negatives : int
        Number of unrated items sampled per user, with "sampled".
    seed : int
        Random seed of the sampling.
    """

    policy: str
    negatives: int = 0
    seed: int = 0

    @property
    def description(self) -> str:
        """The policy in words."""
        if self.policy == "all":
            return "all training items that the user has not rated"
        if self.policy == "test":
            return "only the test items of the user"
        return (
            f"sampled: the relevant items of the user and {self.negatives:,} of the items that the user has "
            f"not rated, seed {self.seed}"
        )

    @property
    def warning(self) -> str | None:
        """Why metrics of this policy need care, or None."""
        return {"all": None, "test": TEST_ITEMS_WARNING, "sampled": SAMPLED_WARNING}[self.policy]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict."""
        sampling = {"negatives": self.negatives, "seed": self.seed} if self.policy == "sampled" else {}
        return {"policy": self.policy, **sampling, "description": self.description}


def as_candidates(candidates: Any, seed: int) -> Candidates:
    """Return the policy of ``"all"``, ``"test"`` or ``("sampled", 100)``.

    Raises
    ------
    InvalidParameterError
        If it is none of these.
    """
    if candidates in ("all", "test"):
        return Candidates(candidates)
    if isinstance(candidates, tuple | list) and len(candidates) == 2 and candidates[0] == "sampled":
        count = candidates[1]
        if is_integer(count) and count >= 1:
            return Candidates("sampled", int(count), seed)
    raise InvalidParameterError(
        'it must be "all", "test" or ("sampled", 100)',
        argument=("candidates", candidates),
        hint=Hint({"candidates": closest_choice(candidates, ("all", "test", ("sampled", 100)))}),
    )


class ListBuilder:
    """Builds the top-n lists of models under one candidate policy.

    Parameters
    ----------
    ranking_task : RankingTask
    candidates : Candidates
    n : int
        Length of the lists.
    threads : int
    pairs_per_step : int
        Number of pairs that a native call ranks, after which progress is reported.
    predictions_per_step : int
        Number of candidates that are predicted at once where they differ between users.
    """

    def __init__(
        self,
        ranking_task: RankingTask,
        candidates: Candidates,
        n: int,
        threads: int,
        *,
        pairs_per_step: int = 50_000_000,
        predictions_per_step: int = 1_000_000,
    ) -> None:
        self.ranking_task, self.n, self.threads = ranking_task, n, threads
        self.pairs_per_step, self.predictions_per_step = pairs_per_step, predictions_per_step
        self.n_short = 0
        self.candidate_rows: tuple[Int64Array, IndexArray] | None = None
        if candidates.policy == "all":
            self.rated_rows = ranking_task.rated_in_train()
        elif candidates.policy == "test":
            starts, item = ranking_task.rated_in_test()
            self.candidate_rows = starts, ranking_task.items.indices_of(ranking_task.test.items.ids)[item]
        else:
            self.candidate_rows, self.n_short = _sample_candidates(ranking_task, candidates)

    def build_lists(self, model: Model, task: ProgressTask) -> tuple[IndexArray, int]:
        """Return the lists of a fitted model, and the number of lists with all predictions equal.

        Lists hold indices into ``ranking_task.items``, shape (n_users, n), -1 after the end of a shorter one.
        """
        return (
            self._rank_all_items(model, task)
            if self.candidate_rows is None
            else self._rank_candidates(model, *self.candidate_rows, task)
        )

    def _rank_all_items(self, model: Model, task: ProgressTask) -> tuple[IndexArray, int]:
        ranking_task = self.ranking_task
        train_to_model = model.items_.indices_of(ranking_task.train.items.ids)
        ranker = TopKRanker(model, np.unique(train_to_model[train_to_model >= 0]), self.n, self.threads)
        user = model.users_.indices_of(ranking_task.users)
        starts, item = self.rated_rows[0], train_to_model[self.rated_rows[1]]
        if (item < 0).any():  # a model fitted on other ratings may not know all items
            starts = np.r_[0, np.cumsum(item >= 0)][starts].astype(np.int64)
            item = item[item >= 0]
        excluded = ExcludedItems(starts, item)
        model_to_task = np.r_[ranking_task.items.indices_of(model.items_.ids), np.int32(-1)]
        lists, n_tied = np.full((len(user), self.n), -1, np.int32), 0
        step = max(1, self.pairs_per_step // max(1, len(ranker.candidates)))
        for start in range(0, len(user), step):
            batch = slice(start, min(len(user), start + step))
            top, score = ranker.topk(user[batch], excluded.take_rows(batch))
            n_tied += _count_tied(score)
            lists[batch, : top.shape[1]] = model_to_task[top]
            task.step(batch.stop - batch.start)
        return lists, n_tied

    def _rank_candidates(
        self, model: Model, starts: Int64Array, item: IndexArray, task: ProgressTask
    ) -> tuple[IndexArray, int]:
        """Predict and rank the candidates; users with similar numbers of candidates share a block."""
        ranking_task = self.ranking_task
        user = model.users_.indices_of(ranking_task.users)
        task_to_model = model.items_.indices_of(ranking_task.items.ids)
        length = np.diff(starts)
        order = np.argsort(length, kind="stable")
        lists, n_tied = np.full((len(user), self.n), -1, np.int32), 0
        first = 0
        while first < len(order):
            # Lengths increase: take rows while the block, as wide as the longest, fits the limit.
            last = first + 1
            while last < len(order) and (last + 1 - first) * length[order[last]] <= self.predictions_per_step:
                last += 1
            rows = order[first:last]
            size, max_size = length[rows], int(length[rows[-1]])
            mask = np.arange(max_size) < size[:, None]
            candidate_items = np.full(mask.shape, -1, np.int32)
            candidate_items[mask] = item[(starts[rows][:, None] + np.arange(max_size))[mask]]
            score = np.full(mask.shape, -np.inf, np.float32)
            pairs = Pairs(np.repeat(user[rows], size), task_to_model[candidate_items[mask]])
            score[mask] = model.predict_encoded(pairs, clip=False).value
            n_top = min(self.n, max_size)
            lists[rows, :n_top], top_scores = top_of_rows(score, candidate_items, n_top, self.threads)
            n_tied += _count_tied(top_scores)
            task.step(len(rows))
            first = last
        return lists, n_tied


def _sample_candidates(
    ranking_task: RankingTask, candidates: Candidates
) -> tuple[tuple[Int64Array, IndexArray], int]:
    """Return each user's relevant items and sampled unrated ones, and the number of users with too few."""
    rng = np.random.default_rng(candidates.seed)
    train_starts, train_item = ranking_task.rated_in_train()
    test_starts, test_item = ranking_task.rated_in_test()
    train_to_task = ranking_task.items.indices_of(ranking_task.train.items.ids)
    test_to_task = ranking_task.items.indices_of(ranking_task.test.items.ids)
    is_unrated = np.zeros(len(ranking_task.items), np.bool_)
    is_unrated[train_to_task] = True
    ends = np.searchsorted(ranking_task.user, np.arange(len(ranking_task.users) + 1))
    parts, n_short = list[IndexArray](), 0
    for row in range(len(ranking_task.users)):
        rated_items = np.r_[
            train_to_task[train_item[train_starts[row] : train_starts[row + 1]]],
            test_to_task[test_item[test_starts[row] : test_starts[row + 1]]],
        ]
        previous, is_unrated[rated_items] = is_unrated[rated_items], False
        unrated = np.flatnonzero(is_unrated)
        is_unrated[rated_items] = previous
        n_short += len(unrated) < candidates.negatives
        negatives = rng.choice(unrated, min(len(unrated), candidates.negatives), replace=False)
        parts.append(np.r_[ranking_task.item[ends[row] : ends[row + 1]], negatives].astype(np.int32))
    starts = np.r_[0, np.cumsum([len(part) for part in parts])].astype(np.int64)
    return (starts, np.concatenate(parts)), n_short


def _count_tied(score: Float32Array) -> int:
    """Return the number of rows, best first and padded by -inf, of several equal scores."""
    has_several = (score > -np.inf).sum(axis=1) > 1
    last = np.where(score > -np.inf, score, np.inf).min(axis=1, initial=np.inf)
    return int(np.count_nonzero(has_several & (score[:, 0] == last))) if score.shape[1] else 0
