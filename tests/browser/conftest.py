"""Fixtures: Chromium, once per test file, and visitors of the service's page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from browsers import chromium

if TYPE_CHECKING:
    from page_paths import Person


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def someone(browser: Any, service: Any) -> Iterator[Callable[..., Person]]:
    """Return a function that opens visitors on the page of ``service``, which the test file starts."""
    from page_paths import Person

    there: list[Person] = []

    def come(**more: Any) -> Person:
        there.append(Person(browser, service.url, **more))
        return there[-1]

    yield come
    for person in there:
        person.close()
