"""Rows of results as a report needs them: which models ran, their labels and their intervals."""

from __future__ import annotations

from typing import Any

from foretaste.evaluation import Results
from foretaste.report.html import MAX_CHARS, truncate

Row = dict[str, Any]


def evaluated_rows(results: Results) -> list[Row]:
    """Return the rows of the models that did not fail, best first."""
    return [row for row in results.rows if "error" not in row]


def model_label(row: Row) -> str:
    """Return the label of a row: the model, and the parameters that differ from their defaults."""
    return truncate(str(row["repr"]).removesuffix("()"), MAX_CHARS)


def rmse_interval(row: Row) -> tuple[float, float] | None:
    """Return the 95 % interval of a row's RMSE, else one standard deviation of the folds to either side."""
    interval = row.get("rmse_interval")
    if interval is not None:
        return float(interval[0]), float(interval[1])
    std = row.get("rmse_std")
    return None if std is None else (row["rmse"] - std, row["rmse"] + std)
