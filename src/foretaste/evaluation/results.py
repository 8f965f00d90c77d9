"""Result of a comparison of models, and the predictions stored for analyses that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import count_decimals, format_count, format_text_table
from foretaste._utils.html import notebook_html, notebook_table
from foretaste._utils.plotting import PlotMixin
from foretaste.errors import NotFoundError
from foretaste.evaluation.error_breakdown import Breakdown, breakdown_from_plan
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.metrics.registry import METRICS
from foretaste.typing import Float32Array

Row = dict[str, Any]

BASELINE = "GlobalMean"
MIN_USERS = 20  # test users needed in each fold for confidence intervals
_ERROR_COLUMNS = ("train_rmse", "rmse", "rmse_per_user", "mae")  # in rating units, so formatted alike


class PredictionStore:
    """Stores predictions as float32 (4 bytes per test row and model) up to a memory limit.

    Above ``max_bytes`` the predictions of the worst models are dropped; those of the best are always there.
    """

    def __init__(self, plan: EvaluationPlan, max_bytes: int = 256_000_000) -> None:
        self.plan, self.max_bytes = plan, max_bytes
        self.predictions: dict[str, tuple[float, list[Float32Array]]] = {}

    @property
    def nbytes(self) -> int:
        """Number of bytes stored."""
        return sum(part.nbytes for _, parts in self.predictions.values() for part in parts)

    def add(self, name: str, rmse: float, predictions: Sequence[Float32Array]) -> None:
        """Store the predictions of one model, one array per fold."""
        self.predictions[name] = rmse, list(predictions)
        while self.nbytes > self.max_bytes and len(self.predictions) > 1:
            del self.predictions[max(self.predictions, key=lambda key: self.predictions[key][0])]

    def breakdown(self, name: str, label: str) -> Breakdown:
        """Break the error of one model down.

        Raises
        ------
        NotFoundError
            If its predictions were dropped.
        """
        if name not in self.predictions:
            raise NotFoundError(
                f"the predictions of {label} were dropped: those of better models filled "
                f"{self.max_bytes / 1e6:,.0f} MB",
                hint=f"compare(ratings, [{name}]).breakdown()",
            )
        return breakdown_from_plan(self.plan, self.predictions[name][1], label)


@dataclass(frozen=True, eq=False, repr=False)
class Results(PlotMixin):
    """Result of ``compare``: one row per model, best first.

    Parameters
    ----------
    dataset : dict
        ``name`` and the values of ``Ratings.describe``.
    protocol : str
        The evaluation protocol in one sentence.
    rows : tuple of dict
        One per model, ordered by RMSE: ``model``, ``params``, ``repr`` (Python that builds it),
        ``train_rmse``, ``rmse`` and the other metrics, ``fit_seconds``, ``predict_seconds``,
        ``fallback_rows``; if memory was measured ``peak_memory_mb`` (by how much it rose at its peak, in
        10**6 bytes; the most of all folds); with several folds ``..._std`` and ``folds``. With enough test
        users ``rmse_interval`` (low, high) and, except for the best model, ``gap_to_best``: the difference to
        its RMSE (``rmse``), the ``interval`` of that, and ``p`` of a paired t-test. Intervals are 95 %
        bootstrap intervals over users. Models that failed come last: their metrics are None, and ``error``
        holds code, message and hint.
    notes : tuple of str
        Further remarks.
    interrupted : bool
        Whether the comparison was interrupted, so that models are missing.
    n_test_users : int
        Number of users with test rows.
    predictions : PredictionStore, optional
        The test-set predictions, for ``breakdown``.
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
        """The row with the lowest RMSE, or None if no model was evaluated."""
        return next((row for row in self.rows if "error" not in row), None)

    @property
    def baseline_row(self) -> Row | None:
        """The row of ``GlobalMean``, or None if it was not evaluated."""
        return next((row for row in self.rows if row["model"] == BASELINE and "error" not in row), None)

    @property
    def headline(self) -> str:
        """One sentence: the best model, and by how much it is better than the baseline."""
        best, baseline = self.best_row, self.baseline_row
        if best is None:
            return "No model was evaluated."
        if baseline is None:
            return (
                f"{result_label(best)} has the lowest RMSE, {best['rmse']:.4g}; "
                "the baseline was not evaluated."
            )
        fmt = _number_format("rmse", [row for row in self.rows if "error" not in row])
        mean = f"{baseline['rmse']:{fmt}}"
        if best["rmse"] >= baseline["rmse"]:
            return f"No model is better than always guessing the mean: RMSE {mean}."
        gain = 100 * (1 - best["rmse"] / baseline["rmse"])
        return (
            f"{result_label(best)} is best: RMSE {_format_with_std(best, 'rmse', fmt)}, {gain:.3g} % better "
            f"than always guessing the mean ({mean})."
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """The findings: which model is best, how certain that is, which are as good, which are of no use."""
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
                f"Not significantly different from it (95 % interval of the difference): {listing}."
            )
        runner_up = next(
            (row for row in evaluated_rows[1:] if "gap_to_best" in row and row not in not_significant), None
        )
        if runner_up is not None:
            difference, interval = _format_gap(runner_up, fmt)
            sentences.append(
                f"{'Next' if not_significant else 'Runner-up'}: {result_label(runner_up)}, worse by "
                f"{difference} (95 % interval {interval})."
            )
        return (*sentences, *self._no_better_than_mean(evaluated_rows))

    def _interval_sentence(self, best: Row, fmt: str) -> str:
        if "rmse_interval" not in best:
            return (
                f"No confidence interval: {format_count(self.n_test_users, 'test user')}, and it takes "
                f"{MIN_USERS} in each fold."
            )
        return (
            f"95 % confidence interval of the best RMSE: {_format_interval(best['rmse_interval'], fmt)} "
            f"(bootstrap over the {self.n_test_users:,} test users)."
        )

    def _no_better_than_mean(self, evaluated_rows: list[Row]) -> list[str]:
        """Return a sentence naming the models that are no better than the baseline, if the best is."""
        mean = self.baseline_row
        if mean is None or evaluated_rows[0]["rmse"] >= mean["rmse"]:
            return []
        names = [
            result_label(row) for row in evaluated_rows if row["rmse"] >= mean["rmse"] and row is not mean
        ]
        return [f"No better than always guessing the mean: {', '.join(names)}."] if names else []

    def breakdown(self, model: str | None = None) -> Breakdown:
        """Break the error of one model down by training support, rating, time and predicted value.

        Parameters
        ----------
        model : str, optional
            Its label in the table: ``"SVD"`` or ``"SVD(factors=20)"``. Default: the best model.

        Raises
        ------
        NotFoundError
            If no model of this label was evaluated, or its predictions were dropped.
        """
        evaluated_rows = {result_label(row): row for row in reversed(self.rows) if "error" not in row}
        if self.predictions is None or self.best_row is None:
            raise NotFoundError("no model was evaluated, so there is no error to break down")
        name = result_label(self.best_row) if model is None else model.removesuffix("()")
        if name not in evaluated_rows:
            raise NotFoundError(
                f'no model "{name}" was evaluated',
                misspelled=(name, evaluated_rows),
                hint="one of " + ", ".join(evaluated_rows),
            )
        return self.predictions.breakdown(evaluated_rows[name]["repr"], name)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-serializable dict: ``dataset``, ``protocol``, ``sentences``, ``results`` (the rows).

        After an interruption ``interrupted`` is there, and true.
        """
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "sentences": list(self.sentences),
            "results": [dict(r) for r in self.rows],
        }
        return data | ({"interrupted": True} if self.interrupted else {})

    def table(self) -> tuple[list[str], list[list[str]], str]:
        """Return headers, cells and column alignment (``l`` or ``r`` per column), formatted for display."""
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
        return describe_dataset(self.dataset)

    def __str__(self) -> str:
        lines = [*self.sentences, f"data: {self.dataset_summary}", f"protocol: {self.protocol}", ""]
        lines.append(format_text_table(*self.table()))
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        paragraphs = [*self.sentences, f"Data: {self.dataset_summary}", f"Protocol: {self.protocol}"]
        paragraphs += [f"Note: {note}" for note in self.notes]
        return notebook_html(*paragraphs, notebook_table(*self.table()))


def dataset_size(dataset: dict[str, Any]) -> str:
    """Return name and size of a dataset in words, given ``name`` and the values of ``Ratings.describe``."""
    n_ratings, n_users, n_items = (dataset[key] for key in ("ratings", "users", "items"))
    return f"{dataset['name']}: {n_ratings:,} ratings, {n_users:,} users x {n_items:,} items"


def describe_dataset(dataset: dict[str, Any]) -> str:
    """Return a dataset in words: name, size, density and mean."""
    if not dataset["ratings"]:
        return dataset_size(dataset)
    density, mean = dataset["density"], dataset["mean"]
    return f"{dataset_size(dataset)}, density {100 * density:.3g} %, mean {mean:.4g}"


def result_label(row: Row) -> str:
    """Return the label of a row: the model and the parameters that differ from their defaults."""
    return str(row["repr"]).removesuffix("()")


_HIDDEN_COLUMNS = ("model", "params", "repr", "folds", "rmse_interval", "gap_to_best")


def _is_displayed(key: str) -> bool:
    return key not in _HIDDEN_COLUMNS and not key.endswith("_std")


def _format_gap(row: Row, fmt: str) -> tuple[str, str]:
    """Return the gap to the best model and its interval; small ones with more decimals."""
    interval = row["gap_to_best"]["interval"]
    fmt = max(fmt, f".{count_decimals(interval, 2)}f")
    return f"{row['gap_to_best']['rmse']:{fmt}}", _format_interval(interval, fmt)


def _format_interval(interval: list[float], fmt: str) -> str:
    return f"{interval[0]:{fmt}} to {interval[1]:{fmt}}"


def _column_header(key: str) -> str:
    names = {"train_rmse": "train RMSE", "fit_seconds": "fit s", "predict_seconds": "predict s"}
    names |= {"peak_memory_mb": "peak MB", "fallback_rows": "fallback rows"}
    return METRICS[key].label if key in METRICS else names[key]


def _number_format(key: str, evaluated_rows: list[Row]) -> str:
    """Return the format of a column, with the same number of decimals in every row."""
    if key == "fallback_rows":
        return ",d"
    if key == "peak_memory_mb":
        return ",.1f"
    if key in _ERROR_COLUMNS:
        errors = (row[name] for row in evaluated_rows for name in _ERROR_COLUMNS if name in row)
        return f".{count_decimals(errors)}f"
    values = [row[key] for row in evaluated_rows if key in row]
    if key.endswith("seconds"):
        return f".{min(3, count_decimals(values, 3))}f"  # timings below a millisecond are noise
    return f".{count_decimals(values)}f"


def _format_with_std(row: Row, key: str, fmt: str) -> str:
    if row.get(key) is None:
        return "-"
    std = row.get(f"{key}_std")
    if std is None or key.endswith("seconds"):
        return format(row[key], fmt)
    return f"{row[key]:{fmt}} +- {std:{fmt}}"
