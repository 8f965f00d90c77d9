"""What a search for the best setting ends in."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste._utils.formatting import decimals_for, html_table, plural, text_table
from foretaste.evaluation.results import Results
from foretaste.evaluation.tuning.study import COMPLETE, PRUNED, REFUSED
from foretaste.metrics.rating import METRICS
from foretaste.models import Model

Row = dict[str, Any]
Drawing = tuple[list[str], list[list[str]], str]

_SHOWN = 10  # rows of the table; all trials are in ``trials``


@dataclass(frozen=True, eq=False, repr=False)
class Tuned:
    """What came of a search; ``model`` is what it was made for.

    Parameters
    ----------
    model : Model
        The best setting, not fitted; its ``repr`` is the Python that makes it.
    given : Model
        The model that the search began with.
    metric : str
        What was searched by, one of ``foretaste.metrics.METRICS``.
    dataset : dict
        ``name`` and the figures of ``Ratings.describe``.
    protocol : str
        Which rows were learned from and which judged by, in words.
    trials : tuple of dict
        All trials in their order: ``trial`` (0 is the model as given), ``params``, ``python``, ``state``
        (complete, pruned, refused), the metric by its name (the mean of the folds that were judged) with
        ``..._std``, ``folds`` (the score of each) and ``seconds``; ``reason`` where it was refused.
    nested : dict or None
        What the search is worth, on outer folds that took no part in it: ``protocol``, the metric with
        ``..._std``, ``given`` with ``given_std`` for the model as given, and ``folds``: for each the
        ``python`` of the setting found, its ``inner`` score, its ``outer`` one, and ``given``.
    seconds : float
        What the search took, earlier calls with the same study file included.
    notes : tuple of str
        What there is to say beside.
    stopped : bool
        Whether it was interrupted.
    """

    model: Model
    given: Model
    metric: str
    dataset: dict[str, Any]
    protocol: str
    trials: tuple[Row, ...]
    nested: dict[str, Any] | None
    seconds: float
    notes: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def best(self) -> Row:
        """The trial of the best score, the first of several."""
        sign = -1 if METRICS[self.metric].greater_is_better else 1
        return min(self._complete, key=lambda row: (sign * row[self.metric], row["trial"]))

    @property
    def score(self) -> float:
        """The best score: the mean over the folds by which it was chosen, and so too good to be true."""
        return float(self.best[self.metric])

    @property
    def nested_score(self) -> float | None:
        """The score to report: the mean over the outer folds; None if there were none."""
        return None if self.nested is None else float(self.nested[self.metric])

    @property
    def headline(self) -> str:
        """One sentence: which setting is best, its score, and how the model as given compares."""
        best, first = self.best, self.trials[0]
        name = f"The model as given, {best['python']}," if best is first else best["python"]
        said = f"{name} is the best of {plural(len(self.trials), 'setting')}: {self._label} "
        said += self._figure(best[self.metric], best.get(f"{self.metric}_std"))
        if best is first or first["state"] != COMPLETE:
            return said + "."
        return said + self._beside(best["folds"], first["folds"], first["python"]) + "."

    @property
    def caution(self) -> str:
        """One or two sentences: what the best score is worth."""
        said = (
            f"The best inner score is chosen among {plural(len(self.trials), 'trial')} "
            "and therefore optimistic; "
        )
        if self.nested is None:
            return said + "no rows were kept apart to judge the search by (keep some: outer=5)."
        folds = self.nested["folds"]
        ours, given = ([fold[name] for fold in folds] for name in ("outer", "given"))
        return (
            said + f"judged on outer folds that took no part: {self._label} "
            f"{self._figure(self.nested[self.metric], self.nested.get(f'{self.metric}_std'))}"
            f"{self._beside(ours, given, repr(self.given))}."
        )

    def _beside(self, ours: Sequence[float], given: Sequence[float], name: str) -> str:
        """Say how scores compare with those of the model as given on the same folds."""
        sign = 1 if METRICS[self.metric].greater_is_better else -1
        gains = sign * (np.array(ours) - np.array(given))
        mean = float(gains.mean())
        word = "better" if mean >= 0 else "worse"
        spread = float(gains.std()) if len(gains) > 1 else None
        count = f", better in {int((gains > 0).sum())} of {len(gains)} folds" if len(gains) > 1 else ""
        there = f"{float(np.mean(given)):{self._form}}"
        return f", {self._figure(abs(mean), spread)} {word} than {name} ({there}){count}"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON can hold it."""
        best = self.best
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "metric": self.metric,
            "best": dict(best),
            "trials": [dict(row) for row in self.trials],
            "nested": None if self.nested is None else dict(self.nested),
            "seconds": self.seconds,
        }
        return data | ({"stopped": True} if self.stopped else {})

    def table(self, rows: int = _SHOWN) -> Drawing:
        """Return headers, rows of text and alignment of the best trials, and of the model as given.

        Parameters
        ----------
        rows : int
            How many trials at most, the model as given beside.
        """
        sign = -1 if METRICS[self.metric].greater_is_better else 1
        ranked = sorted(self._complete, key=lambda row: (sign * row[self.metric], row["trial"]))
        shown = ranked[:rows]
        if self.trials[0] not in shown:
            shown.append(self.trials[0])
        names = list(self.trials[0]["params"])
        headers = ["trial", *names, self._label, "seconds"]
        lines = [
            [
                "0, as given" if row["trial"] == 0 else str(row["trial"]),
                *(_value(row["params"][name]) for name in names),
                self._figure(row[self.metric], row.get(f"{self.metric}_std"))
                if row["state"] == COMPLETE
                else row["state"],
                f"{row['seconds']:.2f}",
            ]
            for row in shown
        ]
        return headers, lines, "l" + "r" * (len(headers) - 1)

    def nested_table(self) -> Drawing | None:
        """Return headers, rows of text and alignment of the outer folds, or None if there were none."""
        if self.nested is None:
            return None
        headers = [
            "outer fold",
            "found without it",
            f"inner {self._label}",
            f"outer {self._label}",
            "as given",
        ]
        lines = [
            [
                str(place),
                fold["python"],
                *(f"{fold[name]:{self._form}}" for name in ("inner", "outer", "given")),
            ]
            for place, fold in enumerate(self.nested["folds"], 1)
        ]
        return headers, lines, "llrrr"

    @property
    def rest(self) -> str:
        """One line: what became of all trials, and how long that took."""
        states = [row["state"] for row in self.trials]
        said = f"{plural(len(states), 'trial')}: {states.count(COMPLETE)} judged on all folds"
        said += f", {states.count(PRUNED)} dropped early" if PRUNED in states else ""
        said += f", {states.count(REFUSED)} refused" if REFUSED in states else ""
        searches = len(self.nested["folds"]) if self.nested else 0
        more = f" (with those of {plural(searches, 'outer fold')})" if searches else ""
        return f"{said}; {self.seconds:.1f} s in all{more}"

    @property
    def about(self) -> str:
        """One line about the ratings."""
        return Results(self.dataset, self.protocol, ()).about

    @property
    def _said(self) -> list[str]:
        said = [self.headline, self.caution, f"data: {self.about}", f"protocol: {self.protocol}"]
        return said + ([f"outer: {self.nested['protocol']}"] if self.nested else [])

    def __str__(self) -> str:
        nested = self.nested_table()
        parts = ["\n".join(self._said), text_table(*self.table()), self.rest]
        parts += [text_table(*nested)] if nested else []
        return "\n\n".join(parts) + "".join(f"\nnote: {note}" for note in self.notes)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        nested = self.nested_table()
        said = "".join(f"<p>{html.escape(line)}</p>" for line in self._said)
        said += html_table(*self.table()) + f"<p>{html.escape(self.rest)}</p>"
        said += html_table(*nested) if nested else ""
        return said + "".join(f"<p>Note: {html.escape(note)}</p>" for note in self.notes)

    @property
    def _complete(self) -> list[Row]:
        return [row for row in self.trials if row["state"] == COMPLETE]

    @property
    def _label(self) -> str:
        return METRICS[self.metric].label

    @property
    def _form(self) -> str:
        scores = [row[self.metric] for row in self._complete]
        return f".{decimals_for(scores)}f"

    def _figure(self, mean: float, spread: float | None) -> str:
        return f"{mean:{self._form}}" + ("" if spread is None else f" +- {spread:{self._form}}")


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
