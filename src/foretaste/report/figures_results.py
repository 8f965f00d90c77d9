"""Charts of a comparison: how far models miss, and what that costs in time."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from foretaste._utils.formatting import decimals_for
from foretaste.evaluation import Results
from foretaste.report.chart import Chart
from foretaste.report.formatting import few, joined, three, time
from foretaste.report.html import short
from foretaste.report.refit import name_of
from foretaste.report.svg import Axis, Plot, linear, logarithmic

Row = dict[str, Any]

MOST = 30  # models in a chart; the table has more
_NAME = 30  # characters of a model beside its dot, so that it fits on a phone
_ROW = 38  # pixels of a model
_GUTTER = 58  # pixels beside them, for their errors
_TALL = 420  # pixels, at most
_FAR = 1.1  # times the baseline: worse models are no candidates, and would push the others together
_ARROW = "\N{RIGHTWARDS ARROW}"
_NEAR = 1.05  # times the error of the best: so near that time may decide
_QUICK = 0.5  # times its time: so quick that it matters


def judged(results: Results) -> list[Row]:
    """Return the rows of the models that were judged, best first."""
    return [row for row in results.rows if "refused" not in row]


def interval(row: Row) -> tuple[float, float] | None:
    """Return between what the RMSE of a row lies: its 95 % interval, else what folds deviate by."""
    known = row.get("rmse_interval")
    if known is not None:
        return float(known[0]), float(known[1])
    spread = row.get("rmse_std")
    return None if spread is None else (row["rmse"] - spread, row["rmse"] + spread)


def results_charts(results: Results) -> Iterator[Chart]:
    """Yield the charts of a comparison."""
    rows = judged(results)
    if len(rows) > 1:
        yield _errors(rows[:MOST], results.baseline, len(rows))
        timed = [(place, row) for place, row in enumerate(rows[:MOST], 1) if row.get("fit_seconds")]
        if len(timed) > 1:
            yield _against_time(timed, _far(rows, results.baseline))


def _errors(rows: list[Row], baseline: Row | None, total: int) -> Chart:
    spans = [interval(row) or (row["rmse"], row["rmse"]) for row in rows]
    far = _far(rows, baseline)
    ends = [end for row, span in zip(rows, spans, strict=True) if row["rmse"] <= far for end in span]
    x = linear(min(ends), max(ends), "RMSE, in rating units")
    n = len(rows)
    title = "Error of each model on held-out ratings"
    finding = _errors_in_words(rows, baseline, total)
    plot = Plot("errors", title, finding, x, Axis(0, n, ()), height=_ROW * n, right=_GUTTER)
    form = f".{decimals_for([row['rmse'] for row in rows])}f"
    if baseline:
        plot.line((baseline["rmse"], baseline["rmse"]), (0, n), "reference")
    for place, (row, span) in enumerate(zip(rows, spans, strict=True)):
        _error_of(plot, place, row, span, far, form)
    known = any(interval(row) for row in rows)
    key = [("mark best", "the best"), ("mark", "the others")]
    key += [("reference", "always guessing the mean")] if baseline else []
    headers = ["model", "RMSE", *(["from", "to"] if known else [])]
    table = [
        [name_of(row), f"{row['rmse']:.4g}", *([f"{low:.4g}", f"{high:.4g}"] if known else [])]
        for row, (low, high) in zip(rows, spans, strict=True)
    ]
    sure = any("rmse_interval" in row for row in rows)
    note = f"Bars: {'95 % intervals' if sure else 'the standard deviation of the folds to either side'}."
    note = note if known else ""
    note += f" {_ARROW} stands for what lies further to the right." if rows[-1]["rmse"] > far else ""
    align = "l" + "r" * (len(headers) - 1)
    return Chart("errors", title, finding, plot.drawn(), headers, table, align, key, note.strip())


def _error_of(plot: Plot, place: int, row: Row, span: tuple[float, float], far: float, form: str) -> None:
    """Draw the line of one model: its name and error, and its dot if it is not far off."""
    low, high = plot.x.low, plot.x.high
    here = plot.y.high - place - 0.72
    kind = "strong" if place == 0 else ""
    off = row["rmse"] > far
    error = format(row["rmse"], form)
    plot.line((low, high), (here, here), "grid")
    plot.text(low, here, f"{place + 1}  {short(name_of(row), _NAME)}", f"start {kind}", dy=-11)
    plot.beside(here, f"{_ARROW} {error}" if off else error, kind, dy=4)
    if off:
        return
    if span[1] > span[0]:
        plot.line(span, (here, here), "span best" if place == 0 else "span")
    plot.dot(row["rmse"], here, "mark best" if place == 0 else "mark", name_of(row))


def _far(rows: list[Row], baseline: Row | None) -> float:
    """Return the error beyond which a model is not drawn, so that those near each other can be told apart."""
    return _FAR * float(max(rows[0]["rmse"], baseline["rmse"] if baseline else rows[-1]["rmse"]))


def _errors_in_words(rows: list[Row], baseline: Row | None, total: int) -> str:
    best = rows[0]
    text = f"{short(name_of(best), _NAME)} misses least, by {three(best['rmse'])}"
    if baseline is None or baseline is best:
        return text + "."
    better = sum(row["rmse"] < baseline["rmse"] for row in rows)
    more = "" if total == len(rows) else f" of the {len(rows)} shown here"
    if better == 1:
        return f"{text}; no other model{more} is better than guessing the mean."
    return (
        f"{text}; {better} models{more} are better than always guessing the mean ({three(baseline['rmse'])})."
    )


def _against_time(timed: list[tuple[int, Row]], far: float) -> Chart:
    rows = [row for _, row in timed]
    drawn = [(place, row) for place, row in timed if row["rmse"] <= far]
    times = [row["fit_seconds"] for _, row in drawn]
    x = logarithmic(min(times), max(times), "time to learn (logarithmic scale)")
    x = dataclasses.replace(x, names=[time(tick) for tick in x.ticks])
    y = linear(
        min(row["rmse"] for _, row in drawn), max(row["rmse"] for _, row in drawn), "RMSE, in rating units"
    )
    title, finding = "Error against time", _time_in_words(rows)
    plot = Plot("time", title, finding, x, y, height=min(_TALL, max(260, _ROW * len(rows))))
    front = _front(rows)
    for _, row in reversed(drawn):
        kind = "mark best" if id(row) in front else "mark"
        says = f"{name_of(row)}: RMSE {three(row['rmse'])}, {time(row['fit_seconds'])}"
        plot.dot(row["fit_seconds"], row["rmse"], kind, says)
    points = [(row["fit_seconds"], row["rmse"]) for _, row in drawn]
    plot.label(points, [str(place) for place, _ in drawn])
    key = [("mark best", "no other is both better and quicker"), ("mark", "some other is")]
    note = "Numbers: " + few([f"{place} {short(name_of(row), _NAME)}" for place, row in timed]) + "."
    off = [name_of(row) for row in rows if row["rmse"] > far]
    note += f" Not drawn, above: {short(joined(off))}." if off else ""
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
        (row for row in rows if row["rmse"] <= _NEAR * best["rmse"]),
        key=lambda row: float(row["fit_seconds"]),
    )
    text = f"{short(name_of(best), _NAME)} learns in {time(best['fit_seconds'])}"
    if near["fit_seconds"] > _QUICK * best["fit_seconds"]:
        return f"{text}; no model within 5 % of its error takes less than half of that."
    more = 100 * (near["rmse"] / best["rmse"] - 1)
    text += f"; {short(name_of(near), _NAME)} takes {time(near['fit_seconds'])} and misses by "
    return f"{text}{more:.2g} % more."
