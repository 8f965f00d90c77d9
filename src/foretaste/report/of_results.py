"""Charts of a comparison: how far models miss, and what that costs in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from foretaste.evaluation import Results
from foretaste.report.charts import Chart
from foretaste.report.drawing import Axis, Plot, linear, logarithmic
from foretaste.report.held_out import name_of
from foretaste.report.markup import short
from foretaste.report.words import few, seconds, three

Row = dict[str, Any]

MOST = 30  # models in a chart; the table has more
_NAME = 30  # characters of a model beside its dot, so that it fits on a phone
_ROW = 38  # pixels of a model
_NEAR = 1.05  # times the error of the best: so near that time may decide


def judged(results: Results) -> list[Row]:
    """Return the rows of the models that were judged, best first."""
    return [row for row in results.rows if "refused" not in row]


def interval(row: Row) -> tuple[float, float] | None:
    """Return how far the RMSE of a row may be from the truth, as far as the results tell: low and high."""
    spread = row.get("rmse_std")
    return None if spread is None else (row["rmse"] - spread, row["rmse"] + spread)


def results_charts(results: Results) -> Iterator[Chart]:
    """Yield the charts of a comparison."""
    rows = judged(results)
    if len(rows) > 1:
        yield _errors(rows[:MOST], results.baseline, len(rows))
        timed = [(place, row) for place, row in enumerate(rows[:MOST], 1) if row.get("fit_seconds")]
        if len(timed) > 1:
            yield _against_time(timed)


def _errors(rows: list[Row], baseline: Row | None, total: int) -> Chart:
    spans = [interval(row) or (row["rmse"], row["rmse"]) for row in rows]
    ends = [end for span in spans for end in span] + ([baseline["rmse"]] if baseline else [])
    x = linear(min(ends), max(ends), "RMSE, in rating units")
    n = len(rows)
    title = "Error of each model on held-out ratings"
    finding = _errors_in_words(rows, baseline, total)
    plot = Plot("errors", title, finding, x, Axis(0, n, ()), height=_ROW * n)
    for tick in x.ticks:
        plot.line((tick, tick), (0, n), "grid")
    if baseline:
        plot.line((baseline["rmse"], baseline["rmse"]), (0, n), "reference")
    for place, (row, (low, high)) in enumerate(zip(rows, spans, strict=True)):
        here = n - place - 0.72
        kind = "strong" if place == 0 else ""
        plot.text(x.low, here, f"{place + 1}  {short(name_of(row), _NAME)}", f"start {kind}", dy=-11)
        plot.text(x.high, here, three(row["rmse"]), f"end {kind}", dy=-11)
        plot.line((x.low, x.high), (here, here), "grid")
        if high > low:
            plot.line((low, high), (here, here), "span best" if place == 0 else "span")
        plot.dot(row["rmse"], here, "mark best" if place == 0 else "mark", name_of(row))
    known = any(interval(row) for row in rows)
    key = [("mark best", "the best"), ("mark", "the others")] if len(rows) > 1 else []
    key += [("reference", "always guessing the mean")] if baseline else []
    headers = ["model", "RMSE", *(["from", "to"] if known else [])]
    table = [
        [name_of(row), f"{row['rmse']:.4g}", *([f"{low:.4g}", f"{high:.4g}"] if known else [])]
        for row, (low, high) in zip(rows, spans, strict=True)
    ]
    note = "Lines: the standard deviation of the folds to either side." if known else ""
    return Chart(
        "errors", title, finding, plot.drawn(), headers, table, "l" + "r" * (len(headers) - 1), key, note
    )


def _errors_in_words(rows: list[Row], baseline: Row | None, total: int) -> str:
    best = rows[0]
    text = f"{short(name_of(best), _NAME)} misses least, by {three(best['rmse'])}"
    if baseline is None or baseline is best:
        return text + "."
    better = sum(row["rmse"] < baseline["rmse"] for row in rows)
    more = "" if total == len(rows) else f" of the {len(rows)} shown here"
    if better == 1:
        return f"{text}; no other model{more} is better than guessing the mean."
    return f"{text}; {better} models{more} are better than always guessing the mean ({three(baseline['rmse'])})."


def _against_time(timed: list[tuple[int, Row]]) -> Chart:
    rows = [row for _, row in timed]
    x = logarithmic(
        min(row["fit_seconds"] for row in rows), max(row["fit_seconds"] for row in rows),
        "seconds to learn, each line 2 to 10 times the one before",
    )  # fmt: skip
    y = linear(min(row["rmse"] for row in rows), max(row["rmse"] for row in rows), "RMSE")
    title, finding = "Error against time", _time_in_words(rows)
    plot = Plot("time", title, finding, x, y, height=300)
    front = _front(rows)
    for place, row in reversed(timed):
        here, kind = (row["fit_seconds"], row["rmse"]), "mark best" if id(row) in front else "mark"
        plot.dot(*here, kind, f"{name_of(row)}: RMSE {three(row['rmse'])}, {seconds(row)}", size=9.5)
        plot.text(*here, str(place), f"middle in-{kind.split()[-1]}", dy=4)
    key = [("mark best", "no other is both better and quicker"), ("mark", "some other is")]
    note = "Numbers: " + few([f"{place} {short(name_of(row), _NAME)}" for place, row in timed]) + "."
    table = [[name_of(row), f"{row['rmse']:.4g}", f"{row['fit_seconds']:.3g}"] for row in rows]
    headers = ["model", "RMSE", "seconds to learn"]
    return Chart("time", title, finding, plot.drawn(), headers, table, "lrr", key, note)


def _front(rows: list[Row]) -> set[int]:
    """Return which rows no other row is better and quicker than; rows are best first."""
    found, quickest = set(), float("inf")
    for row in rows:
        if row["fit_seconds"] < quickest:
            found.add(id(row))
            quickest = row["fit_seconds"]
    return found


def _time_in_words(rows: list[Row]) -> str:
    best = rows[0]
    near = min(
        (row for row in rows if row["rmse"] <= _NEAR * best["rmse"]), key=lambda row: row["fit_seconds"]
    )
    text = f"{short(name_of(best), _NAME)} learns in {seconds(best)}"
    if near is best:
        return f"{text}; no model within 5 % of its error is quicker."
    more = 100 * (near["rmse"] / best["rmse"] - 1)
    return f"{text}; {short(name_of(near), _NAME)} takes {seconds(near)} and misses by {more:.2g} % more."
