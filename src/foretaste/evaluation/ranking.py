"""``evaluate_ranking``: which model's lists hold what people went on to rate."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import resampled_means
from foretaste._utils import memory
from foretaste._utils.formatting import plural
from foretaste._utils.progress import Lines, Progress, Task, progress_for
from foretaste._utils.threads import thread_count
from foretaste.errors import ForetasteError, InvalidParameter, did_you_mean
from foretaste.evaluation.candidates import Candidates, Lister, as_candidates
from foretaste.evaluation.comparison import named
from foretaste.evaluation.fit_and_score import fresh, refusal
from foretaste.evaluation.plan import make_protocol
from foretaste.evaluation.ranking_results import RANKING_METRICS, RankingResults, Row
from foretaste.evaluation.ranking_task import Question, ask
from foretaste.fingerprint import fingerprint
from foretaste.ids import Indices
from foretaste.metrics.beyond_accuracy import coverage, diversity_by_list, gini, novelty_by_list
from foretaste.metrics.ranking import is_whole, list_figures
from foretaste.models import Model
from foretaste.models.als import ALS
from foretaste.models.ease import EASE
from foretaste.models.item_knn import ItemKNN
from foretaste.models.popularity import Popularity
from foretaste.models.spec import params_as_json
from foretaste.models.svd import SVD
from foretaste.validation import as_ratings

log = logging.getLogger("foretaste")

Doubles = npt.NDArray[np.float64]
Models = Mapping[str, str | Model] | Iterable[str | Model] | str | Model

USUAL = ("ndcg", "map", "precision", "recall", "mrr", "hit_rate", "coverage", "novelty")
_INSIDE = (0.025, 0.975)  # the interval of 95 %


def evaluate_ranking(
    models: Models | None,
    train: Any,
    test: Any,
    *,
    n: int = 10,
    relevant: float | str = 4.0,
    candidates: str | tuple[str, int] = "all",
    metrics: Sequence[str] | None = None,
    gain: str = "binary",
    seed: int = 0,
    draws: int = 1000,
    threads: int | None = None,
    progress: bool | Progress = False,
    name: str = "ratings",
) -> RankingResults:
    """Let models make lists of n items, and judge these by what users rated in ``test``.

    What a user has rated in ``train`` is never in the list. Figures are means over the users of ``test``
    for whom anything is relevant, each with the interval that holds 95 % of the means over users drawn again
    and again with replacement. ``Popularity``, the same list for everyone, is always among the models: the
    line to beat.

    Parameters
    ----------
    models : model, name, a list of them, or {name: model}; or None
        Models that are not fitted are fitted on ``train``, and left unfitted themselves; fitted ones are
        judged as they are. None takes ``EASE(values="binary")``, ``EASE``, ``ALS``, ``ItemKNN``, ``SVD``.
    train, test : Ratings, or data frames with ratings
        They must not share a pair of a user and an item.
    n : int
        How long the lists are. Lists can be shorter where fewer items are left; what is missing is wrong.
    relevant : float or {"all", "above_user_mean"}
        From which rating on an item of ``test`` is relevant; or all are; or those above the mean of the
        user's ratings in ``train`` (for new users, of all ratings there).
    candidates : {"all", "test"} or ("sampled", k)
        Which items compete: all items of ``train`` that the user has not rated there; or only the user's
        items in ``test``; or the relevant ones and k random items that the user has not rated. Only the
        first tells what lists will be like; the figures of the others are marked.
    metrics : sequence of str, optional
        Of ndcg, map, precision, recall, mrr, hit_rate and, only with ``candidates="all"``, coverage,
        novelty, diversity (by the cosine of who rated what in ``train``) and gini. The first orders the
        models. Default: ndcg, map, precision, recall, mrr, hit_rate, coverage and novelty where they apply.
    gain : {"binary", "linear", "exponential"}
        What a relevant item counts for nDCG: 1, its rating g, or 2**g - 1; ratings are moved up where the
        lowest is below 0.
    seed : int
        Chooses sampled items, and users for the intervals.
    draws : int
        How often users are drawn for an interval; 0 for none.
    threads : int, optional
        None is all; never changes a result.
    progress : bool or Progress
    name : str
        What the ratings are called in the results.

    Returns
    -------
    RankingResults
        If it is interrupted (Ctrl-C), the models judged until then, with ``stopped`` set.

    Raises
    ------
    InvalidParameter
        If an argument is not allowed.
    NotFound
        If there is no model of a name.
    BadData
        If nothing is relevant, or ``train`` and ``test`` share a pair.
    """
    policy = as_candidates(candidates, _checked("seed", seed, 0))
    _checked("n", n, 1)
    _checked("draws", draws, 0)
    wanted = _metrics(metrics, policy)
    chosen, notes = _models(models)
    train, test = as_ratings(train), as_ratings(test)
    protocol = make_protocol(train, None, test, shared_rows="judge")  # what they share, ``ask`` refuses
    question = ask(train, test, relevant, gain)
    users = len(question.users)
    memory.require(100 * users * n, f"lists of {n} for {users} users", "fewer users in test, or a smaller n")
    lister = Lister(question, policy, n, thread_count(threads))
    notes += question.notes()
    if lister.short:
        notes.append(f"with fewer items left than are drawn: {lister.short:,} users")
    notes += [policy.warning] if policy.warning else []
    run = _Run(question, lister, wanted, n, gain, seed, draws, progress_for(progress), notes)
    stopped = run.all(chosen)
    judged = f"{plural(users, 'user')} judged by {plural(len(question.item), 'relevant rating')}"
    words = f"{protocol.words}; {question.words}; {judged}"
    dataset = {"name": name, **train.describe()}
    for note in notes:
        log.info(note)
    return RankingResults(
        dataset, words, policy.to_dict(), int(n), tuple(wanted), run.sorted(), tuple(notes), stopped
    )


@dataclass
class _Run:
    """One comparison at work."""

    question: Question
    lister: Lister
    metrics: list[str]
    n: int
    gain: str
    seed: int
    draws: int
    show: Progress
    notes: list[str]

    def __post_init__(self) -> None:
        self.rows: list[tuple[Row, Doubles | None]] = []
        self.source = fingerprint(self.question.train)

    def all(self, models: list[tuple[str, Model]]) -> bool:
        """Judge the models one after the other; say whether it was interrupted."""
        try:
            with self.show.task("rank", len(models)) as task:
                for place, (name, model) in enumerate(models):
                    task.step(0, f"{name}, {place + 1} of {len(models)} models")
                    self.one(name, model)
                    task.step()
        except KeyboardInterrupt:
            self.notes.append(f"stopped: {len(self.rows)} of {len(models)} models judged")
            return True
        return False

    def one(self, name: str, model: Model) -> None:
        """Judge one model and keep its row; a model that refuses has a row with its reason."""
        row: Row = {"name": name, "model": type(model).__name__, "params": params_as_json(model)}
        row["python"] = repr(model)
        inner = Progress() if isinstance(self.show, Lines) else self.show
        with ExitStack() as stack:
            line = stack.enter_context(self.show.task(name, 1)) if isinstance(self.show, Lines) else Task()
            try:
                start = time.perf_counter()
                fitted = model
                if model.__sklearn_is_fitted__():
                    self._check_source(name, model)
                else:
                    fitted = fresh(model).fit(self.question.train, progress=inner)
                fit_seconds = time.perf_counter() - start
                start = time.perf_counter()
                with inner.task(f"lists of {name}", len(self.question.users)) as task:
                    lists, tied = self.lister.lists(fitted, task)
                row |= self._figures(lists)
                row |= {"fit_seconds": fit_seconds, "rank_seconds": time.perf_counter() - start}
                row |= {"short_lists": int(np.count_nonzero(lists[:, -1] < 0)), "tied_lists": tied}
                means = self._intervals(row)
                if tied:
                    self.notes.append(
                        f"{name} predicts the same for all items of {plural(tied, 'list')}, which stand in "
                        "the order of their ids"
                    )
                line.step(note=f"{self.metrics[0]} {row[self.metrics[0]]:.4g}")
            except (ForetasteError, MemoryError) as error:
                row |= dict.fromkeys(self.metrics) | {"refused": refusal(error)}
                means = None
                line.step(note=f"refused: {row['refused']['message']}")
        self.rows.append((row, means))

    def _check_source(self, name: str, model: Model) -> None:
        if model.fingerprint_ != self.source:
            self.notes.append(
                f"{name} was fitted elsewhere, on {model.n_ratings_:,} ratings that are not train: it may "
                "have learned from what it is judged by"
            )

    def _figures(self, lists: Indices) -> Row:
        """Measure lists; what each list has is kept for the intervals."""
        question, self.columns = self.question, dict[str, Doubles]()
        found = list_figures(
            lists, question.user, question.item, question.gain, n=self.n, threads=self.lister.threads
        )
        train = question.train
        shown = np.r_[train.items.remap(question.items.ids), np.int32(-1)][lists]
        figures: Row = {}
        for name in self.metrics:
            if name == "coverage":
                figures[name] = coverage(shown, len(train.items))
            elif name == "gini":
                figures[name] = gini(shown, len(train.items)) if (shown >= 0).any() else None
            else:
                if name == "novelty":
                    count = np.bincount(train.item, minlength=len(train.items))
                    values = novelty_by_list(shown, count, len(train.users))
                elif name == "diversity":
                    values = _rated_together(shown, train)
                else:
                    values = found.of(name)
                there = values[~np.isnan(values)]
                figures[name] = float(there.mean()) if len(there) else None
                if len(there) == len(values):
                    self.columns[name] = values
        return figures

    def _intervals(self, row: Row) -> Doubles | None:
        """Add the ends of each interval; return the means of the first metric, a number a draw."""
        if not self.draws or not self.columns:
            return None
        table = np.ascontiguousarray(np.column_stack(list(self.columns.values())))
        means = resampled_means(table, self.draws, self.seed, self.lister.threads)
        for name, ends in zip(self.columns, np.quantile(means, _INSIDE, axis=0).T.tolist(), strict=True):
            row[f"{name}_low"], row[f"{name}_high"] = ends
        first = self.metrics[0]
        if first not in self.columns:
            return None
        return np.asarray(means[:, list(self.columns).index(first)])

    def sorted(self) -> tuple[Row, ...]:
        """Return the rows, the best first, each with how far it is above the most popular items."""
        first = self.metrics[0]
        base = next(((row, means) for row, means in self.rows if is_baseline(row)), (None, None))
        for row, means in self.rows:
            if row is not base[0] and base[0] is not None and row[first] is not None:
                row["over_popularity"] = row[first] - base[0][first]
                if means is not None and base[1] is not None:  # the same users in each draw
                    ends = np.quantile(means - base[1], _INSIDE).tolist()
                    row["over_popularity_low"], row["over_popularity_high"] = ends
        sign = 1 if RANKING_METRICS[first].greater_is_better else -1
        return tuple(
            sorted((row for row, _ in self.rows), key=lambda r: (r[first] is None, -sign * (r[first] or 0.0)))
        )


def is_baseline(row: Row) -> bool:
    """Whether a row is the list of the most popular items, and was judged."""
    return row["model"] == "Popularity" and row["params"]["by"] == "count" and "refused" not in row


def _rated_together(shown: Indices, train: Any) -> Doubles:
    """Return the diversity of each list, by the cosine of who rated the items."""
    known, place = np.unique(shown, return_inverse=True)
    place = place.reshape(shown.shape).astype(np.int32)
    if known[0] < 0:
        known, place = known[1:], place - 1
    memory.require(32 * len(known) ** 2, f"similarities of {len(known)} items", "metrics without diversity")
    rated = train.to_sparse()[:, known]
    rated.data = np.ones(len(rated.data))
    both = (rated.T @ rated).toarray()
    length = np.sqrt(np.diag(both))
    return diversity_by_list(place, similarity=both / np.outer(length, length))


def _checked(name: str, value: Any, least: int) -> int:
    if not is_whole(value) or not least <= value < 2**63:
        raise InvalidParameter(
            f"{name}={value!r} is not allowed; it must be a whole number at least {least}",
            hint={"n": "n=10", "seed": "seed=0", "draws": "draws=1000"}[name],
        )
    return int(value)


def _metrics(metrics: Sequence[str] | None, policy: Candidates) -> list[str]:
    """Return the metrics wanted, those that apply by default."""
    apart = policy.policy != "all"
    if metrics is None:
        return [name for name in USUAL if not (apart and RANKING_METRICS[name].of_lists)]
    names = list(dict.fromkeys([metrics] if isinstance(metrics, str) else metrics))
    for name in names:
        if name not in RANKING_METRICS:
            near = did_you_mean(name, RANKING_METRICS)
            raise InvalidParameter(
                f'no ranking metric "{name}"{near}', hint="some of " + ", ".join(RANKING_METRICS)
            )
        if apart and RANKING_METRICS[name].of_lists:
            raise InvalidParameter(
                f"{name} says what lists out of all items are like; with candidates={policy.policy!r} there "
                "are none",
                hint='candidates="all"',
            )
    if not names:
        raise InvalidParameter("metrics is empty", hint='metrics=["ndcg", "recall"]')
    return names


def _models(models: Models | None) -> tuple[list[tuple[str, Model]], list[str]]:
    """Return the models by name, the most popular items among them, and what there is to say about that."""
    if models is None:
        models = [EASE(values="binary"), EASE(), ALS(), ItemKNN(), SVD()]
    elif isinstance(models, str | Model):
        models = [models]
    given = models.items() if isinstance(models, Mapping) else ((None, model) for model in models)
    found = list[tuple[str, Model]]()
    for name, one in given:
        model = named(one) if isinstance(one, str) else one
        if not isinstance(model, Model):
            hint = "SVD(factors=20), not SVD" if isinstance(model, type) else "a name, or a foretaste model"
            raise InvalidParameter(f"models holds {model!r}, which is neither a name nor a model", hint=hint)
        model.check_params()
        found.append((repr(model).removesuffix("()") if name is None else str(name), model))
    if not found:
        raise InvalidParameter("models is empty", hint='models=["EASE", "SVD"]')
    if any(isinstance(model, Popularity) and model.by == "count" for _, model in found):
        return found, []
    note = "Popularity added: the line that lists made for each user are to beat"
    return [("Popularity", Popularity()), *found], [note]
