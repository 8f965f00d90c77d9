"""Everything that is shown as HTML is escaped by the one builder, so no id, title or name breaks out."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_pages import Page

import foretaste
from foretaste import (
    SVD,
    HoldOut,
    Ratings,
    audit,
    compare,
    cross_validate,
    evaluate_ranking,
    explain,
    plot,
    recommend,
    similar_items,
    similar_users,
    tune,
)
from foretaste._utils.html import (
    append_children,
    element,
    notebook_html,
    notebook_table,
    strip_control_chars,
    table_element,
    to_html,
    truncate,
)
from foretaste.data_audit import Finding
from foretaste.features import ItemCatalog

HOSTILE = "</title></td><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\x1b[31m\u202egnp.exe"
HARMLESS_TAGS = {"p", "b", "pre", "table", "caption", "thead", "tbody", "tr", "th", "td"}


def hostile_ratings() -> Ratings:
    random = np.random.default_rng(0)
    user, item = random.integers(40, size=400).astype(str), random.integers(15, size=400).astype(str)
    value = random.integers(1, 6, 400)
    return Ratings.from_columns(
        np.char.add(f"u{HOSTILE}", user), np.char.add(f"i{HOSTILE}", item), value, duplicates="last"
    )


def hostile_objects() -> list[object]:
    """Return an object of every class that notebooks show, with hostile ids, titles and names."""
    ratings = hostile_ratings()
    catalog = ItemCatalog(ratings.items, {"title": np.array([HOSTILE] * len(ratings.items), object)}, "title")
    model = SVD(factors=2, epochs=2).fit(ratings)
    user, item = ratings.users.ids[0], ratings.items.ids[0]
    results = compare(ratings, ["Bias", "UserMean"], name=HOSTILE)
    breakdown = replace(results.breakdown(), model=HOSTILE)
    results = replace(
        results,
        rows=tuple(row | {"repr": HOSTILE + row["repr"]} for row in results.rows),
        notes=(HOSTILE,),
    )
    finding = Finding(HOSTILE, "warning", HOSTILE, 1, HOSTILE, HOSTILE, (HOSTILE,))
    train, test = next(HoldOut(seed=0).split(ratings))
    ranking = evaluate_ranking(ratings[train], ["Bias"], test=ratings[test])
    return [
        ratings,
        SVD(factors=HOSTILE),
        results,
        breakdown,
        replace(cross_validate("Bias", ratings, 2), protocol=HOSTILE),
        replace(ranking, notes=(HOSTILE,)),
        replace(tune("Bias", ratings, trials=2), notes=(HOSTILE,)),
        replace(audit(ratings), findings=(finding,), name=HOSTILE),
        recommend(model, user, 3, catalog=catalog),
        similar_items(model, item, catalog=catalog),
        similar_users(ratings, user),
        explain(model, user, item, ratings=ratings, catalog=catalog),
        plot(results),
        plot(results)["errors"],
    ]


@pytest.fixture(scope="module")
def objects() -> list[object]:
    return hostile_objects()


def test_no_notebook_output_can_be_broken_out_of(objects: list[object]) -> None:
    for shown in objects:
        page = Page(shown._repr_html_())
        tags = {tag for tag, _ in page.elements}
        is_chart = "svg" in tags
        assert tags.isdisjoint({"script", "img"}), type(shown)
        assert is_chart or tags <= HARMLESS_TAGS, type(shown)
        names = {name for _, attributes in page.elements for name in attributes}
        assert not [name for name in names if name.startswith("on")], type(shown)
        assert is_chart or names <= {"style", "scope", "colspan"}, type(shown)
        assert not {"\x1b", "\u202e"} & set(page.source), type(shown)
        if not isinstance(shown, Ratings):  # shows counts only
            assert "<script>" in page.text or is_chart, type(shown)  # as text


def test_every_class_with_notebook_output_is_among_them(objects: list[object]) -> None:
    classes = {
        node.name
        for path in Path(foretaste.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(entry, ast.FunctionDef) and entry.name == "_repr_html_" for entry in node.body)
    }
    shown = {base.__name__ for item in objects for base in type(item).__mro__}
    assert len(classes) >= 12
    assert classes - shown == set()


@given(st.text())
def test_any_text_is_read_back_as_it_was_written(text: str) -> None:
    node = element("p", text, title=text, class_=None)
    append_children(node, element("b", "x"), text)
    page = Page(to_html(node))
    assert [tag for tag, _ in page.elements] == ["p", "b"]
    shown = strip_control_chars(text).replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(page.pieces) == f"{shown}x{shown}"
    assert page.elements[0][1]["title"] == shown


def test_control_characters_are_replaced_and_long_text_truncated() -> None:
    assert strip_control_chars("a\x00b\u202ec\ud800d\ne\tf") == "a\ufffdb\ufffdc\ufffdd\ne\tf"
    assert truncate("x" * 300) == "x" * 300
    assert truncate("x" * 301) == "x" * 297 + "..."


ROWS = [["1", "2", "3"], ["4", "all the rest"], ["all"]]


def test_last_cell_of_a_short_row_spans_the_rest() -> None:
    page = Page(to_html(table_element(["a", "b", "c"], ROWS, "lrl", "Some", highlighted_row=1)))
    assert page.tables == {"Some": [["a", "b", "c"], *ROWS]}
    assert page.named("td")[-1] == {"colspan": "2"}
    assert page.named("th")[-1] == {"scope": "row", "colspan": "3"}
    assert [a.get("class") for a in page.named("tr")] == [None, None, "best", None]


def test_notebook_tables_align_without_a_style_sheet_and_keep_long_cells() -> None:
    page = Page(notebook_html("before", notebook_table(["a", "b"], [["x" * 500, "2"]], "lr"), None, "after"))
    assert page.tables == {"": [["a", "b"], ["x" * 500, "2"]]}
    assert [a["style"] for a in page.named("td")] == ["text-align:right"]
    assert [a["style"] for a in page.named("th")] == [
        "text-align:left", "text-align:right", "text-align:left",
    ]  # fmt: skip
    assert not [a for _, a in page.elements if "class" in a]
    assert [tag for tag, _ in page.elements if tag == "p"] == ["p", "p"]
    headless = Page(to_html(notebook_table([], [["a", "b"]], "lr", "Title")))
    assert headless.tables == {"Title": [["a", "b"]]}
    assert headless.named("thead") == []
