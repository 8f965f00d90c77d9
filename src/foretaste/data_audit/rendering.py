"""Renders an audit as styled lines of text and as HTML."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from foretaste._utils.formatting import format_count, format_text_table
from foretaste._utils.html import element, notebook_html, notebook_table
from foretaste.data_audit.findings import Finding
from foretaste.data_audit.summary import QUANTILES
from foretaste.errors import Hint

WIDTH = 88
_MIN_WIDTH = 48  # columns
_LABEL_WIDTH = 12  # columns of the summary labels
_SHORTEST_BARS = {"█": "▏"}  # the shortest bar of a nonzero count
_INDENT = 4  # of the details of a finding

StyledLine = tuple[str, str]  # a text and its style: "", "strong", "faint", "warning" or "note"


class AuditResult(Protocol):
    """What rendering reads of an ``Audit``."""

    @property
    def headline(self) -> str:
        """One sentence: the size of the data and the number of findings."""

    @property
    def summary(self) -> dict[str, Any]:
        """Figures as JSON types."""

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that should be fixed."""

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are information."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, warnings first."""


def lines(
    audit: AuditResult, width: int = WIDTH, bar: str = "█", format_fix: Callable[[Hint | str], str] = str
) -> Iterator[StyledLine]:
    """Yield the lines of an audit with their styles.

    Parameters
    ----------
    audit : Audit
    width : int
        Available columns.
    bar : str
        Character of the histogram bars.
    format_fix : function of Hint or str
        How a fix is written: as Python, or as command-line options.
    """
    width = max(width, _MIN_WIDTH)
    for part in textwrap.wrap(audit.headline, width):
        yield part, "strong"
    yield "", ""
    for label, text in describe_summary(audit.summary):
        yield from _label_lines(label, text, width, _LABEL_WIDTH, 0)
    if audit.summary["ratings"]:
        yield "", ""
        for line in _counts_table(audit.summary, width):
            yield line, ""
        yield "", ""
        yield from ((line, "") for line in _histogram_lines(audit.summary, width, bar))
    for severity, findings in (("warning", audit.warnings), ("note", audit.notes)):
        if findings:
            yield "", ""
            yield format_count(len(findings), severity), "strong"
        for finding in findings:
            yield from _finding_lines(finding, severity, width, format_fix)


def _label_lines(label: str, text: str, width: int, column: int, indent: int) -> Iterator[StyledLine]:
    start = " " * indent + label.ljust(column)
    padding = " " * len(start)
    parts = textwrap.wrap(text, width - len(start), break_long_words=False, break_on_hyphens=False) or [""]
    for index, part in enumerate(parts):
        yield (padding if index else start) + part, ""


