"""The page is one file that loads nothing, runs nothing, escapes everything and stays small."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_pages import Page

from foretaste import Ratings, Results, audit, compare, write_report
from foretaste.data_audit import Finding
from foretaste.report.page import MAX_BYTES

HOSTILE = "</title><script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\x00\x1b[31m\u202egnp.exe"
LINKS = {
    "href",
    "src",
    "srcset",
    "action",
    "formaction",
    "data",
    "poster",
    "background",
    "ping",
    "xlink:href",
}
SIZE = 300_000  # the promise, in the documentation too


@pytest.fixture(scope="module")
def results(ratings: Ratings) -> Results:
    return compare(ratings, ["Bias", "SVD", "TimeSVDpp"], name="planted")


def check_harmless(page: Page) -> None:
    """Fail if a page would fetch, run or send anything."""
    assert {tag for tag, _ in page.elements}.isdisjoint(
        {
            "script",
            "iframe",
            "object",
            "embed",
            "img",
            "image",
            "use",
            "link",
            "base",
            "form",
            "input",
            "audio",
        }
    )
    for tag, attributes in page.elements:
        assert not [name for name in attributes if name.startswith("on")]
        for name in LINKS & set(attributes):
            assert tag == "a"
            assert attributes[name].startswith("#")
        assert "url(" not in (attributes.get("style") or "")
    (css,) = page.styles
    assert not re.search(r"url\(|@import|https?:|//", css)
    policies = [a["content"] for a in page.named("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"]


def test_page_loads_and_runs_nothing(results: Results, ratings: Ratings, tmp_path: Path) -> None:
    page = Page(write_report(results, tmp_path / "r.html", ratings=ratings))
    check_harmless(page)
    assert "http" not in re.sub(r'http-equiv="Content-Security-Policy"', "", page.source)
    assert page.source.startswith('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">')
    assert [tag for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)][:2] == ["h1", "h2"]
    assert page.source.count("<h1") == 1


def test_every_text_is_escaped(results: Results, ratings: Ratings, tmp_path: Path) -> None:
    hostile = Ratings.from_columns(
        np.char.add(f"u{HOSTILE.replace(chr(0), '')}", ratings.user_ids.astype(str)),
        np.char.add(f"i{HOSTILE.replace(chr(0), '')}", ratings.item_ids.astype(str)),
        ratings.value,
    )
    found = audit(hostile)
    finding = Finding(HOSTILE, "warning", HOSTILE, 1, HOSTILE, HOSTILE, (HOSTILE, HOSTILE))
    found = replace(found, name=HOSTILE, findings=(*found.findings, finding))
    rows = tuple(
        row | {"model": HOSTILE + row["model"], "repr": HOSTILE + row["repr"], "params": {HOSTILE: HOSTILE}}
        for row in results.rows
    )
    told = replace(
        results, dataset=results.dataset | {"name": HOSTILE}, protocol=HOSTILE, rows=rows, notes=(HOSTILE,)
    )
    page = Page(
        write_report(
            told, tmp_path / "r.html", ratings=hostile, audit=found, command=HOSTILE, origin=HOSTILE
        )
    )  # fmt: skip
    check_harmless(page)
    assert page.text.count("<script>alert(1)</script>") >= 10  # to be read, not to be run
    assert "\x00" not in page.source
    assert "\x1b" not in page.source
    assert "\u202e" not in page.source


@pytest.mark.nightly
def test_many_models_with_long_names_stay_within_the_size(results: Results, tmp_path: Path) -> None:
    first = results.rows[0]
    rows: list[dict[str, Any]] = []
    for place in range(3000):
        params = {f"p{n}_{'y' * 500}": "z" * 5000 for n in range(100)}
        name = f"Model{place}{'x' * 100_000 if place % 100 == 0 else 'x' * 1000}"
        rows.append(first | {"model": name, "repr": name, "params": params, "rmse": 1 + place})
    many = replace(
        results, rows=tuple(rows), notes=("n" * 10_000,) * 1000, protocol="p" * 1_000_000,
        dataset=results.dataset | {"name": "d" * 1_000_000},
    )  # fmt: skip
    path = write_report(many, tmp_path / "r.html", command="c" * 1_000_000, origin="o" * 1_000_000)
    assert path.stat().st_size <= SIZE == MAX_BYTES
    page = Page(path)
    assert "more models, which are worse, are not shown" in page.text


def test_many_findings_stay_within_the_size(results: Results, ratings: Ratings, tmp_path: Path) -> None:
    text = "w" * 100_000
    findings = tuple(Finding(f"kind{n}", "note", text, 1, text, text, (text,) * 6) for n in range(40))
    found = replace(audit(ratings), findings=findings)
    assert write_report(results, tmp_path / "r.html", audit=found).stat().st_size <= SIZE


@pytest.mark.nightly
def test_two_million_ratings_stay_within_the_size(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    n, users, items = 2_000_000, 100_000, 20_000
    pairs = np.unique(
        random.integers(users, size=2 * n) * items + (items * random.random(2 * n) ** 3).astype(np.int64)
    )
    rows = np.sort(random.choice(len(pairs), n, replace=False))
    user, item = np.divmod(pairs[rows], items)
    value = np.clip(np.round(3 + random.standard_normal(n)), 1, 5)
    when = random.integers(1_000_000_000, 1_700_000_000, n)
    large = Ratings.from_columns(user, item, value, timestamp=when)
    assert len(large) == n
    assert len(large.users) > 99_000
    results = compare(large, ["Bias", "UserMean", "ItemMean", "Popularity"], name="large")
    path = write_report(results, tmp_path / "r.html", ratings=large)
    assert path.stat().st_size <= SIZE
    page = Page(path)
    assert len(page.named("figure")) >= 7
    assert f"Of {n // 5:,} held-out ratings." in page.text
