"""Rows of results, and the table of models: the main columns, all metrics in a collapsed table below."""

from __future__ import annotations

import dataclasses
from typing import Any

from foretaste._utils.formatting import count_decimals, format_minus, format_seconds
from foretaste._utils.html import Node, append_children, element, scroll_box, table_element, truncate
from foretaste.evaluation import Results
from foretaste.evaluation.results import result_label

Row = dict[str, Any]


def evaluated_rows(results: Results) -> list[Row]:
    """Return the rows of the models that did not fail, best first."""
    return [row for row in results.rows if "error" not in row]


def model_label(row: Row) -> str:
    """Return the label of a row: the model, and the parameters that differ from their defaults."""
    return truncate(result_label(row))


def rmse_interval(row: Row) -> tuple[float, float] | None:
    """Return the 95 % interval of a row's RMSE, else one standard deviation of the folds to either side."""
    interval = row.get("rmse_interval")
    if interval is not None:
        return float(interval[0]), float(interval[1])
    std = row.get("rmse_std")
    return None if std is None else (row["rmse"] - std, row["rmse"] + std)


def models_table(results: Results, max_models: int) -> Node:
    """Return the table of at most ``max_models`` models, best first, and of all their metrics.

    Parameters
    ----------
    results : Results
    max_models : int
    """
    rows = evaluated_rows(results)
    number_format = f".{count_decimals([row['rmse'] for row in rows])}f"
    columns = [("place", "number", ""), ("model", None, ""), ("RMSE", "number", "")]
    columns += [("vs the mean", "number", ""), ("training time", "number", "wide")]
    head = element("tr")
    for text, align, css_class in columns:
        content: Any = element("span", text, class_="unseen") if text == "place" else text
        head.append(
            element("th", content, scope="col", class_=" ".join(filter(None, (align, css_class))) or None)
        )
    body = element("tbody")
    for rank, row in enumerate(results.rows[:max_models], 1):
        body.append(_error_row(row) if "error" in row else _model_row(rank, row, results, number_format))
    caption = "The models, best first"
    table_node = element(
        "table", element("caption", element("span", caption, class_="unseen")), element("thead", head), body
    )
    headers, metric_rows, align = without_intervals(results).table()
    title = "All figures of the models"
    metrics_table = table_element(
        headers, metric_rows[:max_models], align, title, highlighted_row=0 if rows else None
    )
    details = element("details", element("summary", title), scroll_box(metrics_table, title))
    container = element("div", scroll_box(table_node, caption), class_="models")
    n_hidden = len(results.rows) - max_models
    if n_hidden > 0:
        text = f"{n_hidden:,} more models, which are worse, are not shown."
        append_children(container, element("p", text, class_="note"))
    return append_children(container, details)


def without_intervals(results: Results) -> Results:
    """Return results without intervals, which are shown elsewhere and are not a single number."""
    other_keys = ("params", "folds", "error")
    rows = tuple(
        {key: value for key, value in row.items() if key in other_keys or not isinstance(value, list | dict)}
        for row in results.rows
    )
    return dataclasses.replace(results, rows=rows)


def _model_row(rank: int, row: Row, results: Results, number_format: str) -> Node:
    error = [format_minus(f"{row['rmse']:{number_format}}")]
    bounds = rmse_interval(row)
    interval_node: Node | None = None
    if bounds is not None:
        deviation = (
            f"\N{PLUS-MINUS SIGN} {row['rmse_std']:{number_format}}" if "rmse_interval" not in row else ""
        )
        text = deviation or f"{bounds[0]:{number_format}} to {bounds[1]:{number_format}}"
        interval_node = element("small", f" {text}".replace(" ", "\N{NO-BREAK SPACE}"))
    seconds = row.get("fit_seconds")
    return element(
        "tr",
        element("td", str(rank), class_="number place"),
        element("th", truncate(model_label(row), 120), scope="row"),
        element("td", *error, interval_node, class_="number"),
        element("td", _format_gain(row, results.baseline_row), class_="number"),
        element("td", format_seconds(seconds) if seconds is not None else "unknown", class_="number wide"),
        class_="best" if row is results.best_row else None,
    )


def _format_gain(row: Row, baseline: Row | None) -> str:
    if baseline is None:
        return "unknown"
    if row is baseline:
        return "baseline"
    gain = 100 * (1 - row["rmse"] / baseline["rmse"])
    if abs(gain) < 0.05:
        return "the same"
    return f"{abs(gain):.1f} % {'less' if gain > 0 else 'more'}"


def _error_row(row: Row) -> Node:
    failure = row["error"]
    hint = f" (try: {failure['hint']})" if failure.get("hint") else ""
    return element(
        "tr",
        element("td", class_="number place"),
        element("th", truncate(model_label(row), 120), scope="row"),
        element("td", truncate(f"failed: {failure['message']}{hint}"), colspan=3),
        class_="failed",
    )