def describe_summary(summary: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the summary as pairs of label and text."""
    n = summary["ratings"]
    unusable = summary["unusable_rows"]
    unusable_note = (
        f" ({format_count(summary['rows'], 'row')}; {unusable:,} cannot be used)" if unusable else ""
    )
    yield "ratings", f"{n:,}{unusable_note}"
    if n == 0:
        return
    yield "users", f"{summary['users']:,} ({summary['user_ids']} ids)"
    yield "items", f"{summary['items']:,} ({summary['item_ids']} ids)"
    yield "density", f"{100 * summary['density']:.4g} % of all pairs are rated"
    step = "" if summary["step"] is None else f" in steps of {summary['step']:g}"
    distinct = f", {format_count(summary['distinct'], 'different rating')}"
    yield "scale", f"{summary['min']:g} to {summary['max']:g}{step}{distinct}; {_format_scale(summary)}"
    yield "mean", f"{summary['mean']:.4f}, standard deviation {summary['std']:.4f}"
    tail = summary["long_tail"]
    share_text = ", ".join(f"{share} % hold {100 * tail[f'top_{share}']:.2g} %" for share in (1, 10, 20))
    yield "long tail", f"of the items, the most rated {share_text} of the ratings; Gini {tail['gini']:.2f}"
    if summary["time"] is not None:
        yield "time", _format_time_span(summary["time"])
    yield "held out", _format_cold_start(summary["cold_start"])


def _format_scale(summary: dict[str, Any]) -> str:
    scale = summary["declared_scale"]
    return "none declared" if scale is None else f"declared {scale[0]:g} to {scale[1]:g}"


def _format_time_span(time: dict[str, Any]) -> str:
    days = f"{time['days']:,.0f}" if time["days"] >= 100 else f"{time['days']:.3g}"
    text = f"{time['first']} to {time['last']}, {days} days; "
    order = "all" if time["in_order"] == 1 else f"{100 * time['in_order']:.3g} % of"
    return text + f"{order} rows in order" + (f"; exact to the {time['resolution']}")


def _format_cold_start(cold_start: dict[str, Any]) -> str:
    parts = []
    for key, description in (("hold_out", "20 % of the rows"), ("leave_one_out", "one rating a user")):
        shares = cold_start[key]
        if shares is not None:
            parts.append(
                f"{description}: user unknown in {100 * shares['unknown_user']:.2g} %, item in "
                f"{100 * shares['unknown_item']:.2g} %, both in {100 * shares['unknown_both']:.2g} %"
            )
    return "; ".join(parts) or "too few ratings to hold some out"


def _counts_table(summary: dict[str, Any], width: int) -> list[str]:
    headers = ["", *(f"{share} %" for share in QUANTILES), "only one"]
    rows = []
    for label, key, single in (
        ("ratings a user", "ratings_per_user", "users"),
        ("ratings an item", "ratings_per_item", "items"),
    ):
        counts = [f"{summary['quantiles'][key][str(share)]:,}" for share in QUANTILES]
        rows.append([label, *counts, f"{100 * summary['single'][single]:.2g} %"])
    table = format_text_table(headers, rows, "l" + "r" * (len(headers) - 1)).splitlines()
    if max(map(len, table)) <= width:
        return table
    transposed = [
        [header, *cells] for header, *cells in zip(headers[1:], *(row[1:] for row in rows), strict=True)
    ]
    return format_text_table(["", *(row[0] for row in rows)], transposed, "lrr").splitlines()


def _histogram_lines(summary: dict[str, Any], width: int, bar: str) -> list[str]:
    bars = summary["histogram"]
    max_count = max(part["count"] for part in bars)
    labels = _bar_labels(bars)
    counts = [f"{part['count']:,}" for part in bars]
    shares = [f"{100 * part['count'] / summary['ratings']:.1f} %" for part in bars]
    digits, share_width = max(map(len, counts)), max(map(len, shares))
    bar_width = max(5, min(50, width - len(labels[0]) - digits - share_width - 6))
    bar_lines = []
    for label, part, count, share in zip(labels, bars, counts, shares, strict=True):
        bar_text = bar * round(bar_width * part["count"] / max_count) or (
            _SHORTEST_BARS.get(bar, "|") if part["count"] else ""
        )
        bar_lines.append(
            f"{label}  {bar_text.ljust(bar_width)}  {count.rjust(digits)}  {share.rjust(share_width)}"
        )
    return bar_lines


def _bar_labels(bars: list[dict[str, Any]]) -> list[str]:
    """Return the rating or the range of each bar, padded to equal length."""
    ends = [(f"{part['low']:.4g}", f"{part['high']:.4g}", part["low"] == part["high"]) for part in bars]
    low_width = max((len(low) for low, _, single in ends if not single), default=0)
    high_width = max((len(high) for _, high, single in ends if not single), default=0)
    labels = [
        low if single else f"{low.rjust(low_width)} to {high.rjust(high_width)}" for low, high, single in ends
    ]
    return [label.rjust(max(map(len, labels))) for label in labels]


def _finding_lines(
    finding: Finding, severity: str, width: int, format_fix: Callable[[Hint | str], str]
) -> Iterator[StyledLine]:
    yield "", ""
    head = f"{'!' if severity == 'warning' else '-'} {finding.message}"
    for index, part in enumerate(textwrap.wrap(head, width, subsequent_indent="  ")):
        yield part, severity if index == 0 or severity == "warning" else ""
    for label, text in (("where", "; ".join(finding.where)), ("effect", finding.impact)):
        if text:
            yield from _label_lines(label, text, width, 8, _INDENT)
    if finding.fix:
        consequence = finding.fix.note if isinstance(finding.fix, Hint) else ""
        yield from _fix_lines(format_fix(finding.fix), consequence, width)


def _fix_lines(text: str, consequence: str, width: int) -> Iterator[StyledLine]:
    """Lay out a fix: the argument on one line, however long, so that it can be copied; its effect below."""
    start = " " * _INDENT + "fix".ljust(8)
    if len(start + text) <= width or not consequence:
        yield start + text, ""
        return
    yield start + text.removesuffix(consequence).rstrip(), ""
    for part in textwrap.wrap(consequence, width - len(start)):
        yield " " * len(start) + part, ""


def as_html(audit: AuditResult) -> str:
    """Return an audit for a notebook: summary and findings as tables, the histogram as text."""
    title = element("p", element("b", audit.headline))
    summary = notebook_table([], [list(pair) for pair in describe_summary(audit.summary)], "ll")
    bars = None
    if audit.summary["ratings"]:
        bars = element("pre", "\n".join(_histogram_lines(audit.summary, WIDTH, "█")))
    rows = [[f.severity, f.message, "; ".join(f.where), f.impact, str(f.fix)] for f in audit.findings]
    headers = ["", "finding", "where", "effect", "fix"]
    findings_table = notebook_table(headers, rows, "lllll") if rows else None
    return notebook_html(title, summary, bars, findings_table)
