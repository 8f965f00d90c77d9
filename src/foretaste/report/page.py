"""Layout of the report page: summary, table of models, charts, audit, method, settings and code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foretaste._utils.formatting import format_count
from foretaste._utils.html import (
    Child,
    Node,
    append_children,
    element,
    raw_element,
    scroll_box,
    table_element,
    to_html,
    truncate,
)
from foretaste.data_audit import Audit, Finding
from foretaste.data_audit.rendering import describe_summary
from foretaste.evaluation import Results
from foretaste.models import MODELS
from foretaste.ratings import Ratings
from foretaste.report.chart import Chart, read_stylesheet
from foretaste.report.figures_predictions import prediction_charts
from foretaste.report.figures_ratings import rating_count_charts, rating_histogram
from foretaste.report.figures_results import breakdown_charts, results_charts
from foretaste.report.models_table import evaluated_rows, models_table
from foretaste.report.refit import HeldOutPredictions
from foretaste.report.reproduce import versions
from foretaste.report.summary import summary_sentences

MAX_BYTES = 300_000  # of a page
MODEL_LIMITS = (200, 60, 20, 6)  # numbers of models to try until the page is small enough
_MAX_VALUES = 6  # of a parameter, over the rows of one model
_MAX_CODE_CHARS = 2000
_MAX_PARAMETERS = 40  # of a model
_MAX_NOTES = 20
# No script, no network access, no form.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class ReportData:
    """Data of a page."""

    results: Results
    ratings: Ratings | None
    audit: Audit | None
    held_out: HeldOutPredictions | None
    omission_reason: str
    command: str | None
    code: str | None
    now: datetime


def render_page(data: ReportData) -> str:
    """Return the page as HTML of at most ``MAX_BYTES``, with as many models as fit."""
    html = ""
    for max_models in MODEL_LIMITS:
        html = _render_page(data, max_models)
        if len(html.encode()) <= MAX_BYTES:
            break
    return html


def _render_page(data: ReportData, max_models: int) -> str:
    results = data.results
    title = truncate(str(results.dataset["name"]), 120)
    title = f"The{title[3:]}" if title.startswith("the ") else title  # a descriptive name, not a file name
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content="foretaste"),
        element("title", f"{title}: which model predicts it best"),
        raw_element("style", read_stylesheet("charts.css") + read_stylesheet("page.css")),
    )
    sections = list(_sections(data, max_models))
    main = element("main", *(section for _, _, section in sections), id="content")
    body = element(
        "body",
        element("a", "To the content", href="#content", class_="skip"),
        element("div", _header_node(data, title, sections), main, _footer_node(data), class_="page"),
        class_="foretaste",
    )
    return "<!DOCTYPE html>\n" + to_html(element("html", head, body, lang="en")) + "\n"


Section = tuple[str, str, Node]


def _header_node(data: ReportData, title: str, sections: list[Section]) -> Node:
    results = data.results
    anchors = {name for name, _, _ in sections} | {
        heading.get("id", "") for _, _, section in sections for heading in section.iter("h3")
    }
    lead = element("ul", class_="lead")
    for sentence, anchor in summary_sentences(results, data.audit):
        link = element(
            "a",
            "figures",
            element("span", f" of: {truncate(sentence, 60)}", class_="unseen"),
            href=f"#{anchor}",
            class_="more",
        )
        text = truncate(sentence, 600).replace(" %", "\N{NO-BREAK SPACE}%")
        lead.append(element("li", f"{text} ", link if anchor in anchors else None))
    items = [element("li", element("a", label, href=f"#{name}")) for name, label, _ in sections]
    day = data.now.strftime("%d %B %Y").lstrip("0")
    summary = results.dataset_summary.removeprefix(f"{results.dataset['name']}: ")
    return element(
        "header",
        element(
            "p", "foretaste report, ",
            element("time", day, datetime=data.now.isoformat(timespec="seconds")), class_="overline",
        ),
        element("h1", title),
        element("p", truncate(summary), class_="about"),
        lead,
        element("nav", element("ul", *items), aria_label="Contents"),
    )  # fmt: skip


def _sections(data: ReportData, max_models: int) -> Iterator[Section]:
    results = data.results
    yield _section(
        "models", "The models", models_table(results, max_models), _charts(results_charts(results), "uneven")
    )
    if data.held_out is not None:
        charts = [*prediction_charts(data.held_out), *_breakdown_charts(results, data.held_out)]
        yield _section("predictions", "The predictions", _charts(charts))
    elif data.omission_reason:
        message = element(
            "p", f"How far single predictions miss is not shown: {data.omission_reason}.", class_="quiet"
        )
        yield _section("predictions", "The predictions", message)
    rating_charts = [rating_histogram(data.audit.summary)] if data.audit is not None else []
    rating_charts += list(rating_count_charts(data.ratings)) if data.ratings is not None else []
    visible = [chart for chart in rating_charts if chart is not None]
    if visible:
        yield _section("rating-distribution", "The ratings", _charts(visible))
    if data.audit is not None:
        yield _section("audit", "The audit", *_audit_nodes(data.audit))
    yield _section("protocol", "How it was measured", *_protocol_nodes(data))
    yield _section("settings", "Settings", *_settings_nodes(results, max_models))
    yield _section("reproduce", "Do it again", *_reproduce_nodes(data))


def _breakdown_charts(results: Results, held_out: HeldOutPredictions) -> Iterator[Chart]:
    """Yield the charts of the error breakdown, if the results hold their predictions."""
    if results.predictions is not None:
        yield from breakdown_charts(results.breakdown().parts, held_out.model, float(held_out.true.std()))


def _section(name: str, title: str, *children: Child) -> Section:
    return name, title, element("section", element("h2", title, id=name), *children, aria_labelledby=name)


def _charts(charts: Iterable[Chart], css_class: str = "") -> Node | None:
    figures = [chart.to_figure() for chart in charts]
    css_class = css_class or ("three" if len(figures) == 3 else "")
    return element("div", *figures, class_=f"charts {css_class}".strip()) if figures else None


def _description_list(pairs: Iterable[tuple[str, Child]], css_class: str | None = None) -> Node:
    items = element("dl", class_=css_class)
    for term, meaning in pairs:
        append_children(items, element("dt", term), element("dd", meaning))
    return items


def _audit_nodes(audit: Audit) -> Iterator[Node]:
    yield element("p", truncate(audit.headline))
    for finding in audit.findings:
        yield _finding_node(finding)
    facts = _description_list(
        ((label, truncate(fact)) for label, fact in describe_summary(audit.summary)), "facts"
    )
    yield element("details", element("summary", "All figures of the audit"), facts)


def _finding_node(finding: Finding) -> Node:
    badge = element("span", finding.severity, class_=f"badge {finding.severity}")
    head = element("h3", badge, " ", truncate(finding.message, 600))
    pairs: list[tuple[str, Child]] = [("effect", truncate(finding.impact, 600))]
    if finding.where:
        pairs.insert(0, ("where", "; ".join(truncate(location, 100) for location in finding.where)))
    if finding.fix:
        pairs.append(("fix", element("code", truncate(str(finding.fix), _MAX_CODE_CHARS))))
    return element("div", head, _description_list(pairs), class_="finding")


def _protocol_nodes(data: ReportData) -> Iterator[Node]:
    results = data.results
    yield element("p", f"{truncate(results.protocol[:1].upper() + results.protocol[1:], 600)}.")
    yield element(
        "p",
        "Every model was trained on the same rows and tested on the same other rows, none of which it saw in "
        "training. RMSE is the root of the mean squared difference between predicted and given rating, MAE "
        "the mean difference; both are in rating units, and lower is better. Rows whose user or item was "
        "unknown were predicted by a fallback, and count.",
    )
    if data.held_out is not None:
        yield element(
            "p",
            f"For the charts of predictions, {truncate(data.held_out.model)} was fitted once more in the "
            "same way; so were the models whose training is drawn.",
        )
    for note in results.notes[:_MAX_NOTES]:
        yield element("p", truncate(f"{note[:1].upper()}{note[1:]}", 600) + ".")


def _settings_nodes(results: Results, max_models: int) -> Iterator[Node]:
    yield element("p", "All hyperparameters of each model. What differs from the defaults is marked.")
    by_model: dict[str, list[dict[str, Any]]] = {}
    for row in results.rows[:max_models]:
        by_model.setdefault(truncate(str(row["model"]), 80), []).append(row)
    items = element("div", class_="settings")
    for model_name, rows in by_model.items():
        count_label = f", {len(rows)} settings" if len(rows) > 1 else ""
        details = element("details", element("summary", model_name + count_label))
        lines = list(_parameter_rows(rows))
        headers = ["parameter", "value", "default", "meaning"]
        if lines:
            caption = f"Settings of {model_name}"
            details.append(scroll_box(table_element(headers, lines, "llll", caption), caption))
        else:
            details.append(element("p", "It has no hyperparameters."))
        items.append(details)
    yield items


def _parameter_rows(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    model = MODELS.get(rows[0]["model"])
    specs = {} if model is None else model.param_specs()
    names = list(dict.fromkeys(name for row in rows for name in row["params"]))
    if len(names) > _MAX_PARAMETERS:
        yield [f"the first {_MAX_PARAMETERS} of {len(names)}", "", "", ""]
    for name in names[:_MAX_PARAMETERS]:
        values = list(dict.fromkeys(repr(row["params"].get(name)) for row in rows))
        more = f" and {len(values) - _MAX_VALUES} others" if len(values) > _MAX_VALUES else ""
        known = specs.get(name)
        default = "" if known is None else repr(known.default)
        is_changed = known is not None and values != [default]
        shown_values = "; ".join(truncate(value, 80) for value in values[:_MAX_VALUES]) + more
        yield [
            name,
            shown_values + (" (changed)" if is_changed else ""),
            truncate(default),
            known.doc if known else "",
        ]


def _reproduce_nodes(data: ReportData) -> Iterator[Node]:
    for label, text in (("On the command line", data.command), ("In Python", data.code)):
        if text:
            yield element("h3", label)
            yield element("pre", element("code", truncate(text, _MAX_CODE_CHARS)), tabindex=0)
    yield element("h3", "Written with")
    yield _description_list(versions(), "facts")


def _footer_node(data: ReportData) -> Node:
    evaluated = evaluated_rows(data.results)
    count = format_count(len(evaluated), "model")
    text = f"{count} tested. This page is one file: it fetches nothing and sends nothing."
    return element("footer", element("p", text))
