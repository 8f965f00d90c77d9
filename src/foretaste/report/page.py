"""The page: what is said first, then the table, then charts, then how it was done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from foretaste._utils.formatting import plural
from foretaste.data_audit import Audit, Finding
from foretaste.data_audit.rendering import facts_in_words
from foretaste.evaluation import Results
from foretaste.models import BY_NAME
from foretaste.ratings import Ratings
from foretaste.report.chart import Chart, style
from foretaste.report.figures_breakdown import breakdown_charts
from foretaste.report.figures_predictions import held_out_charts
from foretaste.report.figures_ratings import histogram, tails
from foretaste.report.figures_results import results_charts
from foretaste.report.html import Child, Node, add, element, raw, short, table, written
from foretaste.report.models_table import models_table
from foretaste.report.refit import HeldOut
from foretaste.report.reproduce import versions
from foretaste.report.summary import sentences

LARGEST = 300_000  # bytes of a page
MOST = (200, 60, 20, 6)  # models shown, as many as there is room for
_VALUES = 6  # of a parameter that models of one kind differ in
_CODE = 2000  # characters of what can be copied
_PARAMETERS = 40  # of a model
_NOTES = 20
# Nothing is fetched, nothing is run, nothing is sent.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Material:
    """All that a page is made of."""

    results: Results
    ratings: Ratings | None
    audit: Audit | None
    held: HeldOut | None
    left_out: str
    command: str | None
    code: str | None
    now: datetime


def page(made_of: Material) -> str:
    """Return the page as HTML, of at most ``LARGEST`` bytes, with as many models as there is room for."""
    drawn = ""
    for most in MOST:
        drawn = _page(made_of, most)
        if len(drawn.encode()) <= LARGEST:
            break
    return drawn


def _page(made_of: Material, most: int) -> str:
    results = made_of.results
    title = short(str(results.dataset["name"]), 120)
    title = f"The{title[3:]}" if title.startswith("the ") else title  # a name of words, not of a file
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content="foretaste"),
        element("title", f"{title}: which model predicts it best"),
        raw("style", style("charts.css") + style("page.css")),
    )
    sections = list(_sections(made_of, most))
    main = element("main", *(section for _, _, section in sections), id="content")
    body = element(
        "body",
        element("a", "To the content", href="#content", class_="skip"),
        element("div", _header(made_of, title, sections), main, _footer(made_of), class_="page"),
        class_="foretaste",
    )
    return "<!DOCTYPE html>\n" + written(element("html", head, body, lang="en")) + "\n"


Section = tuple[str, str, Node]


def _header(made_of: Material, title: str, sections: list[Section]) -> Node:
    results = made_of.results
    places = {name for name, _, _ in sections} | {
        heading.get("id", "") for _, _, section in sections for heading in section.iter("h3")
    }
    lead = element("ul", class_="lead")
    for sentence, place in sentences(results, made_of.audit):
        more = element(
            "a",
            "figures",
            element("span", f" of: {short(sentence, 60)}", class_="unseen"),
            href=f"#{place}",
            class_="more",
        )
        together = short(sentence, 600).replace(" %", "\N{NO-BREAK SPACE}%")
        lead.append(element("li", f"{together} ", more if place in places else None))
    listed = [element("li", element("a", words, href=f"#{name}")) for name, words, _ in sections]
    day = made_of.now.strftime("%d %B %Y").lstrip("0")
    return element(
        "header",
        element(
            "p", "foretaste report, ",
            element("time", day, datetime=made_of.now.isoformat(timespec="seconds")), class_="overline",
        ),
        element("h1", title),
        element("p", short(results.about.removeprefix(f"{results.dataset['name']}: ")), class_="about"),
        lead,
        element("nav", element("ul", *listed), aria_label="Contents"),
    )  # fmt: skip


def _sections(made_of: Material, most: int) -> Iterator[Section]:
    results = made_of.results
    yield _section(
        "models", "The models", models_table(results, most), _charts(results_charts(results), "uneven")
    )
    if made_of.held is not None:
        charts = [*held_out_charts(made_of.held), *_taken_apart(results, made_of.held)]
        yield _section("predictions", "The predictions", _charts(charts))
    elif made_of.left_out:
        words = element(
            "p", f"How far single predictions miss is not shown: {made_of.left_out}.", class_="quiet"
        )
        yield _section("predictions", "The predictions", words)
    spread = [histogram(made_of.audit.facts)] if made_of.audit is not None else []
    spread += list(tails(made_of.ratings)) if made_of.ratings is not None else []
    drawn = [chart for chart in spread if chart is not None]
    if drawn:
        yield _section("spread", "The ratings", _charts(drawn))
    if made_of.audit is not None:
        yield _section("audit", "The audit", *_audit(made_of.audit))
    yield _section("protocol", "How it was measured", *_protocol(made_of))
    yield _section("settings", "Settings", *_settings(results, most))
    yield _section("again", "Do it again", *_again(made_of))


def _taken_apart(results: Results, held: HeldOut) -> Iterator[Chart]:
    """Yield the charts of the error in parts, from results that still hold their predictions."""
    if getattr(results, "kept", None) is not None:
        parts = getattr(results, "breakdown")().parts  # noqa: B009 - not all results can
        yield from breakdown_charts(parts, held.model, float(held.true.std()))


def _section(name: str, title: str, *children: Child) -> Section:
    return name, title, element("section", element("h2", title, id=name), *children, aria_labelledby=name)


def _charts(charts: Iterable[Chart], kind: str = "") -> Node | None:
    drawn = [chart.figure() for chart in charts]
    kind = kind or ("three" if len(drawn) == 3 else "")
    return element("div", *drawn, class_=f"charts {kind}".strip()) if drawn else None


def _described(pairs: Iterable[tuple[str, Child]], kind: str | None = None) -> Node:
    listed = element("dl", class_=kind)
    for word, meaning in pairs:
        add(listed, element("dt", word), element("dd", meaning))
    return listed


def _audit(audit: Audit) -> Iterator[Node]:
    yield element("p", short(audit.headline))
    for finding in audit.findings:
        yield _finding(finding)
    facts = _described(((label, short(fact)) for label, fact in facts_in_words(audit.facts)), "facts")
    yield element("details", element("summary", "All figures of the audit"), facts)


def _finding(finding: Finding) -> Node:
    badge = element("span", finding.severity, class_=f"badge {finding.severity}")
    head = element("h3", badge, " ", short(finding.what, 600))
    pairs: list[tuple[str, Child]] = [("effect", short(finding.effect, 600))]
    if finding.where:
        pairs.insert(0, ("where", "; ".join(short(place, 100) for place in finding.where)))
    if finding.mend:
        pairs.append(("mend", element("code", short(finding.mend, _CODE))))
    return element("div", head, _described(pairs), class_="finding")


def _protocol(made_of: Material) -> Iterator[Node]:
    results = made_of.results
    yield element("p", f"{short(results.protocol[:1].upper() + results.protocol[1:], 600)}.")
    yield element(
        "p",
        "Every model learned from the same rows and was judged by the same other rows, none of which it saw "
        "while it learned. RMSE is the root of the mean squared difference between predicted and given "
        "rating, MAE the mean difference; both are in rating units, and lower is better. Rows whose user or "
        "item was unknown were answered by a fallback, and count.",
    )
    if made_of.held is not None:
        yield element(
            "p",
            f"For the charts of predictions, {short(made_of.held.model)} was fitted once more in the same "
            "way; so were the models whose learning is drawn.",
        )
    for note in results.notes[:_NOTES]:
        yield element("p", short(f"{note[:1].upper()}{note[1:]}", 600) + ".")


def _settings(results: Results, most: int) -> Iterator[Node]:
    yield element("p", "All hyperparameters of each model. What differs from the defaults is marked.")
    kinds: dict[str, list[dict[str, Any]]] = {}
    for row in results.rows[:most]:
        kinds.setdefault(short(str(row["model"]), 80), []).append(row)
    listed = element("div", class_="settings")
    for kind, rows in kinds.items():
        many = f", {len(rows)} settings" if len(rows) > 1 else ""
        details = element("details", element("summary", kind + many))
        lines = list(_parameters(rows))
        headers = ["parameter", "value", "default", "meaning"]
        if lines:
            details.append(table(headers, lines, "llll", f"Settings of {kind}"))
        else:
            details.append(element("p", "It has no hyperparameters."))
        listed.append(details)
    yield listed


def _parameters(rows: list[dict[str, Any]]) -> Iterator[list[str]]:
    model = BY_NAME.get(rows[0]["model"])
    declared = {} if model is None else model.declarations()
    names = list(dict.fromkeys(name for row in rows for name in row["params"]))
    if len(names) > _PARAMETERS:
        yield [f"the first {_PARAMETERS} of {len(names)}", "", "", ""]
    for name in names[:_PARAMETERS]:
        values = list(dict.fromkeys(repr(row["params"].get(name)) for row in rows))
        more = f" and {len(values) - _VALUES} others" if len(values) > _VALUES else ""
        known = declared.get(name)
        default = "" if known is None else repr(known.default)
        changed = known is not None and values != [default]
        said = "; ".join(short(value, 80) for value in values[:_VALUES]) + more
        yield [name, said + (" (changed)" if changed else ""), short(default), known.meaning if known else ""]


def _again(made_of: Material) -> Iterator[Node]:
    for words, text in (("On the command line", made_of.command), ("In Python", made_of.code)):
        if text:
            yield element("h3", words)
            yield element("pre", element("code", short(text, _CODE)), tabindex=0)
    yield element("h3", "Written with")
    yield _described(versions(), "facts")


def _footer(made_of: Material) -> Node:
    judged: Sequence[Any] = [row for row in made_of.results.rows if "refused" not in row]
    words = (
        f"{plural(len(judged), 'model')} judged. This page is one file: it fetches nothing and sends nothing."
    )
    return element("footer", element("p", words))
