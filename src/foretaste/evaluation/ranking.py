"""Evaluates models by top-N ranking metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._native import resampled_means
from foretaste._utils import memory
from foretaste._utils.checks import check_int
from foretaste._utils.formatting import format_count
from foretaste._utils.progress import Progress, ProgressTask, get_progress
from foretaste._utils.threads import resolve_threads
from foretaste.errors import ForetasteError, Hint, InvalidParameterError
from foretaste.evaluation.candidates import Candidates, ListBuilder, as_candidates
from foretaste.evaluation.comparison import evaluate_in_turn, model_label, resolve_model
from foretaste.evaluation.fit_and_score import clone, error_entry
from foretaste.evaluation.plan import make_plan
from foretaste.evaluation.ranking_results import RankingResults, is_baseline
from foretaste.evaluation.ranking_task import RankingTask, make_ranking_task
from foretaste.evaluation.results import Row
from foretaste.fingerprint import fingerprint
from foretaste.metrics.beyond_accuracy import coverage, diversity_per_list, gini, novelty_per_list
from foretaste.metrics.ranking import score_lists
from foretaste.metrics.registry import RANKING_METRICS, get_ranking_metric
from foretaste.models import Model
from foretaste.models.als import ALS
from foretaste.models.baselines import Popularity
from foretaste.models.ease import EASE
from foretaste.models.item_knn import ItemKNN
from foretaste.models.spec import params_as_json
from foretaste.models.svd import SVD
from foretaste.typing import Float64Array, IndexArray
from foretaste.validation import as_ratings

log = logging.getLogger("foretaste")

ModelsArgument = Mapping[str, str | Model] | Iterable[str | Model] | str | Model

DEFAULT_METRICS = ("ndcg", "map", "precision", "recall", "mrr", "hit_rate", "coverage", "novelty")
_QUANTILES = (0.025, 0.975)  # of a 95 % interval


def evaluate_ranking(
    ratings: Any,
    models: ModelsArgument | None = None,
    *,
    test: Any,
    n: int = 10,
    relevant: float | str = 4.0,
    candidates: str | tuple[str, int] = "all",
    metrics: Sequence[str] | None = None,
    gain: str = "binary",
    seed: int = 0,
    n_samples: int = 1000,
    threads: int | None = None,
    progress: bool | Progress = False,
    name: str = "ratings",
) -> RankingResults:
    """Evaluate the top-n lists of models by the ratings of a test set.

    Items rated in ``ratings`` are excluded from a user's list. Metrics are means over the test users with a
    relevant item, each with its 95 % bootstrap interval over users. ``Popularity`` is always included as the
    baseline.

    Parameters
    ----------
    ratings : Ratings, or a data frame with ratings
        The training set.
    models : model, name, a list of them, or {name: model}, optional
        Unfitted models are cloned and fitted on ``ratings``; fitted ones are evaluated as they are. Default:
        ``EASE(target="binary")``, ``EASE``, ``ALS``, ``ItemKNN`` and ``SVD``.
    test : Ratings, or a data frame with ratings
        The test set. It must not share a (user, item) pair with ``ratings``.
    n : int
        Length of the lists. Lists are shorter where fewer items are left; missing items count as misses.
    relevant : float or {"all", "above_user_mean"}
        Lowest rating of a relevant item; or all test items are relevant; or those above the user's mean
        rating in ``ratings`` (for new users, above the global mean).
    candidates : {"all", "test"} or ("sampled", k)
        The items ranked: all items of ``ratings`` that the user has not rated there; only the user's test
        items; or the relevant items and k random items that the user has not rated. Only "all" measures what
        lists will be like in use; metrics of the others are marked.
    metrics : sequence of str, optional
        Of ndcg, map, precision, recall, mrr, hit_rate and, with ``candidates="all"`` only, coverage, novelty,
        diversity (cosine similarity of the rating columns) and gini. Models are ordered by the first.
        Default: ndcg, map, precision, recall, mrr, hit_rate, coverage and novelty, as far as they apply.
    gain : {"binary", "linear", "exponential"}
        Gain of a relevant item in nDCG: 1, its rating g, or 2**g - 1; ratings are shifted if the lowest is
        negative.
    seed : int
        Random seed of the sampled items and of the bootstrap.
    n_samples : int
        Number of bootstrap samples; 0 for no intervals.
    threads : int, optional
        None uses all cores; never changes a result.
    progress : bool or Progress
    name : str
        Name of the dataset in the results.

    Returns
    -------
    RankingResults
        After an interruption (Ctrl-C), of the models evaluated so far, with ``interrupted`` set.

    Raises
    ------
    InvalidParameterError
        If an argument is not allowed.
    NotFoundError
        If there is no model of a name.
    DataError
        If no test item is relevant, or ``ratings`` and ``test`` share a pair.
    """
    policy = as_candidates(candidates, check_int("seed", seed, low=0, high=2**63 - 1))
    check_int("n", n, low=1, high=2**31 - 1, suggestion=10)
    check_int("n_samples", n_samples, low=0, high=2**31 - 1, suggestion=1000)
    metric_names = _resolve_metrics(metrics, n, policy)
    named_models, notes = _resolve_models(models)
    train, test = as_ratings(ratings), as_ratings(test)
    plan = make_plan(train, None, test, overlap="drop_from_train")  # make_ranking_task raises on shared pairs
    ranking_task = make_ranking_task(train, test, relevant, gain)
    n_users = len(ranking_task.users)
    memory.check_available(
        100 * n_users * n, f"lists of {n} for {n_users} users", "fewer users in test, or a smaller n"
    )
    list_builder = ListBuilder(ranking_task, policy, n, resolve_threads(threads))
    notes += ranking_task.notes()
    if list_builder.n_short:
        notes.append(f"users with fewer unrated items than sampled: {list_builder.n_short:,}")
    notes += [policy.warning] if policy.warning else []
    comparison = _RankingComparison(
        ranking_task, list_builder, metric_names, n, gain, seed, n_samples, get_progress(progress), notes
    )
    interrupted = evaluate_in_turn("rank", named_models, comparison, 1, notes)
    test_text = (
        f"{format_count(n_users, 'user')} tested on {format_count(len(ranking_task.item), 'relevant rating')}"
    )
    description = f"{plan.description}; {ranking_task.description}; {test_text}"
    dataset = {"name": name, **train.describe()}
    for note in notes:
        log.info(note)
    return RankingResults(
        dataset,
        description,
        policy.to_dict(),
        int(n),
        tuple(metric_names),
        comparison.sorted_rows(),
        tuple(notes),
        interrupted,
    )


@dataclass
class _RankingComparison:
    """A comparison in progress."""

    ranking_task: RankingTask
    list_builder: ListBuilder
    metrics: list[str]
    n: int
    gain: str
    seed: int
    n_samples: int
    progress: Progress
    notes: list[str]

    def __post_init__(self) -> None:
        self.rows: list[tuple[Row, Float64Array | None]] = []
        self.train_fingerprint = fingerprint(self.ranking_task.train)

    def evaluate(self, name: str, model: Model, task: ProgressTask) -> None:
        """Evaluate one model and append its row; a model that fails has a row with its error."""
        row: Row = {"name": name, "model": type(model).__name__, "params": params_as_json(model)}
        row["repr"] = repr(model)
        inner = self.progress.inside_item()
        with self.progress.start_item(name) as item:
            try:
                start = time.perf_counter()
                fitted_model = model
                if model.__sklearn_is_fitted__():
                    self._check_train_fingerprint(name, model)
                else:
                    fitted_model = clone(model).fit(self.ranking_task.train, progress=inner)
                fit_seconds = time.perf_counter() - start
                start = time.perf_counter()
                with inner.start_task(f"lists of {name}", len(self.ranking_task.users)) as lists_task:
                    lists, n_tied = self.list_builder.build_lists(fitted_model, lists_task)
                row |= self._score_lists(lists)
                row |= {"fit_seconds": fit_seconds, "rank_seconds": time.perf_counter() - start}
                row |= {"short_lists": int(np.count_nonzero(lists[:, -1] < 0)), "tied_lists": n_tied}
                means = self._add_intervals(row)
                if n_tied:
                    self.notes.append(
                        f"{name} predicts the same for all items of {format_count(n_tied, 'list')}, which "
                        "are in the order of their ids"
                    )
                item.step(note=f"{self.metrics[0]} {row[self.metrics[0]]:.4g}")
            except (ForetasteError, MemoryError) as error:
                row |= dict.fromkeys(self.metrics) | {"error": error_entry(error)}
                means = None
                item.step(note=f"failed: {row['error']['message']}")
        self.rows.append((row, means))
        task.step()

    def _check_train_fingerprint(self, name: str, model: Model) -> None:
        if model.fingerprint_ != self.train_fingerprint:
            self.notes.append(
                f"{name} was fitted on {model.n_ratings_:,} other ratings, which may include the test set"
            )

    def _score_lists(self, lists: IndexArray) -> Row:
        """Return the metrics of lists; scores per list are stored for the intervals."""
        ranking_task, self.per_user = self.ranking_task, dict[str, Float64Array]()
        scores = score_lists(
            lists,
            ranking_task.user,
            ranking_task.item,
            ranking_task.gain,
            n=self.n,
            threads=self.list_builder.threads,
        )
        train = ranking_task.train
        list_items = np.r_[train.items.indices_of(ranking_task.items.ids), np.int32(-1)][lists]
        metrics: Row = {}
        for name in self.metrics:
            if name == "coverage":
                metrics[name] = coverage(list_items, len(train.items))
            elif name == "gini":
                metrics[name] = gini(list_items, len(train.items)) if (list_items >= 0).any() else None
            else:
                if name == "novelty":
                    count = np.bincount(train.item, minlength=len(train.items))
                    values = novelty_per_list(list_items, count, len(train.users))
                elif name == "diversity":
                    values = co_rating_diversity(list_items, train)
                else:
                    values = scores.per_list(name)
                defined_values = values[~np.isnan(values)]
                metrics[name] = float(defined_values.mean()) if len(defined_values) else None
                if len(defined_values) == len(values):
                    self.per_user[name] = values
        return metrics

    def _add_intervals(self, row: Row) -> Float64Array | None:
        """Add the bounds of each interval; return bootstrap means of the main metric, shape (n_samples,)."""
        if not self.n_samples or not self.per_user:
            return None
        table = np.ascontiguousarray(np.column_stack(list(self.per_user.values())))
        means = resampled_means(table, self.n_samples, self.seed, self.list_builder.threads)
        for name, bounds in zip(
            self.per_user, np.quantile(means, _QUANTILES, axis=0).T.tolist(), strict=True
        ):
            row[f"{name}_low"], row[f"{name}_high"] = bounds
        main_metric = self.metrics[0]
        if main_metric not in self.per_user:
            return None
        return np.asarray(means[:, list(self.per_user).index(main_metric)])

    def sorted_rows(self) -> tuple[Row, ...]:
        """Return the rows, best first, each with its difference to the popularity baseline."""
        main_metric = self.metrics[0]
        popularity = next(((row, means) for row, means in self.rows if is_baseline(row)), (None, None))
        for row, means in self.rows:
            if row is not popularity[0] and popularity[0] is not None and row[main_metric] is not None:
                row["over_popularity"] = row[main_metric] - popularity[0][main_metric]
                if means is not None and popularity[1] is not None:  # the same users in each sample
                    bounds = np.quantile(means - popularity[1], _QUANTILES).tolist()
                    row["over_popularity_low"], row["over_popularity_high"] = bounds
        sign = 1 if RANKING_METRICS[main_metric].greater_is_better else -1
        return tuple(
            sorted(
                (row for row, _ in self.rows),
                key=lambda r: (r[main_metric] is None, -sign * (r[main_metric] or 0.0)),
            )
        )


def co_rating_diversity(list_items: IndexArray, train: Any) -> Float64Array:
    """Return the diversity of each list by the cosine similarity of the rating columns."""
    items, positions = np.unique(list_items, return_inverse=True)
    positions = positions.reshape(list_items.shape).astype(np.int32)
    if items[0] < 0:
        items, positions = items[1:], positions - 1
    memory.check_available(
        32 * len(items) ** 2, f"similarities of {len(items)} items", "metrics without diversity"
    )
    ratings = train.to_sparse()[:, items]
    ratings.data = np.ones(len(ratings.data))
    co_counts = (ratings.T @ ratings).toarray()
    norms = np.sqrt(np.diag(co_counts))
    return diversity_per_list(positions, similarity=co_counts / np.outer(norms, norms))


def _resolve_metrics(metrics: Sequence[str] | None, n: int, policy: Candidates) -> list[str]:
    """Return the names of the metrics, or those that apply by default."""
    is_restricted = policy.policy != "all"
    if metrics is None:
        return [
            name for name in DEFAULT_METRICS if not (is_restricted and RANKING_METRICS[name].beyond_accuracy)
        ]
    names: list[str] = []
    for label in [metrics] if isinstance(metrics, str) else metrics:
        metric, cutoff = get_ranking_metric(label)
        name = metric.name
        if cutoff not in (None, n):
            raise InvalidParameterError(
                f"{label} has another cutoff than {{n}}", arguments={"n": n}, hint=Hint({"n": cutoff})
            )
        if name not in names:
            names.append(name)
        if is_restricted and RANKING_METRICS[name].beyond_accuracy:
            raise InvalidParameterError(
                f"{name} describes lists out of all items; {{candidates}} restricts them",
                arguments={"candidates": policy.policy},
                hint=Hint({"candidates": "all"}),
            )
    if not names:
        raise InvalidParameterError("metrics is empty", hint=Hint({"metrics": ["ndcg", "recall"]}))
    return names


def _resolve_models(models: ModelsArgument | None) -> tuple[list[tuple[str, Model]], list[str]]:
    """Return the models by name, the popularity baseline included, and notes about them."""
    if models is None:
        models = [EASE(target="binary"), EASE(), ALS(), ItemKNN(), SVD()]
    elif isinstance(models, str | Model):
        models = [models]
    pairs = models.items() if isinstance(models, Mapping) else ((None, model) for model in models)
    resolved = list[tuple[str, Model]]()
    for name, entry in pairs:
        model = resolve_model(entry)
        resolved.append((model_label(model) if name is None else str(name), model))
    if not resolved:
        raise InvalidParameterError("models is empty", hint=Hint({"models": ["EASE", "SVD"]}))
    if any(isinstance(model, Popularity) and model.rank_by == "count" for _, model in resolved):
        return resolved, []
    note = "Popularity added as the baseline"
    return [("Popularity", Popularity()), *resolved], [note]
