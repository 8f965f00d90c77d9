"""Imports torch, or skips the test file with a hint how to install it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "foretaste[torch]"')
