"""Charts of predictions: how far they miss, for whom, and how models learn."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from foretaste.metrics.rating import rmse
from foretaste.report.chart import LINES, Chart
from foretaste.report.formatting import joined, share, signed, three
from foretaste.report.html import short
from foretaste.report.refit import Counts, HeldOut
from foretaste.report.svg import Axis, Plot, linear, number, steps

_BINS = 40
_BOUNDS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000)  # where groups by support begin
_ENOUGH = 20  # rows that an error of its own is drawn of
_POINTS = 160
_NAME = 30


def held_out_charts(held: HeldOut) -> Iterator[Chart]:
    """Yield the charts of the rows that the best model did not learn from, and of learning itself."""
    yield _residuals(held)
    for name, role, counts in (("by-user", "user", held.of_user), ("by-item", "item", held.of_item)):
        chart = _by_support(held, name, role, counts)
        if chart is not None:
            yield chart
    if held.curves:
        yield _learning(held)


def _residuals(held: HeldOut) -> Chart:
    missed = held.missed
    size = np.abs(missed)
    half, tenth = np.quantile(size, (0.5, 0.9))
    model, lean = short(held.model, _NAME), float(missed.mean())
    title = f"How far the predictions of {model} miss"
    finding = (
        f"Half of the predictions miss by {three(half)} or less, one in ten by more than {three(tenth)}; "
    )
    too = "high" if lean > 0 else "low"
    noticed = abs(lean) > 0.02 * float(held.true.std())
    finding += f"on average they are {three(abs(lean))} too {too}." if noticed else "they lean to no side."
    edge = float(np.ceil(size.max() * 1000) / 1000) or 1.0
    x = linear(-edge, edge, "predicted minus given rating", round_ends=False)
    counts, edges = np.histogram(missed, _BINS, range=(-edge, edge))
    plot = Plot("residuals", title, finding, x, linear(0, int(counts.max()), "held-out ratings"))
    table = []
    for count, (low, high) in zip(counts.tolist(), itertools.pairwise(edges.tolist()), strict=True):
        says = signed(f"{low:.3g} to {high:.3g}")
        plot.bar(low, high, count, 0, "bar", f"{says}: {count:,}")
        table.append([says, f"{count:,}", f"{100 * count / len(missed):.1f} %"])
    plot.line((0, 0), (0, plot.y.high), "reference")
    headers = ["predicted minus given", "ratings", "share"]
    key = [("reference", "neither too low nor too high")]
    return Chart("residuals", title, finding, plot.drawn(), headers, table, "rrr", key, _fold(held))


def _by_support(held: HeldOut, name: str, role: str, counts: Counts) -> Chart | None:
    groups = [
        (low, high - 1, rows)
        for low, high in itertools.pairwise((*_BOUNDS, np.iinfo(np.int64).max))
        if (rows := (counts >= low) & (counts < high)).any()
    ]
    errors = [rmse(held.true[rows], held.predicted[rows]) for _, _, rows in groups]
    guesses = [rmse(held.true[rows], np.full(int(rows.sum()), held.mean)) for _, _, rows in groups]
    drawn = [place for place, (_, _, rows) in enumerate(groups) if rows.sum() >= _ENOUGH]
    if len(drawn) < 2:
        return None
    title = f"Error by how many ratings of the {role} are known"
    finding = _support_in_words(role, groups, errors, guesses, drawn)
    most = [*(errors[place] for place in drawn), *(guesses[place] for place in drawn)]
    x = steps(
        [_short_count(groups[place][0]) for place in drawn], f"ratings of the {role} learned from, at least"
    )
    plot = Plot(name, title, finding, x, linear(0, max(most), "RMSE, in rating units"))
    plot.curve([(at, guesses[place]) for at, place in enumerate(drawn)], "curve faint")
    plot.curve([(at, errors[place]) for at, place in enumerate(drawn)], "curve first")
    for at, place in enumerate(drawn):
        says = _known(groups[place])
        plot.dot(at, guesses[place], "mark", f"{says}: guessing the mean {three(guesses[place])}")
        plot.dot(at, errors[place], "mark best", f"{says}: {three(errors[place])}")
    table = [
        [_range(group), f"{int(group[2].sum()):,}", three(error), three(guess)]
        for group, error, guess in zip(groups, errors, guesses, strict=True)
    ]
    headers = [f"ratings of the {role}", "held-out ratings", "RMSE", "guessing the mean"]
    note = _fold(held) + ("" if len(drawn) == len(groups) else f" Groups of under {_ENOUGH} are not drawn.")
    key = [("mark best", short(held.model, _NAME)), ("mark", "always guessing the mean")]
    return Chart(name, title, finding, plot.drawn(), headers, table, "rrrr", key, note)


def _support_in_words(
    role: str,
    groups: list[tuple[int, int, npt.NDArray[np.bool_]]],
    errors: list[float],
    guesses: list[float],
    drawn: list[int],
) -> str:
    first, last = drawn[0], drawn[-1]
    text = f"With {_known(groups[first])} of the {role} RMSE is {three(errors[first])}, "
    text += f"with {_range(groups[last])} it is {three(errors[last])}."
    useless = [place for place in drawn if errors[place] >= guesses[place]]
    if useless:
        rows = sum(int(groups[place][2].sum()) for place in useless)
        total = sum(int(rows.sum()) for _, _, rows in groups)
        where = joined([_known(groups[place]) for place in useless])
        text += f" With {where} ({share(rows / total)} of the rows) guessing the mean is as good."
    return text


def _known(group: tuple[int, int, object]) -> str:
    return {"0": "no rating", "1": "1 rating"}.get(_range(group), f"{_range(group)} ratings")


def _range(group: tuple[int, int, object]) -> str:
    low, high, _ = group
    if low == high:
        return f"{low:,}"
    return f"{low:,} and more" if high > _BOUNDS[-1] else f"{low:,} to {high:,}"


def _short_count(n: int) -> str:
    return f"{n // 1000}k" if n >= 1000 else str(n)


def _learning(held: HeldOut) -> Chart:
    label, errors = next(iter(held.curves.items()))
    level = rmse(held.true, held.predicted)
    most = max(len(curve) for curve in held.curves.values())
    values = [error for curve in held.curves.values() for error in curve]
    title = "Learning, epoch by epoch"
    finding = (
        f"{short(label, _NAME)} begins at an error of {three(errors[0])} on the rows it learns from and "
    )
    finding += f"ends at {three(errors[-1])} after {len(errors)} epochs"
    known = label == held.model
    finding += f"; on held-out rows it is then {three(level)}." if known else "."
    y = linear(min([*values, level]), max([*values, level]), "RMSE, in rating units")
    x = linear(1, most, "epoch", round_ends=False) if most > 1 else Axis(0.5, 1.5, (1,), "epoch")
    x = Axis(x.low, x.high, sorted({1.0, *(t for t in x.ticks if t == int(t) and t > most / 8)}), "epoch")
    plot = Plot("learning", title, finding, x, y)
    if known:
        plot.line((x.low, x.high), (level, level), "reference")
    key = []
    for kind, (name, curve) in zip(LINES, held.curves.items(), strict=False):
        places = np.unique(np.linspace(0, len(curve) - 1, _POINTS).round().astype(int))
        plot.curve([(float(place + 1), curve[place]) for place in places], f"curve {kind}")
        key.append((kind, short(name, _NAME)))
    key += [("reference", f"{short(label, _NAME)} on held-out rows, at the end")] if known else []
    shown = np.unique(np.linspace(1, most, 20).round().astype(int)).tolist()
    table = [
        [number(epoch), *(three(c[epoch - 1]) if epoch <= len(c) else "" for c in held.curves.values())]
        for epoch in shown
    ]
    headers = ["epoch", *(short(name, _NAME) for name in held.curves)]
    note = "Errors on the rows learned from, met on the way through each epoch. " + _fold(held)
    return Chart("learning", title, finding, plot.drawn(), headers, table, "r" * len(headers), key, note)


def _fold(held: HeldOut) -> str:
    rows = f"{len(held.true):,} held-out ratings"
    return f"Of {rows}, the first of {held.folds} folds." if held.folds > 1 else f"Of {rows}."
