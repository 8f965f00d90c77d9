"""Many models, one protocol, one table."""

from __future__ import annotations

import difflib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.progress import Lines, Progress, Task, progress_for
from foretaste.errors import ForetasteError, InvalidParameter, NotFound
from foretaste.evaluation.fit_and_score import Judgement, checked_metrics, refusal
from foretaste.evaluation.leakage import exact_rows, too_good
from foretaste.evaluation.parallel import judge_folds
from foretaste.evaluation.plan import Protocol, make_protocol
from foretaste.evaluation.plan_files import pack
from foretaste.evaluation.prediction_store import Kept
from foretaste.evaluation.results import Results, Row
from foretaste.evaluation.significance import Sums, UserSums, uncertainties
from foretaste.evaluation.subprocess_evaluation import Judged, judge_apart
from foretaste.models import BY_NAME, Model
from foretaste.models.baselines import GlobalMean
from foretaste.models.spec import as_spec, holds_code, params_as_json
from foretaste.ratings import Ratings
from foretaste.validation import as_ratings

log = logging.getLogger("foretaste")


def compare(
    models: Iterable[str | Model] | str | Model | None,
    ratings: Any,
    *,
    split: Any = None,
    test: Ratings | None = None,
    metrics: Sequence[str] = ("rmse", "mae"),
    warm_only: bool = False,
    shared_rows: str = "refuse",
    measure_memory: bool = False,
    threads: int | None = None,
    progress: bool | Progress = False,
    name: str = "ratings",
) -> Results:
    """Fit models on the same rows, judge them by the same other rows, and order them by RMSE.

    No row judged by is ever fitted on. ``GlobalMean`` is always among the models, as the baseline. A model
    that refuses the ratings (too large, not supported, something missing) becomes a row with its reason.
    Sample weights, if there are any, count in fitting, not in judging.

    Models are asked about pairs, so the ratings judged by never reach them; one that predicts them without
    any error has seen them, and is named in a warning. The predictions are kept, 4 bytes for each row
    judged and model, in all 256 MB at most (those of the worst models are let go first).

    Parameters
    ----------
    models : list of names and models, or None
        None takes all of ``foretaste.models.BY_NAME`` at their defaults. Models given are left unfitted.
    ratings : Ratings, or a data frame with ratings
    split : Split, optional
        Default: ``HoldOut(0.2, seed=0)``. With several folds the figures are means, with their standard
        deviation (over n) beside, seconds too; rows that used a fallback are summed.
    test : Ratings, optional
        Ratings to judge by, given apart instead of a split.
    metrics : sequence of str
        Names of ``foretaste.metrics.METRICS``; RMSE is always among them.
    warm_only : bool
        Judge only rows whose user and item are learned from.
    shared_rows : {"refuse", "judge", "learn"}
        What to do with pairs of a user and an item that stand in ``ratings`` and in ``test``: an error, or
        only judge by them, or only learn from them.
    measure_memory : bool
        Judge each model of ``BY_NAME`` in a process of its own, fold after fold, and tell its peak
        memory. Others are judged in this process, without a figure.
    threads : int, optional
        How many in all; folds are judged side by side, each fit with an equal share. None is all cores. It
        never changes a figure but seconds.
    progress : bool or Progress
    name : str
        What the ratings are called in the results.

    Returns
    -------
    Results
        If it is interrupted (Ctrl-C), the models judged until then, with ``stopped`` set.

    Raises
    ------
    NotFound
        If there is no model of a name.
    InvalidParameter
        If a hyperparameter, metric or split is not allowed.
    BadData
        If the ratings cannot be split or judged so.
    """
    ratings = as_ratings(ratings)
    candidates, notes = _candidates(models)
    protocol = make_protocol(ratings, split, test, warm_only=warm_only, shared_rows=shared_rows)
    wanted = checked_metrics(metrics, protocol)
    rows: list[Row] = []
    stopped = False
    with tempfile.TemporaryDirectory(prefix="foretaste-") as folder:
        show = progress_for(progress)
        apart = measure_memory and bool(sys.executable)  # an embedded interpreter cannot start another
        run = _Run(protocol, wanted, show, Path(folder) if apart else None, threads)
        try:
            if apart:
                pack(protocol, Path(folder) / "data.npz")
            with show.task("compare", len(candidates) * len(protocol)) as task:
                for place, model in enumerate(candidates):
                    run.judge(model, rows, task, f"{place + 1} of {len(candidates)} models")
        except KeyboardInterrupt:
            stopped = True
            notes.append(f"stopped: {len(rows)} of {len(candidates)} models judged")
    for note in notes:
        log.info(note)
    for warning in run.warnings:
        log.warning(warning)
    dataset = {"name": name, **protocol.ratings.describe()}
    rows = run.how_sure(sorted(rows, key=_order))
    notes += run.warnings
    return Results(dataset, protocol.words, tuple(rows), tuple(notes), stopped, run.sums.users, run.kept)


def _order(row: Row) -> tuple[bool, float]:
    return ("refused" in row, row["rmse"] or 0.0)


def _candidates(models: Iterable[str | Model] | str | Model | None) -> tuple[list[Model], list[str]]:
    """Return the models to judge, the baseline among them, and what there is to say about that."""
    if models is None:
        return [model() for model in BY_NAME.values()], []
    given = [models] if isinstance(models, str | Model) else list(models)
    found = [one_model(model) for model in given]
    if not found:
        raise InvalidParameter(
            "models is empty", hint="None for all of them, or some of " + ", ".join(BY_NAME)
        )
    if any(type(model) is GlobalMean for model in found):
        return found, []
    return [GlobalMean(), *found], ["GlobalMean added: the baseline that the others are measured against"]


