"""Many models, one protocol, one table."""

from __future__ import annotations

import difflib
import logging
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foretaste.doors import as_ratings
from foretaste.errors import ForetasteError, InvalidParameter, NotFound
from foretaste.evaluation.judging import Figures, checked_metrics, judge, refusal
from foretaste.evaluation.packing import pack
from foretaste.evaluation.processes import Judged, judge_apart
from foretaste.evaluation.protocol import Protocol, make_protocol
from foretaste.evaluation.results import Results, Row
from foretaste.models import BY_NAME, Model
from foretaste.models.means import GlobalMean
from foretaste.models.specs import params_as_json
from foretaste.progress import Lines, Progress, Task, progress_for
from foretaste.ratings import Ratings

log = logging.getLogger("foretaste")


def compare(
    models: Iterable[str | Model] | str | Model | None,
    ratings: Any,
    *,
    split: Any = None,
    test: Ratings | None = None,
    metrics: Sequence[str] = ("rmse", "mae"),
    measure_memory: bool = False,
    progress: bool | Progress = False,
    name: str = "ratings",
) -> Results:
    """Fit models on the same rows, judge them by the same other rows, and order them by RMSE.

    No row judged by is ever fitted on. ``GlobalMean`` is always among the models, as the baseline. A model
    that refuses the ratings (too large, not supported, something missing) becomes a row with its reason.
    Sample weights, if there are any, count in fitting, not in judging.

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
    measure_memory : bool
        Judge each model of ``BY_NAME`` in a process of its own, one after another, and tell its peak
        memory. Others are judged in this process, without a figure.
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
    protocol = make_protocol(ratings, split, test)
    wanted = checked_metrics(metrics, protocol)
    rows: list[Row] = []
    stopped = False
    with tempfile.TemporaryDirectory(prefix="foretaste-") as folder:
        show = progress_for(progress)
        apart = measure_memory and bool(sys.executable)  # an embedded interpreter cannot start another
        run = _Run(protocol, wanted, show, Path(folder) if apart else None)
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
    dataset = {"name": name, **ratings.describe()}
    return Results(dataset, protocol.words, tuple(sorted(rows, key=_order)), tuple(notes), stopped)


def _order(row: Row) -> tuple[bool, float]:
    return ("refused" in row, row["rmse"] or 0.0)


def _candidates(models: Iterable[str | Model] | str | Model | None) -> tuple[list[Model], list[str]]:
    """Return the models to judge, the baseline among them, and what there is to say about that."""
    if models is None:
        return [model() for model in BY_NAME.values()], []
    given = [models] if isinstance(models, str | Model) else list(models)
    found = [named(model) if isinstance(model, str) else model for model in given]
    for model in found:
        if not isinstance(model, Model):
            hint = "SVD(factors=20), not SVD" if isinstance(model, type) else "a name, or a foretaste model"
            raise InvalidParameter(f"models holds {model!r}, which is neither a name nor a model", hint=hint)
        model.check_params()
    if not found:
        raise InvalidParameter(
            "models is empty", hint="None for all of them, or some of " + ", ".join(BY_NAME)
        )
    if any(type(model) is GlobalMean for model in found):
        return found, []
    return [GlobalMean(), *found], ["GlobalMean added: the baseline that the others are measured against"]


def named(name: str) -> Model:
    """Return the model of a name, at its defaults; case, ``-`` and ``_`` do not matter.

    Raises
    ------
    NotFound
        If there is none, naming the nearest.
    """
    squeezed = {key.lower(): key for key in BY_NAME}
    key = squeezed.get(name.replace("-", "").replace("_", "").lower())
    if key is None:
        near = difflib.get_close_matches(name.lower(), squeezed, n=1)
        meant = f'; did you mean "{squeezed[near[0]]}"?' if near else ""
        raise NotFound(f'no model "{name}"{meant}', hint="one of " + ", ".join(BY_NAME))
    return BY_NAME[key]()


@dataclass
class _Run:
    """One comparison at work."""

    protocol: Protocol
    metrics: tuple[str, ...]
    show: Progress
    folder: Path | None  # where the protocol is packed, if memory is measured

    def judge(self, model: Model, rows: list[Row], task: Task, place: str) -> None:
        """Judge one model on all folds and add its row; what is shown as done is kept."""
        label = _label(model)
        with ExitStack() as stack:
            # On a pipe, one line a model; bars are drawn inside one another instead.
            line = stack.enter_context(self.show.task(label, 1)) if isinstance(self.show, Lines) else Task()
            task.step(0, f"{label}, {place}")
            judged = self._judge(model, lambda _: task.step())
            if judged.refused is not None:
                rows.append(self._refused(model, judged))
                line.step(note=f"refused: {judged.refused['message']}")
                task.step(len(self.protocol) - len(judged.figures))
                return
            rows.append(self._summary(model, judged))
            line.step(note=f"RMSE {rows[-1]['rmse']:.4g}")

    def _judge(self, model: Model, on_fold: Callable[[Figures], None]) -> Judged:
        inner = Progress() if isinstance(self.show, Lines) else self.show
        if self.folder is not None and BY_NAME.get(type(model).__name__) is type(model):
            return judge_apart(model, self.folder, self.metrics, inner, on_fold)
        judged = Judged()
        try:
            for fold in range(len(self.protocol)):
                train, test = self.protocol.parts(fold)
                judged.figures.append(judge(model, train, test, self.metrics, inner))
                on_fold(judged.figures[-1])
        except (ForetasteError, MemoryError) as error:
            judged.refused = refusal(error)
        return judged

    def _head(self, model: Model) -> Row:
        params = {name: _as_json(value) for name, value in params_as_json(model).items()}
        return {"model": type(model).__name__, "params": params, "python": repr(model)}

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


def _label(model: Model) -> str:
    return repr(model).removesuffix("()")


def _as_json(value: Any) -> Any:
    """Return a hyperparameter as JSON can hold it."""
    known = value is None or isinstance(value, bool | int | float | str | list)
    return value if known else repr(value)
