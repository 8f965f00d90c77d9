"""Tests of the PyTorch models; all but ``test_without_torch.py`` are skipped without PyTorch."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents and item.path.name != "test_without_torch.py":
            item.add_marker(pytest.mark.torch)
