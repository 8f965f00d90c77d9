"""torch, or a skip that says how to get it: test files import it from here."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason='needs PyTorch: pip install "foretaste[torch]"')
