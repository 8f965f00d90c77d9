"""The table that a comparison ends in."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretaste._utils.formatting import decimal_places, format_count, format_html_table, format_text_table
from foretaste._utils.plotting import PlotMixin
from foretaste.errors import NotFoundError, did_you_mean
from foretaste.metrics.registry import METRICS

if TYPE_CHECKING:
    from foretaste.evaluation.error_breakdown import Breakdown
    from foretaste.evaluation.prediction_store import PredictionStore

Row = dict[str, Any]

BASELINE = "GlobalMean"
MIN_USERS = 20  # judged in each fold, for intervals
_ERROR_COLUMNS = ("train_rmse", "rmse", "rmse_per_user", "mae")  # in rating units, so written alike


@dataclass(frozen=True, eq=False, repr=False)
class Results(PlotMixin):
    """What came of a comparison: a plain table, best first.

    Parameters
    ----------
    dataset : dict
        ``name`` and the figures of ``Ratings.describe``.
    protocol : str
        Which rows were learned from and which judged by, in words.
    rows : tuple of dict
        One a model, by RMSE: ``model``, ``params``, ``repr`` (what makes it again), ``train_rmse``,
        ``rmse`` and the other metrics in rating units, ``fit_seconds``, ``predict_seconds``,
        ``fallback_rows``; where memory was measured ``data_memory_mb`` (the process before fitting) and
        ``peak_memory_mb`` (10**6 bytes); with several folds ``..._std`` and ``folds``. Where enough users
        were judged ``rmse_interval`` (low, high), and but for the best ``behind``: how much larger the RMSE
        is than that of the best (``rmse``), the ``rmse_interval`` of that, and ``p`` of a paired test. Intervals
        are of 95 %, by resampling users. The last rows may be models that refused: their figures are None
        and ``refused`` says why.
    notes : tuple of str
        What there is to say beside.
    interrupted : bool
        Whether it was interrupted, so that models are missing.
    n_test_users : int
        How many users have ratings that were judged.
    predictions : Kept, optional
        The predictions, for ``breakdown``.
    """

    dataset: dict[str, Any]
    protocol: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    interrupted: bool = False
    n_test_users: int = 0
    predictions: PredictionStore | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def best_row(self) -> Row | None:
        """The row with the lowest RMSE, or None if no model was judged."""
        return next((row for row in self.rows if "error" not in row), None)

    @property
    def baseline_row(self) -> Row | None:
        """The row of always guessing the mean, or None if it was not judged."""
        return next((row for row in self.rows if row["model"] == BASELINE and "error" not in row), None)

    @property
    def headline(self) -> str:
        """One sentence: which model is best, and by how much better than guessing the mean."""
        best, baseline = self.best_row, self.baseline_row
        if best is None:
            return "No model was judged."
        if baseline is None:
            return (
                f"{result_label(best)} has the lowest RMSE, {best['rmse']:.4g}; the baseline was not judged."
            )
        fmt = _number_format("rmse", [row for row in self.rows if "error" not in row])
        mean = f"{baseline['rmse']:{fmt}}"
        if best["rmse"] >= baseline["rmse"]:
            return f"No model is better than always guessing the mean: RMSE {mean}."
        gain = 100 * (1 - best["rmse"] / baseline["rmse"])
        return (
            f"{result_label(best)} is best: RMSE {_format_with_std(best, 'rmse', fmt)}, {gain:.3g} % better than "
            f"always guessing the mean ({mean})."
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the figures say: what is best, how sure that is, what is as good, what is of no use."""
        evaluated_rows = [row for row in self.rows if "error" not in row]
        if not evaluated_rows:
            return (self.headline,)
        fmt = _number_format("rmse", evaluated_rows)
        sentences = [self.headline, self._interval_sentence(evaluated_rows[0], fmt)]
        not_significant = [
            row
            for row in evaluated_rows[1:]
            if "gap_to_best" in row and row["gap_to_best"]["interval"][0] <= 0
        ]
        if not_significant:
            listing = "; ".join(
                f"{result_label(row)} ({_format_gap(row, fmt)[1]})" for row in not_significant
            )
            sentences.append(
                f"No difference to it that these rows can tell (95 % interval of the difference): {listing}."
            )
        runner_up = next(
            (row for row in evaluated_rows[1:] if "gap_to_best" in row and row not in not_significant), None
        )
        if runner_up is not None:
            difference, interval = _format_gap(runner_up, fmt)
            sentences.append(
                f"{result_label(runner_up)} is {'worse' if not_significant else 'next, worse'} by {difference} "
                f"(95 % interval {interval})."
            )
        return (*sentences, *self._no_better_than_mean(evaluated_rows))

    def _interval_sentence(self, best: Row, fmt: str) -> str:
        if "rmse_interval" not in best:
            return (
                f"How sure this is cannot be said: {format_count(self.n_test_users, 'user')} judged, and it takes "
                f"{MIN_USERS} in each fold."
            )
        return (
            f"The 95 % interval of the lowest RMSE is {_format_interval(best['rmse_interval'], fmt)}, by drawing "
            f"the {self.n_test_users:,} users judged anew."
        )

    def _no_better_than_mean(self, evaluated_rows: list[Row]) -> list[str]:
        """Name the models that are not better than guessing the mean, if the best is."""
        mean = self.baseline_row
        if mean is None or evaluated_rows[0]["rmse"] >= mean["rmse"]:
            return []
        names = [
            result_label(row) for row in evaluated_rows if row["rmse"] >= mean["rmse"] and row is not mean
        ]
        return [f"Not better than always guessing the mean: {', '.join(names)}."] if names else []

    def breakdown(self, model: str | None = None) -> Breakdown:
        """Take the error of one model apart: cold to warm, by rating, by time, and calibration.

        Parameters
        ----------
        model : str, optional
            As it is called in the table: ``"SVD"`` or ``"SVD(factors=20)"``. Default: the best.

        Raises
        ------
        NotFoundError
            If no model of this name was judged, or its predictions were not kept.
        """
        evaluated_rows = {result_label(row): row for row in reversed(self.rows) if "error" not in row}
        if self.predictions is None or self.best_row is None:
            raise NotFoundError("no model was judged, so there is no error to take apart")
        name = result_label(self.best_row) if model is None else model.removesuffix("()")
        if name not in evaluated_rows:
            raise NotFoundError(
                f'no model "{name}" was judged{did_you_mean(name, evaluated_rows)}',
                hint="one of " + ", ".join(evaluated_rows),
            )
        return self.predictions.breakdown(evaluated_rows[name]["repr"], name)

    def to_dict(self) -> dict[str, Any]:
        """Return ``dataset``, ``protocol``, ``sentences`` and ``results`` (the rows) as JSON can hold them.

        ``interrupted`` is there, and true, if the comparison was interrupted.
        """
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "sentences": list(self.sentences),
            "results": [dict(r) for r in self.rows],
        }
        return data | ({"interrupted": True} if self.interrupted else {})

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, rows of text and alignment (``l`` or ``r`` a column), as they are shown."""
        evaluated_rows = [row for row in self.rows if "error" not in row]
        keys = [
            key for key in dict.fromkeys(key for row in evaluated_rows for key in row) if _is_displayed(key)
        ]
        formats = {key: _number_format(key, evaluated_rows) for key in keys}
        headers = ["model", *(_column_header(key) for key in keys)]
        rows = []
        for row in self.rows:
            if "error" in row:
                rows.append([result_label(row), f"failed: {row['error']['message']}"])
            else:
                rows.append([result_label(row), *(_format_with_std(row, key, formats[key]) for key in keys)])
        return (headers if keys else ["model", ""]), rows, "l" + "r" * max(1, len(keys))

    @property
    def dataset_summary(self) -> str:
        """One line about the ratings."""
        d = self.dataset
        text = f"{d['name']}: {d['ratings']:,} ratings, {d['users']:,} users x {d['items']:,} items"
        return text + (f", density {100 * d['density']:.3g} %, mean {d['mean']:.4g}" if d["ratings"] else "")

    def __str__(self) -> str:
        lines = [*self.sentences, f"data: {self.dataset_summary}", f"protocol: {self.protocol}", ""]
        lines.append(format_text_table(*self.table()))
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        paragraphs = [*self.sentences, f"Data: {self.dataset_summary}", f"Protocol: {self.protocol}"]
        paragraphs += [f"Note: {note}" for note in self.notes]
        return "".join(f"<p>{html.escape(line)}</p>" for line in paragraphs) + format_html_table(
            *self.table()
        )


def result_label(row: Row) -> str:
    """Return what a row is called: the model, and the parameters that differ from its defaults."""
    return str(row["repr"]).removesuffix("()")


_HIDDEN_COLUMNS = ("model", "params", "repr", "folds", "data_memory_mb", "rmse_interval", "gap_to_best")


def _is_displayed(key: str) -> bool:
    return key not in _HIDDEN_COLUMNS and not key.endswith("_std")


def _format_gap(row: Row, fmt: str) -> tuple[str, str]:
    """Return how far a row is behind the best, and the interval of that; small ones with more decimals."""
    interval = row["gap_to_best"]["interval"]
    fmt = max(fmt, f".{decimal_places(interval, 2)}f")
    return f"{row['gap_to_best']['rmse']:{fmt}}", _format_interval(interval, fmt)


def _format_interval(interval: list[float], fmt: str) -> str:
    return f"{interval[0]:{fmt}} to {interval[1]:{fmt}}"


def _column_header(key: str) -> str:
    names = {"train_rmse": "train RMSE", "fit_seconds": "fit s", "predict_seconds": "predict s"}
    names |= {"peak_memory_mb": "peak MB", "fallback_rows": "fallback rows"}
    return METRICS[key].label if key in METRICS else names[key]


def _number_format(key: str, evaluated_rows: list[Row]) -> str:
    """Return how the figures of a column are written, so that their decimal points stand in one line."""
    if key == "fallback_rows":
        return ",d"
    if key == "peak_memory_mb":
        return ",.0f"
    if key in _ERROR_COLUMNS:
        return f".{decimal_places(row[name] for row in evaluated_rows for name in _ERROR_COLUMNS if name in row)}f"
    values = [row[key] for row in evaluated_rows if key in row]
    if key.endswith("seconds"):
        return f".{min(3, decimal_places(values, 3))}f"  # below a millisecond it says nothing
    return f".{decimal_places(values)}f"


def _format_with_std(row: Row, key: str, fmt: str) -> str:
    if row.get(key) is None:
        return "-"
    std = row.get(f"{key}_std")
    if std is None or key.endswith("seconds"):
        return format(row[key], fmt)
    return f"{row[key]:{fmt}} +- {std:{fmt}}"
