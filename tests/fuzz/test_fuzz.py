"""Fuzzing: every reader turns corrupt input into a foretaste error or a valid result.

``FORETASTE_FUZZ`` is the number of cases of the nightly test. A failure names the reader and the number of
the case: ``PYTHONPATH=tests python tests/fuzz/fuzzing.py READER NUMBER`` shows it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fuzzing import READERS, case, problem
from regressions import REGRESSIONS

CASES = 2_000
NIGHTLY_CASES = int(os.environ.get("FORETASTE_FUZZ", "100000"))
# The readers of text have the most code of their own; for the others more of the work is a library's.
SHARES = {
    "ratings": 4,
    "survey": 4,
    "ways": 3,
    "items": 2,
    "pairs": 2,
    "packed": 2,
    "workbook": 2,
    "wide": 2,
    "file": 2,
    "model": 4,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def test_cases_are_distributed_over_readers() -> None:
    assert set(SHARES) == set(READERS)


@pytest.mark.parametrize(
    "cases", [CASES, pytest.param(NIGHTLY_CASES, marks=pytest.mark.nightly, id="nightly")]
)
@pytest.mark.parametrize("reader", READERS)
def test_corrupt_inputs_raise_or_give_valid_results(reader: str, cases: int, folder: Path) -> None:
    number = -(-cases * SHARES[reader] // sum(SHARES.values()))
    broken = {}
    for seed in range(number):
        if found := problem(case(reader, seed), folder):
            broken[seed] = found[:300]
    assert not broken, f"{len(broken)} of {number}"


@pytest.mark.parametrize("name", REGRESSIONS)
def test_regressions_raise_or_give_valid_results(name: str, folder: Path) -> None:
    assert problem(REGRESSIONS[name], folder) is None


@pytest.mark.parametrize("reader", READERS)
def test_case_is_determined_by_its_number(reader: str) -> None:
    assert repr(case(reader, 3)) == repr(case(reader, 3))
    assert repr(case(reader, 3)) != repr(case(reader, 4))


def test_enough_cases_are_read_successfully(folder: Path) -> None:
    """Spoiling that left nothing to be read would test the first lines of each reader only."""
    from foretaste.errors import ForetasteError

    for reader in READERS:
        good = 0
        for seed in range(60):
            made = case(reader, seed)
            path = folder / made.name
            path.write_bytes(made.data)
            try:
                READERS[reader].read(path, dict(made.options))
                good += 1
            except ForetasteError:
                pass
        assert good > 5, reader
