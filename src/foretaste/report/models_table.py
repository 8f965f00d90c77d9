"""The table of models: what matters of each, and all figures below."""

from __future__ import annotations

import dataclasses
from typing import Any

from foretaste._utils.formatting import decimals_for
from foretaste.evaluation import Results
from foretaste.report.figures_results import interval, judged
from foretaste.report.formatting import signed, time
from foretaste.report.html import Node, add, element, short, table
from foretaste.report.refit import name_of

Row = dict[str, Any]


def models_table(results: Results, most: int) -> Node:
    """Return the models, best first, ``most`` at most, and a table of all their figures.

    Parameters
    ----------
    results : Results
    most : int
    """
    rows = judged(results)
    form = f".{decimals_for([row['rmse'] for row in rows])}f"
    heads = [("place", "number", ""), ("model", None, ""), ("RMSE", "number", "")]
    heads += [("vs the mean", "number", ""), ("time to learn", "number", "wide")]
    head = element("tr")
    for words, side, kind in heads:
        shown: Any = element("span", words, class_="unseen") if words == "place" else words
        head.append(element("th", shown, scope="col", class_=" ".join(filter(None, (side, kind))) or None))
    body = element("tbody")
    for place, row in enumerate(results.rows[:most], 1):
        body.append(_refused(row) if "refused" in row else _line(place, row, results, form))
    caption = "The models, best first"
    whole = element(
        "table", element("caption", element("span", caption, class_="unseen")), element("thead", head), body
    )
    box = element("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)
    every = table(*_figures(results, most), "All figures of the models", strong=0 if rows else None)
    details = element("details", element("summary", "All figures of the models"), every)
    found = element("div", box, class_="models")
    left = len(results.rows) - most
    if left > 0:
        add(found, element("p", f"{left:,} more models, which are worse, are not shown.", class_="note"))
    return add(found, details)


def _figures(results: Results, most: int) -> tuple[list[str], list[list[str]], str]:
    headers, rows, align = with_figures(results).table()
    return headers, rows[:most], align


def with_figures(results: Results) -> Results:
    """Return results without what is drawn otherwise: intervals, which are more than one number."""
    kept = ("params", "folds", "refused")
    rows = tuple(
        {key: value for key, value in row.items() if key in kept or not isinstance(value, list | dict)}
        for row in results.rows
    )
    return dataclasses.replace(results, rows=rows)


def _line(place: int, row: Row, results: Results, form: str) -> Node:
    error = [signed(f"{row['rmse']:{form}}")]
    span = interval(row)
    spread: Node | None = None
    if span is not None:
        around = f"\N{PLUS-MINUS SIGN} {row['rmse_std']:{form}}" if "rmse_interval" not in row else ""
        words = around or f"{span[0]:{form}} to {span[1]:{form}}"
        spread = element("small", f" {words}".replace(" ", "\N{NO-BREAK SPACE}"))
    timed = row.get("fit_seconds")
    return element(
        "tr",
        element("td", str(place), class_="number place"),
        element("th", short(name_of(row), 120), scope="row"),
        element("td", *error, spread, class_="number"),
        element("td", _against(row, results.baseline), class_="number"),
        element("td", time(timed) if timed is not None else "unknown", class_="number wide"),
        class_="best" if row is results.best else None,
    )


def _against(row: Row, baseline: Row | None) -> str:
    if baseline is None:
        return "unknown"
    if row is baseline:
        return "baseline"
    gain = 100 * (1 - row["rmse"] / baseline["rmse"])
    if abs(gain) < 0.05:
        return "the same"
    return f"{abs(gain):.1f} % {'less' if gain > 0 else 'more'}"


def _refused(row: Row) -> Node:
    why = row["refused"]
    hint = f" (try: {why['hint']})" if why.get("hint") else ""
    return element(
        "tr",
        element("td", class_="number place"),
        element("th", short(name_of(row), 120), scope="row"),
        element("td", short(f"refused: {why['message']}{hint}"), colspan=3),
        class_="refused",
    )