def one_model(model: Any) -> Model:
    """Return a model, or that of a name, after checking its hyperparameters."""
    found = named(model) if isinstance(model, str) else model
    if not isinstance(found, Model):
        hint = "SVD(factors=20), not SVD" if isinstance(found, type) else "a name, or a foretaste model"
        raise InvalidParameter(f"{found!r} is neither a name nor a model", hint=hint)
    found._check_extra()
    found.check_params()
    return found


def named(name: str) -> Model:
    """Return the model of a name, at its defaults; case, ``-`` and ``_`` do not matter.

    Raises
    ------
    NotFound
        If there is none, naming the nearest.
    """
    names = BY_NAME.names()
    squeezed = {key.lower(): key for key in names}
    key = squeezed.get(name.replace("-", "").replace("_", "").lower())
    if key is None:
        near = difflib.get_close_matches(name.lower(), squeezed, n=1)
        meant = f'; did you mean "{squeezed[near[0]]}"?' if near else ""
        raise NotFound(f'no model "{name}"{meant}', hint="one of " + ", ".join(names))
    return BY_NAME[key]()


class _Run:
    """One comparison at work; ``folder`` is where the protocol is packed, if memory is measured."""

    def __init__(
        self,
        protocol: Protocol,
        metrics: tuple[str, ...],
        show: Progress,
        folder: Path | None,
        threads: int | None,
    ) -> None:
        self.protocol, self.metrics, self.show = protocol, metrics, show
        self.folder, self.threads = folder, threads
        self.warnings: list[str] = []
        self.sums = UserSums(protocol)
        self.errors: dict[str, Sums] = {}
        self.kept = Kept(protocol)

    def judge(self, model: Model, rows: list[Row], task: Task, place: str) -> None:
        """Judge one model on all folds and add its row; what is shown as done is kept."""
        label = label_of(model)
        with ExitStack() as stack:
            # On a pipe, one line a model; bars are drawn inside one another instead.
            line = stack.enter_context(self.show.task(label, 1)) if isinstance(self.show, Lines) else Task()
            task.step(0, f"{label}, {place}")
            judged = self._judge(model, task.step)
            if judged.refused is not None:
                rows.append(self._refused(model, judged))
                line.step(note=f"refused: {judged.refused['message']}")
                task.step(len(self.protocol) - len(judged.figures))
                return
            row = self._summary(model, judged)
            rows.append(row)
            self.errors[row["python"]] = self.sums.of(judged.predicted)
            self.kept.keep(row["python"], row["rmse"], judged.predicted)
            exact = [
                exact_rows(self.protocol.judged_values(fold), values)
                for fold, values in enumerate(judged.predicted)
            ]
            warning = too_good(label, exact)
            self.warnings += [] if warning is None else [warning]
            line.step(note=f"RMSE {row['rmse']:.4g}")

    def how_sure(self, rows: list[Row]) -> list[Row]:
        """Return the rows, best first, with the intervals of their RMSE and of the difference to the best."""
        judged = [row for row in rows if "refused" not in row]
        if not judged or not self.sums.enough:
            return rows
        found = uncertainties([self.errors[row["python"]] for row in judged], self.sums.counts)
        for place, (row, sure) in enumerate(zip(judged, found, strict=True)):
            row["rmse_interval"] = [sure.rmse.low, sure.rmse.high]
            if place:
                interval = [sure.interval.low, sure.interval.high]
                row["behind"] = {"rmse": sure.difference, "interval": interval, "p": sure.p}
        return rows

    def _judge(self, model: Model, on_fold: Callable[[], None]) -> Judged:
        inner = Progress() if isinstance(self.show, Lines) else self.show
        own = BY_NAME.get(type(model).__name__) is not type(model) or holds_code(as_spec(model))
        if self.folder is not None and not own:
            return judge_apart(model, self.folder, self.metrics, inner, lambda _: on_fold())
        judged = Judged()

        def take(judgement: Judgement) -> None:
            judged.figures.append(judgement.figures)
            judged.predicted.append(judgement.predicted)
            on_fold()

        try:
            judge_folds(model, self.protocol, self.metrics, inner, take, self.threads)
        except (ForetasteError, MemoryError) as error:
            judged.refused = refusal(error)
        return judged

    def _head(self, model: Model) -> Row:
        return {"model": type(model).__name__, "params": params_of(model), "python": repr(model)}

    def _summary(self, model: Model, judged: Judged) -> Row:
        row = self._head(model)
        several = len(judged.figures) > 1
        for key in judged.figures[0]:
            values = [figures[key] for figures in judged.figures]
            if key == "fallback_rows":
                row[key] = int(sum(values))
                continue
            row[key] = float(np.mean(values))
            if several:
                row[f"{key}_std"] = float(np.std(values))
        row |= judged.memory
        if several:
            row["folds"] = judged.figures
        return row

    def _refused(self, model: Model, judged: Judged) -> Row:
        keys = ("train_rmse", *self.metrics, "fit_seconds", "predict_seconds", "fallback_rows")
        return self._head(model) | dict.fromkeys(keys) | {"refused": judged.refused}


def params_of(model: Model) -> dict[str, Any]:
    """Return the hyperparameters of a model as JSON can hold them."""
    return {name: _as_json(value) for name, value in params_as_json(model).items()}


def label_of(model: Model) -> str:
    """Return what a model is called: its name, and the parameters that differ from its defaults."""
    return repr(model).removesuffix("()")


def _as_json(value: Any) -> Any:
    """Return a hyperparameter as JSON can hold it."""
    known = value is None or isinstance(value, bool | int | float | str | list | dict)
    return value if known else repr(value)
