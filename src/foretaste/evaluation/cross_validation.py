"""One model on several folds, in the table that cross-validation is usually printed as."""

from __future__ import annotations

import html
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.formatting import html_table
from foretaste._utils.progress import Lines, Progress, progress_for
from foretaste.evaluation.comparison import label_of, one_model, params_of
from foretaste.evaluation.fit_and_score import Figures, Judgement, checked_metrics
from foretaste.evaluation.leakage import exact_rows, too_good
from foretaste.evaluation.parallel import judge_folds
from foretaste.evaluation.plan import Protocol, make_protocol
from foretaste.metrics.rating import METRICS
from foretaste.models import Model
from foretaste.splits import KFold
from foretaste.validation import as_ratings

log = logging.getLogger("foretaste")

_SECONDS = {"fit_seconds": "Fit time", "predict_seconds": "Test time"}


@dataclass(frozen=True, eq=False, repr=False)
class CrossValidation:
    """What came of ``cross_validate``: figures of each fold, their means and standard deviations.

    Parameters
    ----------
    model : str
        The model, as Python.
    params : dict
        Its hyperparameters.
    protocol : str
        Which rows were learned from and which judged by, in words.
    metrics : tuple of str
        What was measured, of ``foretaste.metrics.METRICS``.
    folds : tuple of dict
        One a fold: ``train_rmse``, each of the metrics, ``fit_seconds``, ``predict_seconds``,
        ``fallback_rows`` (how many judged rows named an unknown user or item), and ``mean_rmse``, the RMSE
        of always guessing the mean of the rows learned from.
    notes : tuple of str
        What there is to say beside.
    """

    model: str
    params: dict[str, Any]
    protocol: str
    metrics: tuple[str, ...]
    folds: tuple[Figures, ...]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.folds)

    @property
    def mean(self) -> dict[str, float]:
        """The mean of each figure over the folds."""
        return {key: float(np.mean([fold[key] for fold in self.folds])) for key in self.folds[0]}

    @property
    def std(self) -> dict[str, float]:
        """The standard deviation of each figure over the folds (over n)."""
        return {key: float(np.std([fold[key] for fold in self.folds])) for key in self.folds[0]}

    @property
    def sentence(self) -> str:
        """What the figures say, beside the baseline."""
        mean, std = self.mean, self.std
        gain = 100 * (1 - mean["rmse"] / mean["mean_rmse"]) if mean["mean_rmse"] else 0.0
        said = "better" if gain >= 0 else "worse"
        spread = f" +- {std['rmse']:.4f}" if len(self) > 1 else ""
        return (
            f"RMSE {mean['rmse']:.4f}{spread}: {abs(gain):.3g} % {said} than always guessing the mean "
            f"({mean['mean_rmse']:.4f})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        return {
            "model": self.model,
            "params": dict(self.params),
            "protocol": self.protocol,
            "folds": [dict(fold) for fold in self.folds],
            "mean": self.mean,
            "std": self.std,
            "notes": list(self.notes),
        }

    def to_frame(self) -> Any:
        """Return a polars frame, one row a fold, ``fold`` from 1 in front."""
        import polars as pl

        return pl.DataFrame([{"fold": number} | fold for number, fold in enumerate(self.folds, 1)])

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, rows of text and alignment, as they are shown."""
        headers = ["", *(f"Fold {number}" for number in range(1, len(self) + 1)), "Mean", "Std"]
        mean, std = self.mean, self.std
        rows = []
        for key in (*self.metrics, *_SECONDS):
            form = ".2f" if key in _SECONDS else ".4f"
            name = _SECONDS.get(key) or f"{METRICS[key].label} (testset)"
            values = [*(fold[key] for fold in self.folds), mean[key], std[key]]
            rows.append([name, *(format(value, form) for value in values)])
        return headers, rows, "l" + "r" * (len(self) + 2)

    @property
    def _head(self) -> str:
        measured = ", ".join(METRICS[name].label for name in self.metrics)
        return f"Evaluating {measured} of algorithm {self.model.removesuffix('()')} on {len(self)} split(s)."

    def __str__(self) -> str:
        headers, rows, _ = self.table()
        first = max(18, *(len(row[0]) + 2 for row in rows))
        width = max(8, *(len(cell) + 2 for row in [headers, *rows] for cell in row[1:]))
        lines = [
            row[0].ljust(first) + "".join(cell.ljust(width) for cell in row[1:]) for row in [headers, *rows]
        ]
        notes = (f"note: {note}" for note in self.notes)
        return "\n".join([self._head, "", *lines, "", self.sentence, f"protocol: {self.protocol}", *notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        said = [self.sentence, f"Protocol: {self.protocol}", *(f"Note: {note}" for note in self.notes)]
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in said)
        return f"<p>{html.escape(self._head)}</p>" + html_table(*self.table()) + lines


def cross_validate(
    model: str | Model,
    ratings: Any,
    folds: int = 5,
    metrics: Sequence[str] = ("rmse", "mae"),
    *,
    seed: int = 0,
    split: Any = None,
    warm_only: bool = False,
    threads: int | None = None,
    progress: bool | Progress = False,
) -> CrossValidation:
    """Fit a model on all folds but one and judge it by that one, for each fold in turn.

    Folds are judged side by side in threads, each fit with an equal share of the cores, so memory is needed
    for as many fits as there are cores. The figures are the same bits as those of one fold after another.
    The model is asked about pairs: ratings judged by never reach it.

    Parameters
    ----------
    model : str or Model
        A name of ``foretaste.models.BY_NAME``, or a model, which is left unfitted.
    ratings : Ratings, or a data frame with ratings
    folds : int
        How many parts the rows are cut into, at least 2; the folds of scikit-learn's
        ``KFold(folds, shuffle=True, random_state=seed)``.
    metrics : sequence of str
        Names of ``foretaste.metrics.METRICS``; RMSE is always among them.
    seed : int
        Chooses the folds.
    split : Split, optional
        Instead of ``KFold(folds, seed)``: ``ByTime(0.2)``, ``LeaveNOut(1)``, ``ColdUsers(0.2)``, or anything
        that scikit-learn takes as ``cv=`` and that has a method ``split``.
    warm_only : bool
        Judge only rows whose user and item are learned from.
    threads : int, optional
        How many in all; None is all cores, 1 one fold after another.
    progress : bool or Progress

    Raises
    ------
    NotFound
        If there is no model of this name.
    InvalidParameter
        If a hyperparameter, metric, split or number is not allowed.
    BadData
        If the ratings cannot be split or judged so, or a row is both learned from and judged by.
    """
    ratings = as_ratings(ratings)
    chosen = one_model(model)
    protocol = make_protocol(
        ratings, KFold(folds, seed) if split is None else split, None, warm_only=warm_only
    )
    wanted = checked_metrics(metrics, protocol)
    found: list[Figures] = []
    exact: list[int] = []
    label, show = label_of(chosen), progress_for(progress)
    with show.task(f"cross-validate {label}", len(protocol)) as task:

        def take(judgement: Judgement) -> None:
            exact.append(exact_rows(protocol.judged_values(len(found)), judgement.predicted))
            found.append(judgement.figures | {"mean_rmse": _mean_rmse(protocol, len(found))})
            task.step(note=f"fold {len(found)} of {len(protocol)}, RMSE {judgement.figures['rmse']:.4g}")

        inner = Progress() if isinstance(show, Lines) else show  # on a pipe, one line for all
        judge_folds(chosen, protocol, wanted, inner, take, threads)
    warning = too_good(label, exact)
    if warning is not None:
        log.warning(warning)
    notes = () if warning is None else (warning,)
    return CrossValidation(repr(chosen), params_of(chosen), protocol.words, wanted, tuple(found), notes)


def _mean_rmse(protocol: Protocol, fold: int) -> float:
    """Return the RMSE of always guessing the mean of the rows learned from."""
    train_rows, test_rows = protocol.rows[fold]
    value = protocol.ratings.value
    weight = None if protocol.ratings.weight is None else protocol.ratings.weight[train_rows]
    mean = np.average(value[train_rows].astype(np.float64), weights=weight)
    return float(np.sqrt(np.mean((value[test_rows] - mean) ** 2)))
