"""Fitted state and predictions equal those of 0.1.0 bit for bit, on generated ratings and MovieLens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_data import data_file

HERE = Path(__file__).parent
EXPECTED = json.loads((HERE / "data" / "model_digests.json").read_text())

# Fitted arrays renamed since 0.1.0: new name -> old name.
RENAMED_ARRAYS = {
    "row_std_": "spread_", "source_ids_": "base_", "source_bias_": "base_bias_",
    "source_std_": "base_spread_", "residual_": "left_",
    "has_timestamps_": "timed_", "user_mean_time_": "user_when_",
    "user_center_": "user_centre_", "item_center_": "item_centre_",
    "user_mean_square_": "user_spread_", "item_mean_square_": "item_spread_",
}  # fmt: skip


def produced(part: str, *path: str) -> dict[str, dict[str, Any]]:
    """Return what ``model_digests.py`` prints, with kernels of the instruction set that every machine has."""
    environment = {**os.environ, "FORETASTE_ISA": "plain"}
    command = [sys.executable, str(HERE / "model_digests.py"), part, *path]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return {key: {_old_name(name): value for name, value in entry.items()}
            for key, entry in json.loads(done.stdout).items()}  # fmt: skip


def _old_name(label: str) -> str:
    head, comma, name = label.rpartition(", ")
    prefix, dot, name = name.rpartition(".")
    return head + comma + prefix + dot + RENAMED_ARRAYS.get(name, name)


def differences(part: str, found: dict[str, dict[str, Any]], tolerance: float) -> list[str]:
    """Return what is missing, too much, or not the same; lists of numbers may differ by the tolerance."""
    expected = EXPECTED[part]
    wrong = [f"only on one side: {key}" for key in sorted(set(found) ^ set(expected))]
    for key in sorted(set(found) & set(expected)):
        one, other = expected[key], found[key]
        wrong += [f"only on one side: {key}, {name}" for name in sorted(set(one) ^ set(other))]
        wrong += [
            f"not the same: {key}, {name}"
            for name in sorted(set(one) & set(other))
            if not _same(one[name], other[name], tolerance)
        ]
    return wrong


def _same(expected: Any, found: Any, tolerance: float) -> bool:
    if isinstance(expected, str) or isinstance(found, str) or len(expected) != len(found):
        return bool(expected == found)
    largest = np.abs(expected).max(initial=0)
    return bool(np.allclose(found, expected, rtol=tolerance, atol=tolerance * largest))


def test_models_on_generated_ratings_are_those_of_0_1_0():
    assert differences("contract", produced("contract"), 1e-5) == []


@pytest.mark.dataset
@pytest.mark.nightly
def test_models_on_movielens_are_those_of_0_1_0():
    path = data_file("ml-100k/u.data")
    assert differences("ml-100k", produced("ml-100k", str(path)), 1e-5) == []


@pytest.mark.torch
@pytest.mark.nightly
@pytest.mark.skipif(find_spec("torch") is None, reason='needs PyTorch: pip install "foretaste[torch]"')
def test_torch_models_are_those_of_0_1_0():
    assert differences("torch", produced("torch"), 1e-3) == []
