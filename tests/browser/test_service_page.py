"""The service's page in Chromium: from nothing to suggestions, by mouse, by keyboard, without script."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi", reason='needs pip install "foretaste[serve]"')

from page_paths import Person, one_command

from foretaste import Ratings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def service(browser: Any, tmp_path_factory: pytest.TempPathFactory, ratings: Ratings) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("page")
    with one_command(folder, ratings, ratings.value.round(1), "--scale", "-8,8", "--model", "SVD") as started:
        started.key = (folder / "service" / "admin.key").read_text().strip()
        yield started


def test_by_mouse_from_nothing_to_suggestions(someone: Callable[..., Person], service: Any) -> None:
    person = someone()
    page = person.open()
    assert person.suggested() == []
    seen = []
    for number, share in enumerate((0.9, 0.15, 0.8), start=1):
        heading = page.locator("#item").inner_text()
        person.rate(share, number)
        assert page.locator("#item").inner_text() != heading
        assert len(person.suggested()) == 5
        seen.append(person.suggested())
    assert seen[0] != seen[1] != seen[2]
    assert re.search(r"You gave .* We had guessed [+−]\d\.\d\.", page.locator("#notice").inner_text())
    assert page.locator(".change").count() >= 1
    assert "because" in page.locator(".why").first.inner_text()
    details = page.locator(".best details").first
    assert details.locator("table").is_hidden()
    details.locator("summary").click()
    rows = details.locator("td").all_inner_texts()
    numbers = [float(text.replace("−", "-").replace("±", "")) for text in rows]
    assert abs(sum(numbers[:-1]) - numbers[-1]) <= 0.005 * len(numbers) + 1e-9
    assert len(numbers) >= 4
    page.get_by_role("link", name=re.compile("^Similar to")).first.click()
    assert page.get_by_role("heading", name="Similar").is_visible()
    assert page.locator("section[aria-labelledby=similar] li").count() >= 1
    page.get_by_role("link", name="Rate it", exact=True).click()
    person.rate(0.7, 4)
    assert any(one["shown_prediction"] is not None for one in person.kept()["ratings"])
    page.get_by_role("button", name="Undo").click()
    person.done(3)
    assert len(person.kept()["ratings"]) == 3
    assert {url.partition("/")[2].partition("/")[2].partition("/")[0] for url in person.asked} == {
        service.url.partition("//")[2]
    }
    assert person.said == []  # nothing was blocked, nothing failed


def test_by_keyboard_alone(someone: Callable[..., Person]) -> None:
    person = someone()
    page = person.open()
    page.keyboard.press("Tab")
    assert person.focused() == "Skip to the content"
    page.keyboard.press("Enter")
    person.tab_to("slider")
    slider = page.locator("#slider")
    assert slider.get_attribute("aria-valuetext") == "not rated yet"
    page.keyboard.press("Enter")  # unanswered: nothing is sent
    assert page.get_by_role("alert").inner_text() == "Error: Move the slider first, or skip."
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "plus 1.7, liked it"
    assert page.get_by_role("alert").inner_text() == ""
    page.keyboard.press("Enter")
    person.done(1)
    assert person.focused() == "item"  # the new heading, to be read once
    person.hears("^Saved plus 1[.]7, liked it[.]")
    person.tab_to("slider")
    page.keyboard.press("Space")  # the middle is an answer, too
    assert slider.get_attribute("aria-valuetext") == "0.0, so-so"
    page.keyboard.press("End")
    assert slider.get_attribute("aria-valuetext") == "plus 8.0, loved it"
    page.keyboard.press("Enter")
    person.done(2)
    person.hears("[0-5] of 5 suggestions changed")
    heading = page.locator("#item").inner_text()
    page.keyboard.press("u")  # not in the form: no shortcut
    page.keyboard.press("s")
    assert page.locator("#item").inner_text() == heading
    person.tab_to("slider")
    page.keyboard.press("s")
    page.wait_for_selector("#undo[action='/restore']")
    assert page.locator("#item").inner_text() != heading
    person.tab_to("slider")
    page.keyboard.press("u")
    page.wait_for_selector("#undo", state="detached")
    assert page.locator("#item").inner_text() == heading
    person.tab_to(" ".join(page.locator(".best summary").first.inner_text().split()))
    page.keyboard.press("Enter")
    assert page.locator(".best details[open] table").is_visible()
    assert sorted(one["value"] for one in person.kept()["ratings"]) == [1.7, 8.0]


def test_unanswered_question_is_not_stored(someone: Callable[..., Person]) -> None:
    person = someone()
    page = person.open()
    save = page.get_by_role("button", name="Rate and next")
    save.click()
    assert page.get_by_role("alert").inner_text() == "Error: Move the slider first, or skip."
    assert person.kept()["ratings"] == []
    person.click_track(0.5)  # the resting thumb itself
    save.click()
    person.done(1)
    assert person.kept()["ratings"][0]["value"] == 0.0
    page.get_by_role("button", name="Raise by").click()
    page.get_by_role("button", name="Raise by").click()
    page.get_by_role("button", name="Lower by").click()
    assert page.locator(".shown").inner_text() == "+0.5, so-so"
    save.click()
    person.done(2)
    assert sorted(one["value"] for one in person.kept()["ratings"]) == [0.0, 0.5]
    person.click_track(0.52)
    assert re.fullmatch(r"You gave (\+0\.5|0\.0) to .*", page.locator("#like").inner_text())
    page.get_by_role("button", name="Skip").click()
    page.wait_for_selector("#undo[action='/restore']")
    assert len(person.kept()["ratings"]) == 2


def test_without_script(someone: Callable[..., Person]) -> None:
    person = someone(java_script_enabled=False)
    page = person.open()
    save = page.get_by_role("button", name="Rate and next")
    save.click()
    assert page.get_by_role("alert").inner_text() == "Error: Move the slider first, or skip."
    assert person.kept()["ratings"] == []
    for number, value in enumerate(("6.5", "-7", "3"), start=1):
        page.get_by_label("Your rating").fill(value)
        save.click()
        assert page.locator(".intro strong").inner_text() == str(number)
    assert len(person.suggested()) == 5
    page.locator(".best summary").first.click()
    assert page.locator(".best details table").first.is_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("button", name="Skip").click()
    assert page.locator("#notice").inner_text().startswith("Skipped")
    page.get_by_role("link", name="Your ratings").click()
    page.get_by_role("button", name=re.compile("^Delete .")).first.click()
    assert len(person.kept()["ratings"]) == 1
    page.get_by_text("Forget me").click()
    page.get_by_role("button", name="Delete everything").click()
    assert "All is deleted: 1 rating," in page.locator("#notice").inner_text()
    assert person.kept()["user"] is None


def test_one_status_region_and_no_live_list(someone: Callable[..., Person]) -> None:
    person = someone()
    page = person.open()
    person.rate(0.9, 1)
    assert page.get_by_role("status").count() == 1
    assert page.locator("output, [aria-live]").count() == 0
    assert page.get_by_role("slider", name="Your rating").count() == 1
    assert page.locator("#status li, #status ol").count() == 0


@pytest.mark.parametrize("width", [1280, 320])
def test_no_page_state_has_accessibility_violations(
    someone: Callable[..., Person], service: Any, width: int
) -> None:
    person = someone(width=width, bypass_csp=True)
    faults: list[Any] = []
    page = person.open()
    person.look("empty", faults)
    page.get_by_role("button", name="Rate and next").click()
    person.look("unanswered", faults)
    for number, share in enumerate((0.9, 0.15, 0.8), start=1):
        person.rate(share, number)
    person.click_track(0.7)
    page.locator(".best summary").first.click()
    person.look("suggestions", faults)
    page.get_by_role("link", name=re.compile("^Similar to")).first.click()
    person.look("an item", faults)
    person.open("/mine")
    page.get_by_text("Forget me").click()
    person.look("what is kept", faults)
    person.open("/nowhere")
    person.look("nothing there", faults)
    person.open("/admin")
    page.get_by_label("Admin key").fill("wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#alert:not(:empty)")
    person.look("a wrong key", faults)
    page.get_by_label("Admin key").fill(service.key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#jobs")
    person.look("admin", faults)
    assert faults == []


def test_axe_detects_a_planted_violation(someone: Callable[..., Person]) -> None:
    person = someone(bypass_csp=True)
    page = person.open()
    page.evaluate("document.querySelector('label[for=slider]').remove()")
    page.evaluate("document.querySelector('.quiet').style.color = '#ccc'")
    faults: list[Any] = []
    person.look("spoilt", faults)
    assert {"color-contrast", "label"} <= {one[2] for one in faults}


def test_unreachable_service_is_reported(someone: Callable[..., Person]) -> None:
    person = someone()
    page = person.open()
    person.click_track(0.9)
    page.route("**/rate", lambda route: route.abort())
    page.get_by_role("button", name="Rate and next").click()
    page.locator("#alert", has_text="does not answer").wait_for()
    assert page.locator("#sent").input_value() != ""  # the answer is still there
    page.unroute("**/rate")
    page.get_by_role("button", name="Rate and next").click()
    person.done(1)
    person.context.clear_cookies()
    person.click_track(0.2)
    page.get_by_role("button", name="Rate and next").click()
    page.locator("#alert", has_text="Nothing was changed").wait_for()
    assert page.get_by_role("alert").inner_text().startswith("Error: This form is too old")


def test_administrator_by_keyboard_alone(someone: Callable[..., Person], service: Any) -> None:
    person = someone()
    page = person.open("/admin")
    person.tab_to("key")
    page.keyboard.type("foretaste_wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#alert:not(:empty)")
    assert page.get_by_role("alert").inner_text() == "Error: This key is unknown or revoked."
    person.tab_to("key")
    page.keyboard.type(service.key)
    page.keyboard.press("Enter")
    page.wait_for_selector("#jobs")
    assert page.evaluate("document.cookie") == ""
    assert service.key not in page.content() + page.url
    for words in ("900 ratings of", "RMSE", "always guessing the mean", "active"):
        assert words in page.locator("main").inner_text()
    before = page.locator(".models > li").count()
    person.tab_to("Train again")
    page.keyboard.press("Enter")
    page.wait_for_selector("progress")
    person.hears("^The training has started")
    page.wait_for_selector("#jobs:not([data-running])")
    person.hears("^The training is over[.] done")
    assert page.locator(".models > li").count() == before + 1
    person.tab_to("Go back to the previous model")
    page.keyboard.press("Enter")
    page.locator("#notice", has_text="The previous model is active again.").wait_for()
    person.tab_to("Sign out")
    page.keyboard.press("Enter")
    page.wait_for_selector("#key")
    person.open("/admin/jobs")
    assert page.locator("#problem").inner_text().startswith("You are not signed in")


def test_job_is_canceled_by_mouse(someone: Callable[..., Person], service: Any) -> None:
    person = someone()
    page = person.open("/admin")
    page.get_by_label("Admin key").fill(service.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Model", exact=True).select_option("SVDpp")
    page.get_by_role("button", name="Train again").click()
    page.get_by_role("button", name="Stop the training").click()
    page.wait_for_selector("#jobs:not([data-running])")
    assert re.match("(cancelled|done|rejected)", page.locator(".jobs li").first.inner_text())


def test_serve_prints_the_page_address(service: Any, tmp_path: Path) -> None:
    assert any(f"{service.url}/ " in line and f"{service.url}/admin" in line for line in service.lines)
