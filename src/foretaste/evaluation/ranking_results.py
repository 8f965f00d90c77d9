"""Result of a comparison of models by ranking metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import count_decimals, format_text_table
from foretaste._utils.html import notebook_html, notebook_table
from foretaste.evaluation.results import Row, dataset_size
from foretaste.metrics.registry import RANKING_METRICS

_LABEL_SUFFIXES = {"all": "", "test": " (test items)", "sampled": " (sampled)"}


@dataclass(frozen=True, eq=False, repr=False)
class RankingResults:
    """Result of ``evaluate_ranking``: one row per model, best first.

    Parameters
    ----------
    dataset : dict
        ``name`` and the values of ``Ratings.describe`` for the training set.
    protocol : str
        The evaluation protocol and the definition of relevance in one sentence.
    candidates : dict
        The ranked items: ``policy``, ``description``, and for sampled ones ``negatives`` and ``seed``.
    n : int
        Length of the lists.
    metrics : tuple of str
        Models are ordered by the first.
    rows : tuple of dict
        One per model: ``name``, ``model``, ``params``, ``repr``, each metric with ``..._low`` and
        ``..._high`` (95 % bootstrap interval over users; not for coverage and Gini, which describe all lists
        together), ``over_popularity`` (the first metric minus that of the popularity baseline; ``_low`` and
        ``_high`` by the same bootstrap samples), ``short_lists`` (fewer than n items), ``tied_lists`` (all
        predictions equal, so in order of ids), ``fit_seconds`` and ``rank_seconds``. Models that failed come
        last: ``error`` holds code, message and hint.
    notes : tuple of str
        Further remarks.
    interrupted : bool
        Whether the comparison was interrupted, so that models are missing.
    """

    dataset: dict[str, Any]
    protocol: str
    candidates: dict[str, Any]
    n: int
    metrics: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best_row(self) -> Row | None:
        """The row that is best by the first metric, or None if no model was evaluated."""
        return next((row for row in self.rows if row[self.metrics[0]] is not None), None)

    @property
    def popularity_row(self) -> Row | None:
        """The row of the popularity baseline, or None if it was not evaluated."""
        rows = (row for row in self.rows if is_baseline(row))
        return next((row for row in rows if row[self.metrics[0]] is not None), None)

    @property
    def headline(self) -> str:
        """One sentence: the best model, and whether it beats the popularity baseline."""
        best, popularity = self.best_row, self.popularity_row
        if best is None:
            return "No model was evaluated."
        main_metric = self.metrics[0]
        metric, fmt = self.metric_label(main_metric), _metric_format(main_metric)
        value = f"{best[main_metric]:{fmt}}"
        if f"{main_metric}_low" in best:
            value += f" (95 %: {best[f'{main_metric}_low']:{fmt}} to {best[f'{main_metric}_high']:{fmt}})"
        if popularity is None or popularity is best:
            verdict = (
                "No model is better than the most popular items" if popularity else f"{best['name']} is best"
            )
            return f"{verdict}: {metric} {value}."
        low, high = best.get("over_popularity_low", 0.0), best.get("over_popularity_high", 0.0)
        chance_note = "" if not low <= 0 <= high or low == high else "; that may be chance"
        return (
            f"{best['name']} is best: {metric} {value}; the most popular items: "
            f"{popularity[main_metric]:{fmt}}{chance_note}."
        )

    def metric_label(self, metric: str) -> str:
        """Return the label of a metric, with the candidates unless all items were ranked."""
        return RANKING_METRICS[metric].label.format(n=self.n) + _LABEL_SUFFIXES[self.candidates["policy"]]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict; after an interruption ``interrupted`` is there, and true."""
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "candidates": dict(self.candidates),
            "n": self.n,
            "metrics": {name: self.metric_label(name) for name in self.metrics},
            "results": [{**row, "candidates": self.candidates["policy"]} for row in self.rows],
            "notes": list(self.notes),
        }
        return data | ({"interrupted": True} if self.interrupted else {})

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, cells and column alignment (``l`` or ``r`` per column), formatted for display."""
        main_metric = self.metrics[0]
        evaluated_rows = [row for row in self.rows if "error" not in row]
        columns = [
            main_metric,
            *(["95 %"] if any(f"{main_metric}_low" in row for row in evaluated_rows) else []),
        ]
        columns += [*self.metrics[1:], "fit_seconds", "rank_seconds"]
        names = {"95 %": "95 %", "fit_seconds": "fit s", "rank_seconds": "rank s"}
        headers = ["model", *(names.get(key) or self.metric_label(key) for key in columns)]
        rows = []
        for row in self.rows:
            if "error" in row:
                rows.append([row["name"], f"failed: {row['error']['message']}"])
            else:
                rows.append(
                    [row["name"], *(_format_cell(row, key, main_metric, evaluated_rows) for key in columns)]
                )
        return headers, rows, "l" + "r" * len(columns)

    @property
    def summary_lines(self) -> tuple[str, ...]:
        """The lines between the headline and the table: training set, protocol and candidates."""
        return (
            f"training data: {dataset_size(self.dataset)}",
            f"protocol: {self.protocol}",
            f"candidates: {self.candidates['description']}",
        )

    def __str__(self) -> str:
        lines = [self.headline, *self.summary_lines, "", format_text_table(*self.table())]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        paragraphs = [self.headline, *self.summary_lines, *(f"note: {note}" for note in self.notes)]
        return notebook_html(*paragraphs, notebook_table(*self.table()))


def is_baseline(row: Row) -> bool:
    """Return whether a row is the popularity baseline, evaluated without error."""
    return row["model"] == "Popularity" and row["params"]["rank_by"] == "count" and "error" not in row


def _format_cell(row: Row, key: str, main_metric: str, evaluated_rows: list[Row]) -> str:
    if key == "95 %":
        bounds = row.get(f"{main_metric}_low"), row.get(f"{main_metric}_high")
        return (
            "-"
            if bounds[0] is None
            else f"{bounds[0]:{_metric_format(main_metric)}} to {bounds[1]:{_metric_format(main_metric)}}"
        )
    if row.get(key) is None:
        return "-"
    if key.endswith("seconds"):
        return f"{row[key]:.{min(3, count_decimals((r[key] for r in evaluated_rows), 3))}f}"
    return f"{row[key]:{_metric_format(key)}}"


def _metric_format(metric: str) -> str:
    return ".2f" if metric == "novelty" else ".4f"
