"""The table that a comparison ends in."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from foretaste._utils.formatting import decimals_for, html_table, plural, text_table
from foretaste._utils.plotting import PlotMixin
from foretaste.errors import NotFound, did_you_mean
from foretaste.metrics.rating import METRICS

if TYPE_CHECKING:
    from foretaste.evaluation.error_breakdown import Breakdown
    from foretaste.evaluation.prediction_store import Kept

Row = dict[str, Any]

BASELINE = "GlobalMean"
LEAST_USERS = 20  # judged in each fold, for intervals
_ERRORS = ("train_rmse", "rmse", "rmse_per_user", "mae")  # in rating units, so written alike


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
        One a model, by RMSE: ``model``, ``params``, ``python`` (what makes it again), ``train_rmse``,
        ``rmse`` and the other metrics in rating units, ``fit_seconds``, ``predict_seconds``,
        ``fallback_rows``; where memory was measured ``data_memory_mb`` (the process before fitting) and
        ``peak_memory_mb`` (10**6 bytes); with several folds ``..._std`` and ``folds``. Where enough users
        were judged ``rmse_interval`` (low, high), and but for the best ``behind``: how much larger the RMSE
        is than that of the best (``rmse``), the ``interval`` of that, and ``p`` of a paired test. Intervals
        are of 95 %, by resampling users. The last rows may be models that refused: their figures are None
        and ``refused`` says why.
    notes : tuple of str
        What there is to say beside.
    stopped : bool
        Whether it was interrupted, so that models are missing.
    judged_users : int
        How many users have ratings that were judged.
    kept : Kept, optional
        The predictions, for ``breakdown``.
    """

    dataset: dict[str, Any]
    protocol: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    stopped: bool = False
    judged_users: int = 0
    kept: Kept | None = None

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

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the figures say: what is best, how sure that is, what is as good, what is of no use."""
        judged = [row for row in self.rows if "refused" not in row]
        if not judged:
            return (self.headline,)
        form = _format("rmse", judged)
        found = [self.headline, self._how_sure(judged[0], form)]
        near = [row for row in judged[1:] if "behind" in row and row["behind"]["interval"][0] <= 0]
        if near:
            others = "; ".join(f"{label(row)} ({_apart(row, form)[1]})" for row in near)
            found.append(
                f"No difference to it that these rows can tell (95 % interval of the difference): {others}."
            )
        after = next((row for row in judged[1:] if "behind" in row and row not in near), None)
        if after is not None:
            difference, interval = _apart(after, form)
            found.append(
                f"{label(after)} is {'worse' if near else 'next, worse'} by {difference} "
                f"(95 % interval {interval})."
            )
        return (*found, *self._useless(judged))

    def _how_sure(self, best: Row, form: str) -> str:
        if "rmse_interval" not in best:
            return (
                f"How sure this is cannot be said: {plural(self.judged_users, 'user')} judged, and it takes "
                f"{LEAST_USERS} in each fold."
            )
        return (
            f"The 95 % interval of the lowest RMSE is {_between(best['rmse_interval'], form)}, by drawing "
            f"the {self.judged_users:,} users judged anew."
        )

    def _useless(self, judged: list[Row]) -> list[str]:
        """Name the models that are not better than guessing the mean, if the best is."""
        mean = self.baseline
        if mean is None or judged[0]["rmse"] >= mean["rmse"]:
            return []
        names = [label(row) for row in judged if row["rmse"] >= mean["rmse"] and row is not mean]
        return [f"Not better than always guessing the mean: {', '.join(names)}."] if names else []

    def breakdown(self, model: str | None = None) -> Breakdown:
        """Take the error of one model apart: cold to warm, by rating, by time, and calibration.

        Parameters
        ----------
        model : str, optional
            As it is called in the table: ``"SVD"`` or ``"SVD(factors=20)"``. Default: the best.

        Raises
        ------
        NotFound
            If no model of this name was judged, or its predictions were not kept.
        """
        judged = {label(row): row for row in reversed(self.rows) if "refused" not in row}
        if self.kept is None or self.best is None:
            raise NotFound("no model was judged, so there is no error to take apart")
        name = label(self.best) if model is None else model.removesuffix("()")
        if name not in judged:
            raise NotFound(
                f'no model "{name}" was judged{did_you_mean(name, judged)}',
                hint="one of " + ", ".join(judged),
            )
        return self.kept.breakdown(judged[name]["python"], name)

    def to_dict(self) -> dict[str, Any]:
        """Return ``dataset``, ``protocol``, ``sentences`` and ``results`` (the rows) as JSON can hold them.

        ``stopped`` is there, and true, if the comparison was interrupted.
        """
        data = {
            "dataset": dict(self.dataset),
            "protocol": self.protocol,
            "sentences": list(self.sentences),
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
        lines = [*self.sentences, f"data: {self.about}", f"protocol: {self.protocol}", ""]
        lines.append(text_table(*self.table()))
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        said = [*self.sentences, f"Data: {self.about}", f"Protocol: {self.protocol}"]
        said += [f"Note: {note}" for note in self.notes]
        return "".join(f"<p>{html.escape(line)}</p>" for line in said) + html_table(*self.table())


def label(row: Row) -> str:
    """Return what a row is called: the model, and the parameters that differ from its defaults."""
    return str(row["python"]).removesuffix("()")


_HIDDEN = ("model", "params", "python", "folds", "data_memory_mb", "rmse_interval", "behind")


def _shown(key: str) -> bool:
    return key not in _HIDDEN and not key.endswith("_std")


def _apart(row: Row, form: str) -> tuple[str, str]:
    """Return how far a row is behind the best, and the interval of that; small ones with more decimals."""
    interval = row["behind"]["interval"]
    form = max(form, f".{decimals_for(interval, 2)}f")
    return f"{row['behind']['rmse']:{form}}", _between(interval, form)


def _between(interval: list[float], form: str) -> str:
    return f"{interval[0]:{form}} to {interval[1]:{form}}"


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
    if key in _ERRORS:
        return f".{decimals_for(row[name] for row in judged for name in _ERRORS if name in row)}f"
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
