"""An audit as lines of text, each with its style, and as HTML."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from foretaste._utils.formatting import html_table, plural, text_table
from foretaste.data_audit.findings import Audit, Finding
from foretaste.data_audit.summary import QUANTILES

WIDTH = 88
_LEAST = 48  # columns below which nothing can be laid out
_LABEL = 12  # of the facts
_TIPS = {"█": "▏"}  # the shortest bar, of what is there but hardly to be seen
_INDENT = 4  # of what belongs to a finding

Line = tuple[str, str]  # a text and its style: "", "strong", "faint", "warning" or "note"


def lines(
    audit: Audit, width: int = WIDTH, bar: str = "█", said: Callable[[str], str] = lambda mend: mend
) -> Iterator[Line]:
    """Yield the lines of an audit with their styles.

    Parameters
    ----------
    audit : Audit
    width : int
        Columns there are.
    bar : str
        What the bars of the histogram are made of.
    said : function of str
        How a mend is written: as Python, or as options of the command line.
    """
    width = max(width, _LEAST)
    for part in textwrap.wrap(audit.headline, width):
        yield part, "strong"
    yield "", ""
    for label, fact in facts_in_words(audit.facts):
        yield from _labelled(label, fact, width, _LABEL, 0)
    if audit.facts["ratings"]:
        yield "", ""
        for line in _counts_table(audit.facts, width):
            yield line, ""
        yield "", ""
        yield from ((line, "") for line in _histogram(audit.facts, width, bar))
    for word, group in (("warning", audit.warnings), ("note", audit.notes)):
        if group:
            yield "", ""
            yield plural(len(group), word), "strong"
        for finding in group:
            yield from _finding(finding, word, width, said)


def _labelled(label: str, text: str, width: int, column: int, indent: int) -> Iterator[Line]:
    start = " " * indent + label.ljust(column)
    rest = " " * len(start)
    parts = textwrap.wrap(text, width - len(start), break_long_words=False, break_on_hyphens=False) or [""]
    for place, part in enumerate(parts):
        yield (rest if place else start) + part, ""


def facts_in_words(facts: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the facts as people say them, label and text."""
    n = facts["ratings"]
    unusable = facts["unusable_rows"]
    lost = f" ({plural(facts['rows'], 'row')}; {unusable:,} cannot be used)" if unusable else ""
    yield "ratings", f"{n:,}{lost}"
    if n == 0:
        return
    yield "users", f"{facts['users']:,} ({facts['user_ids']} ids)"
    yield "items", f"{facts['items']:,} ({facts['item_ids']} ids)"
    yield "filled", f"{100 * facts['filled']:.4g} % of all pairs"
    step = "" if facts["step"] is None else f" in steps of {facts['step']:g}"
    kinds = f", {plural(facts['distinct'], 'different rating')}"
    yield "scale", f"{facts['min']:g} to {facts['max']:g}{step}{kinds}; {_declared(facts)}"
    yield "mean", f"{facts['mean']:.4f}, standard deviation {facts['std']:.4f}"
    tail = facts["long_tail"]
    held = ", ".join(f"{share} % hold {100 * tail[f'top_{share}']:.2g} %" for share in (1, 10, 20))
    yield "long tail", f"of the items, the most rated {held} of the ratings; Gini {tail['gini']:.2f}"
    if facts["time"] is not None:
        yield "time", _time(facts["time"])
    yield "held out", _cold(facts["cold"])


def _declared(facts: dict[str, Any]) -> str:
    scale = facts["declared_scale"]
    return "none declared" if scale is None else f"declared {scale[0]:g} to {scale[1]:g}"


def _time(time: dict[str, Any]) -> str:
    days = f"{time['days']:,.0f}" if time["days"] >= 100 else f"{time['days']:.3g}"
    text = f"{time['first']} to {time['last']}, {days} days; "
    order = "all" if time["in_order"] == 1 else f"{100 * time['in_order']:.3g} % of"
    return text + f"{order} rows in order" + (f"; exact to the {time['resolution']}")


def _cold(cold: dict[str, Any]) -> str:
    parts = []
    for key, held in (("hold_out", "20 % of the rows"), ("leave_one_out", "one rating a user")):
        found = cold[key]
        if found is not None:
            parts.append(
                f"{held}: user unknown in {100 * found['unknown_user']:.2g} %, item in "
                f"{100 * found['unknown_item']:.2g} %, both in {100 * found['unknown_both']:.2g} %"
            )
    return "; ".join(parts) or "too few ratings to hold some out"


