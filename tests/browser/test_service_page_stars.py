"""The service's page with stars: radio buttons by mouse, by keyboard alone, and without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason='needs pip install "foretaste[serve]"')

from page_paths import Person, one_command

from foretaste import Ratings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def service(browser: Any, tmp_path_factory: pytest.TempPathFactory, ratings: Ratings) -> Iterator[Any]:
    stars = np.clip(np.round(3 + ratings.value / 3), 1, 5)
    with one_command(tmp_path_factory.mktemp("stars"), ratings, stars, "--model", "ItemKNN") as started:
        yield started


def test_stars_by_mouse(someone: Callable[..., Person]) -> None:
    person = someone(width=320)
    page = person.open()
    page.get_by_role("button", name="Rate and next").click()
    assert page.get_by_role("alert").inner_text() == "Error: Choose a rating first, or skip."
    stars = page.locator(".options label:not(.none)")
    assert stars.count() == 5
    box = stars.first.bounding_box()
    assert min(box["width"], box["height"]) >= 44
    filled = "all => all.map(one => getComputedStyle(one).fill !== 'none')"
    assert page.locator(".stars svg").evaluate_all(filled) == [False] * 5
    stars.nth(3).click()
    assert page.locator(".stars svg").evaluate_all(filled) == [True] * 4 + [False]
    page.get_by_role("button", name="Rate and next").click()
    person.done(1)
    assert page.locator("#notice").inner_text().startswith("You gave 4 (liked it) to ")
    assert person.kept()["ratings"][0]["value"] == 4
    stars.nth(1).click()
    page.locator(".none").click()  # taken back
    page.get_by_role("button", name="Rate and next").click()
    assert page.get_by_role("alert").inner_text() == "Error: Choose a rating first, or skip."
    assert len(person.kept()["ratings"]) == 1


def test_stars_by_keyboard_alone(someone: Callable[..., Person]) -> None:
    person = someone(bypass_csp=True)
    page = person.open()
    chosen = page.locator("input[type=radio]:checked")
    page.keyboard.press("Tab")
    while not page.evaluate("document.activeElement.matches('[type=radio]')"):
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")  # from "No rating" round to the first
    page.keyboard.press("ArrowRight")
    assert chosen.input_value() == "2.0"
    faults: list[Any] = []
    person.look("stars", faults)
    assert faults == []
    assert page.get_by_role("radio", name="2 stars, did not like it").is_checked()
    page.keyboard.press("Enter")
    person.done(1)
    person.hears("^Saved 2 stars, did not like it[.]")
    assert person.focused() == "item"
    assert person.kept()["ratings"][0]["value"] == 2


def test_stars_without_script(someone: Callable[..., Person]) -> None:
    person = someone(java_script_enabled=False)
    page = person.open()
    for number, star in enumerate((4, 0, 3), start=1):
        page.locator(".options label").nth(star).click()
        page.get_by_role("button", name="Rate and next").click()
        assert page.locator(".intro strong").inner_text() == str(number)
    assert len(person.suggested()) == 5
    page.get_by_role("button", name="Rate and next").click()
    assert page.get_by_role("alert").inner_text() == "Error: Choose a rating first, or skip."
    assert sorted(one["value"] for one in person.kept()["ratings"]) == [1, 4, 5]
