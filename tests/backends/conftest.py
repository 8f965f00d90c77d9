"""Tests of the models that learn with PyTorch; all but ``test_without_torch.py`` skip where it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents and item.path.name != "test_without_torch.py":
            item.add_marker(pytest.mark.torch)