def _counts_table(facts: dict[str, Any], width: int) -> list[str]:
    headers = ["", *(f"{share} %" for share in QUANTILES), "only one"]
    rows = []
    for label, key, single in (
        ("ratings a user", "ratings_a_user", "users"),
        ("ratings an item", "ratings_an_item", "items"),
    ):
        counts = [f"{facts['quantiles'][key][str(share)]:,}" for share in QUANTILES]
        rows.append([label, *counts, f"{100 * facts['single'][single]:.2g} %"])
    wide = text_table(headers, rows, "l" + "r" * (len(headers) - 1)).splitlines()
    if max(map(len, wide)) <= width:
        return wide
    turned = [
        [header, *cells] for header, *cells in zip(headers[1:], *(row[1:] for row in rows), strict=True)
    ]
    return text_table(["", *(row[0] for row in rows)], turned, "lrr").splitlines()


def _histogram(facts: dict[str, Any], width: int, bar: str) -> list[str]:
    bars = facts["histogram"]
    most = max(part["count"] for part in bars)
    labels = _bar_labels(bars)
    counts = [f"{part['count']:,}" for part in bars]
    shares = [f"{100 * part['count'] / facts['ratings']:.1f} %" for part in bars]
    digits, share_width = max(map(len, counts)), max(map(len, shares))
    room = max(5, min(50, width - len(labels[0]) - digits - share_width - 6))
    drawn = []
    for label, part, count, share in zip(labels, bars, counts, shares, strict=True):
        length = bar * round(room * part["count"] / most) or (_TIPS.get(bar, "|") if part["count"] else "")
        drawn.append(f"{label}  {length.ljust(room)}  {count.rjust(digits)}  {share.rjust(share_width)}")
    return drawn


def _bar_labels(bars: list[dict[str, Any]]) -> list[str]:
    """Write the rating or the range that each bar stands for, all equally long."""
    ends = [(f"{part['low']:.4g}", f"{part['high']:.4g}", part["low"] == part["high"]) for part in bars]
    left = max((len(low) for low, _, single in ends if not single), default=0)
    right = max((len(high) for _, high, single in ends if not single), default=0)
    labels = [low if single else f"{low.rjust(left)} to {high.rjust(right)}" for low, high, single in ends]
    return [label.rjust(max(map(len, labels))) for label in labels]


def _finding(finding: Finding, word: str, width: int, said: Callable[[str], str]) -> Iterator[Line]:
    yield "", ""
    head = f"{'!' if word == 'warning' else '-'} {finding.what}"
    for place, part in enumerate(textwrap.wrap(head, width, subsequent_indent="  ")):
        yield part, word if place == 0 or word == "warning" else ""
    for label, text in (("where", "; ".join(finding.where)), ("effect", finding.effect)):
        if text:
            yield from _labelled(label, text, width, 8, _INDENT)
    if finding.mend:
        yield from _mend(said(finding.mend), width)


def _mend(text: str, width: int) -> Iterator[Line]:
    """Lay out a mend: what can be copied in one line, however long, and what it does below if it must be."""
    start = " " * _INDENT + "mend".ljust(8)
    argument, word, what = next(
        (parts for word in (" leaves ", " keeps ") if (parts := text.partition(word))[1]), (text, "", "")
    )
    if len(start + text) <= width or not word:
        yield start + text, ""
        return
    yield start + argument, ""
    for part in textwrap.wrap(word + what, width - len(start)):
        yield " " * len(start) + part.strip(), ""


def as_html(audit: Audit) -> str:
    """Return an audit for a notebook: the facts as a table, the histogram as text, findings as tables."""
    title = f"<p><b>{html.escape(audit.headline)}</b></p>"
    facts = html_table(["", ""], [list(fact) for fact in facts_in_words(audit.facts)], "ll")
    bars = ""
    if audit.facts["ratings"]:
        bars = f"<pre>{html.escape(chr(10).join(_histogram(audit.facts, WIDTH, '█')))}</pre>"
    rows = [[f.severity, f.what, "; ".join(f.where), f.effect, f.mend] for f in audit.findings]
    found = html_table(["", "what", "where", "effect", "mend"], rows, "lllll") if rows else ""
    return title + facts + bars + found
