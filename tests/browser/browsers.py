"""Chromium and axe-core; tests that need a missing one are skipped with a reason."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

AXE, CHROMIUM = "FORETASTE_AXE", "FORETASTE_CHROMIUM"


def axe_source() -> str:
    """Return the script of axe-core, or skip the test."""
    path = os.environ.get(AXE)
    if not path or not Path(path).is_file():
        pytest.skip(f"needs axe-core: npm pack axe-core, and {AXE} set to the path of axe.min.js")
    return Path(path).read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Any]:
    """Start Chromium; skip the test if it, or playwright, is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason='needs playwright: pip install "foretaste[browser]"'
    )
    path = os.environ.get(CHROMIUM) or shutil.which("chromium") or shutil.which("chromium-browser")
    if not path:
        pytest.skip(f"needs Chromium: apt-get install chromium, or {CHROMIUM} set to its path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path)
        try:
            yield browser
        finally:
            browser.close()
