"""The report in Chromium: accessible, on a phone, on paper, without script, self-contained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import axe_source

from foretaste import KFold, Ratings, audit, compare, load_dataset, write_report
from foretaste.datasets import dirty_sample
from foretaste.models import SVD

pytestmark = pytest.mark.browser

WIDTHS = (1280, 390, 320)
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a page with everything, one with folds and warnings, one of results alone."""
    folder = tmp_path_factory.mktemp("pages")
    sample = load_dataset("sample")
    whole = compare(sample.replace(weight=np.ones(len(sample), np.float32)), name="the bundled sample")
    with dirty_sample.as_path() as path:
        found = audit(path)
    long = SVD(factors=3, epochs=12, learning_rate=0.012345, regularization=0.0625, init_std=0.03125)
    folds = compare(sample, ["Bias", "UserMean", long], split=KFold(3), name="a_long_name_" * 12)
    return {
        "whole": write_report(
            whole, folder / "whole.html", ratings=sample, command="foretaste compare sample " * 9,
            origin='load_dataset("sample")',
        ),
        "folds": write_report(folds, folder / "folds.html", ratings=sample, split=KFold(3), audit=found),
        "bare": write_report(whole, folder / "bare.html"),
    }  # fmt: skip


@pytest.fixture
def opened(browser: Any, pages: dict[str, Path]) -> Iterator[Callable[..., Any]]:
    contexts = []

    def open_page(name: str, width: int = 1280, **more: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **more)
        contexts.append(context)
        page = context.new_page()
        page.goto(pages[name].as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["whole", "folds"])
def test_report_has_no_accessibility_violations(
    opened: Callable[..., Any], name: str, width: int, scheme: str
) -> None:
    axe = axe_source()
    page = opened(name, width, color_scheme=scheme, bypass_csp=True)  # the page itself lets no script in
    for everything in (False, True):
        if everything:
            page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []
        assert len(found["passes"]) > 30


def test_axe_detects_a_planted_violation(opened: Callable[..., Any]) -> None:
    axe = axe_source()
    page = opened("bare", bypass_csp=True)
    page.evaluate("document.querySelector('.about').style.color = '#ccc'")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate(axe)
    found = {one["id"] for one in page.evaluate("axe.run()")["violations"]}
    assert {"color-contrast", "html-has-lang"} <= found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["whole", "folds", "bare"])
def test_page_never_scrolls_horizontally(opened: Callable[..., Any], name: str, width: int) -> None:
    page = opened(name, width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", WIDTHS)
def test_first_table_fits_the_viewport(opened: Callable[..., Any], width: int) -> None:
    box = "document.querySelector('.models > .scroll')"
    assert opened("whole", width).evaluate(f"{box}.scrollWidth <= {box}.clientWidth")


@pytest.mark.parametrize("width", WIDTHS)
def test_chart_text_keeps_its_size_and_stays_on_the_page(opened: Callable[..., Any], width: int) -> None:
    page = opened("whole", width)
    boxes = page.evaluate(
        """[...document.querySelectorAll('svg.plot text')].map(one => {
            const box = one.getBoundingClientRect();
            return [box.left, box.right, box.height];
        })"""
    )
    assert len(boxes) > 80
    assert min(box[0] for box in boxes) >= 0
    assert max(box[1] for box in boxes) <= width
    assert min(box[2] for box in boxes) >= 12


def test_report_is_readable_without_script(opened: Callable[..., Any]) -> None:
    page = opened("whole", java_script_enabled=False)
    text = page.locator("body").inner_text()
    for words in ("Use SVDpp: it misses", "The models", "Do it again", "Hold-out, 20 % of the rows"):
        assert words in text
    assert page.locator("svg.plot:visible").count() >= 9
    for place in range(page.locator("details").count()):
        details = page.locator("details").nth(place)
        assert details.locator("table, dl").first.is_hidden()
        details.locator("summary").click()  # opened by the browser itself
        assert details.locator("table, dl").first.is_visible()


def test_report_makes_no_further_requests(browser: Any, pages: dict[str, Path]) -> None:
    context = browser.new_context()
    page = context.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.goto(pages["whole"].as_uri())
    page.wait_for_load_state("networkidle")
    context.close()
    assert asked == [pages["whole"].as_uri()]
    assert said == []


def test_charts_have_accessible_descriptions(opened: Callable[..., Any]) -> None:
    page = opened("whole")
    for chart in page.locator("svg.plot").all():
        name = chart.get_attribute("aria-labelledby")
        title = page.locator(f"#{name}").text_content()
        assert page.get_by_role("img", name=title, exact=True).count() == 1
    headings = page.get_by_role("heading", level=2).all_inner_texts()
    assert headings[0] == "The models"
    assert headings[-1] == "Do it again"


def test_colors_follow_the_color_scheme(opened: Callable[..., Any]) -> None:
    colours = {
        scheme: opened("whole", color_scheme=scheme).evaluate(
            """[getComputedStyle(document.body).backgroundColor,
                getComputedStyle(document.querySelector('.mark.best')).fill,
                getComputedStyle(document.querySelector('svg.plot text')).fill]"""
        )
        for scheme in SCHEMES
    }
    assert colours["light"] == ["rgb(255, 255, 255)", "rgb(11, 92, 173)", "rgb(27, 31, 36)"]
    assert colours["dark"] == ["rgb(15, 20, 25)", "rgb(108, 182, 255)", "rgb(230, 237, 243)"]


def test_keyboard_reaches_everything_with_visible_focus(opened: Callable[..., Any]) -> None:
    page = opened("bare")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    wanted = page.locator("a:visible, summary:visible, [tabindex='0']:visible").count()
    reached = set()
    for _ in range(wanted):
        reached.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        style = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert style == "solid"
        page.keyboard.press("Tab")
    assert len(reached) == wanted > 10


def test_print_layout_is_one_light_column_with_all_charts(opened: Callable[..., Any]) -> None:
    page = opened("whole", color_scheme="dark")
    lefts = page.locator("figure").evaluate_all("all => all.map(one => one.getBoundingClientRect().left)")
    assert len(set(lefts)) > 1  # columns on a screen
    page.emulate_media(media="print", color_scheme="dark")
    lefts = page.locator("figure").evaluate_all("all => all.map(one => one.getBoundingClientRect().left)")
    assert len(set(lefts)) == 1
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    assert page.get_by_text("All figures of the models", exact=True).last.is_visible()
    assert page.locator("section[aria-labelledby=settings] table").first.is_visible()
    assert page.locator("figure table").first.is_hidden()
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF-")
    assert 4 <= paper.count(b"/Type /Page\n") <= 30


def test_chart_renders_in_a_notebook(browser: Any, ratings: Ratings, tmp_path: Path) -> None:
    from foretaste import plot

    path = tmp_path / "cell.html"
    charts = plot(compare(ratings, ["Bias", "UserMean"]))
    path.write_text(f"<!DOCTYPE html><html><body>{charts._repr_html_()}</body></html>")
    context = browser.new_context(viewport={"width": 700, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(path.as_uri())
    assert page.locator("svg.plot:visible").count() == 2
    found = "getComputedStyle(document.querySelector('.foretaste')).backgroundColor"
    assert page.evaluate(found) == "rgb(15, 20, 25)"  # of its own, whatever the notebook's
    context.close()
