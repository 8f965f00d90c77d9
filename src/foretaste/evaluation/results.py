"""The table that a comparison ends in."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

from foretaste.metrics import METRICS
from foretaste.text import decimals_for, html_table, text_table

Row = dict[str, Any]

BASELINE = "GlobalMean"


@dataclass(frozen=True, eq=False, repr=False)
class Results:
    """What came of a comparison: a plain table, best first.

    Parameters
    ----------
    dataset : dict
        ``name`` and the figures of ``Ratings.describe``.
    protocol : str
        Which rows were learned from and which judged by, in words.
    rows : tuple of dict
        One a model, by RMSE: ``model``, ``params``, ``python`` (what makes it again), ``train_rmse``,
        ``rmse`` and the other metrics in rating units, ``fit_seconds``, ``predict_seconds``,
        ``fallback_rows``; where memory was measured ``data_memory_mb`` (the process before fitting) and
        ``peak_memory_mb`` (10**6 bytes); with several folds ``..._std`` and ``folds``. The last rows may
        be models that refused: their figures are None and ``refused`` says why.
    notes : tuple of str
        What there is to say beside.
    stopped : bool
        Whether it was interrupted, so that models are missing.
    """

    dataset: dict[str, Any]
    protocol: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    stopped: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best(self) -> Row | None:
        """The row with the lowest RMSE, or None if no model was judged."""
        return next((row for row in self.rows if "refused" not in row), None)

    @property
    def baseline(self) -> Row | None:
        """The row of always guessing the mean, or None if it was not judged."""
        return next((row for row in self.rows if row["model"] == BASELINE and "refused" not in row), None)

    @property
    def headline(self) -> str:
        """One sentence: which model is best, and by how much better than guessing the mean."""
        best, baseline = self.best, self.baseline
        if best is None:
            return "No model was judged."
        if baseline is None:
            return f"{label(best)} has the lowest RMSE, {best['rmse']:.4g}; the baseline was not judged."
        form = _format("rmse", [row for row in self.rows if "refused" not in row])
        mean = f"{baseline['rmse']:{form}}"
        if best["rmse"] >= baseline["rmse"]:
            return f"No model is better than always guessing the mean: RMSE {mean}."
        gain = 100 * (1 - best["rmse"] / baseline["rmse"])
        return (
            f"{label(best)} is best: RMSE {_with_spread(best, 'rmse', form)}, {gain:.3g} % better than "
            f"always guessing the mean ({mean})."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return ``dataset``, ``protocol`` and ``results`` (the rows) as JSON can hold them.

        ``stopped`` is there, and true, if the comparison was interrupted.
        """
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "results": [dict(r) for r in self.rows],
        }
        return data | ({"stopped": True} if self.stopped else {})

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, rows of text and alignment (``l`` or ``r`` a column), as they are shown."""
        judged = [row for row in self.rows if "refused" not in row]
        keys = [key for key in dict.fromkeys(key for row in judged for key in row) if _shown(key)]
        formats = {key: _format(key, judged) for key in keys}
        headers = ["model", *(_header(key) for key in keys)]
        rows = []
        for row in self.rows:
            if "refused" in row:
                rows.append([label(row), f"refused: {row['refused']['message']}"])
            else:
                rows.append([label(row), *(_with_spread(row, key, formats[key]) for key in keys)])
        return (headers if keys else ["model", ""]), rows, "l" + "r" * max(1, len(keys))

    @property
    def about(self) -> str:
        """One line about the ratings."""
        d = self.dataset
        facts = f"{d['name']}: {d['ratings']:,} ratings, {d['users']:,} users x {d['items']:,} items"
        return facts + (f", {100 * d['filled']:.3g} % filled, mean {d['mean']:.4g}" if d["ratings"] else "")

    def __str__(self) -> str:
        lines = [self.headline, f"data: {self.about}", f"protocol: {self.protocol}", ""]
        lines.append(text_table(*self.table()))
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        said = [self.headline, f"Data: {self.about}", f"Protocol: {self.protocol}"]
        said += [f"Note: {note}" for note in self.notes]
        return "".join(f"<p>{html.escape(line)}</p>" for line in said) + html_table(*self.table())


def label(row: Row) -> str:
    """Return what a row is called: the model, and the parameters that differ from its defaults."""
    return str(row["python"]).removesuffix("()")


def _shown(key: str) -> bool:
    return key not in ("model", "params", "python", "folds", "data_memory_mb") and not key.endswith("_std")


def _header(key: str) -> str:
    names = {"train_rmse": "train RMSE", "fit_seconds": "fit s", "predict_seconds": "predict s"}
    names |= {"peak_memory_mb": "peak MB", "fallback_rows": "fallback rows"}
    return METRICS[key].label if key in METRICS else names[key]


def _format(key: str, judged: list[Row]) -> str:
    """Return how the figures of a column are written, so that their decimal points stand in one line."""
    if key == "fallback_rows":
        return ",d"
    if key == "peak_memory_mb":
        return ",.0f"
    errors = [row[name] for row in judged for name in row if name == "train_rmse" or name == "rmse"]
    if key in ("train_rmse", "rmse"):
        return f".{decimals_for(errors)}f"
    values = [row[key] for row in judged if key in row]
    if key.endswith("seconds"):
        return f".{min(3, decimals_for(values, 3))}f"  # below a millisecond it says nothing
    return f".{decimals_for(values)}f"


def _with_spread(row: Row, key: str, form: str) -> str:
    if row.get(key) is None:
        return "-"
    spread = row.get(f"{key}_std")
    if spread is None or key.endswith("seconds"):
        return format(row[key], form)
    return f"{row[key]:{form}} +- {spread:{form}}"
