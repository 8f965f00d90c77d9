"""Ratings for the compatibility tests, and scikit-surprise as reference."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

Rows = list[tuple[str, str, float, None]]


@pytest.fixture(scope="session")
def peer(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    """Give the installed scikit-surprise; its folder, which it makes on import, is a temporary one."""
    pytest.importorskip("numpy")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SURPRISE_DATA_FOLDER", str(tmp_path_factory.mktemp("surprise")))
        found = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')
        for part in ("accuracy", "builtin_datasets", "trainset", "utils"):
            importlib.import_module(f"surprise.{part}")
        yield found


@pytest.fixture(scope="session")
def raw_ratings() -> Rows:
    """About 300 ratings of 30 users for 20 items, ids as a file gives them, in no order."""
    rng = np.random.RandomState(5)
    pairs = rng.permutation(600)[:300]
    values = rng.randint(1, 6, 300)
    return [
        (f"u{pair // 20}", f"i{pair % 20}", float(value), None)
        for pair, value in zip(pairs, values, strict=True)
    ]


@pytest.fixture
def ratings_file(tmp_path: Path, raw_ratings: Rows) -> Path:
    """Write them as a file: user, item, rating, time, tabs between."""
    path = tmp_path / "ratings.tsv"
    path.write_text(
        "".join(f"{user}\t{item}\t{rating}\t880606923\n" for user, item, rating, _ in raw_ratings)
    )
    return path
