"""Imports of the quality benchmark, which is outside the package, and synthetic cells for its tests."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("the benchmarks are not part of this copy of the source", allow_module_level=True)

command = import_module("benchmarks.quality.__main__")
worker = import_module("benchmarks.quality.worker")
peers, aims, judged_on, rows, store = (
    import_module(f"benchmarks.quality.{name}") for name in ("peers", "aims", "data", "rows", "store")
)

NEEDED = 'needs a peer: pip install "foretaste[peers]"'


def make_cell(model, errors, library="foretaste", refused=None, slow=False, data="ml-100k"):
    """Return a cell with these errors."""
    folds = [
        {
            "rmse": error,
            "mae": 0.8 * error,
            "fit_seconds": 1.0 if library == "foretaste" else 30.0,
            "test_seconds": 1.0 if library == "foretaste" else 10.0,
            "memory_mb": 10.0 + number,
            "train_rows": 80_000,
            "test_rows": 20_000,
            "rows": f"{data} {number}",
        }
        for number, error in enumerate(errors)
    ]
    cell = {
        "data": data,
        "library": library,
        "model": model,
        "planned": judged_on.DATA[data].n_folds,
        "folds": folds,
    }
    grounds = dict.fromkeys(store.GROUNDS, "1") | {"date": "2026-01-01"}
    return cell | {"refused": refused, "slow": slow, "call": f"{model}()", "grounds": grounds}
