"""The service's page in Chromium: a service started by one command, and the actions of a visitor."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "service"))

from browsers import axe_source
from service_fixtures import Service, running_service

TITLES = ("The Long Way Home", "A Quiet Street", "Nine Lives", "Salt", "The Second Bell", "Over the Hill")


def write_files(folder: Path, ratings: Any, values: Any) -> tuple[Path, Path]:
    """Write ratings and titles to two CSV files."""
    given, titles = folder / "ratings.csv", folder / "titles.csv"
    with given.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["user", "item", "rating"])
        writer.writerows(
            zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), values.tolist(), strict=True)
        )
    with titles.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "title"])
        for place, item in enumerate(ratings.items):
            name = f"{TITLES[place % len(TITLES)]} {place + 1}"
            writer.writerow([item, name if place % 5 else f"{name}.\nA text of some length, " + "word " * 30])
    return given, titles


@contextmanager
def one_command(folder: Path, ratings: Any, values: Any, *options: str) -> Iterator[Service]:
    """Start a service from nothing, by one command; stop it in the end."""
    given, titles = write_files(folder, ratings, values)
    command = (str(given), "--items", str(titles), *options)
    service = running_service(folder / "service", *command)
    try:
        yield service
    finally:
        service.kill()


class Person:
    """Somebody at a page in a window of their own."""

    def __init__(self, browser: Any, url: str, *, width: int = 1280, **more: Any) -> None:
        self.url, self.width = url, width
        self.context = browser.new_context(viewport={"width": width, "height": 800}, **more)
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))

    def open(self, path: str = "/") -> Any:
        """Open a page of the service."""
        self.page.goto(self.url + path)
        return self.page

    def kept(self) -> Any:
        """Return what the service stores about this visitor."""
        return self.context.request.get(self.url + "/mine.json").json()

    def done(self, number: int) -> None:
        """Wait until the page shows this number of rated items."""
        self.page.locator(".intro strong", has_text=re.compile(f"^{number}$")).wait_for()
        self.page.locator("body:not([aria-busy])").wait_for()

    def hears(self, pattern: str) -> None:
        """Wait until the status region has text."""
        found = self.page.locator("#status", has_text=re.compile(pattern))
        found.wait_for(state="attached")  # it is there for ears alone

    def click_track(self, share: float) -> None:
        """Click the slider's track at a share of its length."""
        slider = self.page.locator("#slider")
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)

    def rate(self, share: float, number: int) -> None:
        """Rate by a click on the track and one on the button; afterwards so many are rated."""
        self.click_track(share)
        self.page.get_by_role("button", name="Rate and next").click()
        self.done(number)

    def focused(self) -> str:
        """Return what has the focus: its id, or its text."""
        told = self.page.evaluate("document.activeElement.id || document.activeElement.textContent")
        return " ".join(told.split())

    def tab_to(self, name: str, most: int = 60) -> None:
        """Press Tab until something has the focus, by its id or text; it must be seen to have it."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.focused() == name:
                ring = "(({outlineStyle, outlineWidth}) => outlineStyle + outlineWidth)(getComputedStyle(%s))"
                inner = self.page.evaluate(ring % "document.activeElement")
                outer = self.page.evaluate(
                    ring % "(document.activeElement.closest('label') ?? document.body)"
                )
                assert "solid3px" in (inner, outer), name
                return
        raise AssertionError(f"Tab does not reach {name!r}")

    def suggested(self) -> list[str]:
        """Return the suggestions, with their predictions."""
        return [" ".join(text.split()) for text in self.page.locator(".best .line").all_inner_texts()]

    def look(self, state: str, faults: list[Any]) -> None:
        """Let axe look over the page, light and dark, and see whether it is wider than the window."""
        self.page.evaluate(axe_source())
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert len(found["passes"]) > 15, state
            faults += [(state, scheme, one["id"], one["nodes"][0]["html"]) for one in found["violations"]]
        width = self.page.evaluate("document.documentElement.scrollWidth")
        if width > self.width:
            faults.append((state, "wider than the window", width))

    def close(self) -> None:
        """Close the window."""
        self.context.close()
