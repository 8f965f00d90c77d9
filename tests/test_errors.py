"""Errors: three parts, a code, an exit code, and a built-in base class."""

from __future__ import annotations

import copy
import pickle

import pytest

from foretaste import errors
from foretaste.errors import ForetasteError, did_you_mean

KINDS = {
    "InvalidParameterError": ("invalid_parameter", 2, ValueError),
    "DataError": ("bad_data", 3, ValueError),
    "ModelFileError": ("bad_model_file", 3, errors.DataError),
    "NotEnoughMemoryError": ("too_large", 3, MemoryError),
    "NotFittedError": ("not_fitted", 2, AttributeError),
    "NotSupportedError": ("not_supported", 2, NotImplementedError),
    "NotFoundError": ("not_found", 4, LookupError),
    "DownloadError": ("not_fetched", 4, ConnectionError),
    "MissingDependencyError": ("missing_extra", 5, ImportError),
}


def every_kind() -> list[type[ForetasteError]]:
    return [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, ForetasteError)]


def test_every_kind_has_its_code_and_base():
    found = {c.__name__ for c in every_kind()} - {"ForetasteError"}
    assert found == set(KINDS)
    for name, (code, exit_code, base) in KINDS.items():
        kind = getattr(errors, name)
        assert (kind.code, kind.exit_code) == (code, exit_code)
        assert issubclass(kind, base)
    assert len({kind.code for kind in every_kind()}) == len(KINDS) + 1
    assert issubclass(errors.NotFittedError, ValueError)  # scikit-learn's NotFittedError is both


@pytest.mark.parametrize("kind", every_kind())
def test_parts_are_ordered_and_survive_copies(kind):
    error = kind("no column", where="columns are: a, b", hint='user="a"')
    assert str(error) == 'no column\n  columns are: a, b\ntry: user="a"'
    assert str(kind("alone")) == "alone"
    assert str(kind("two", hint="x")) == "two\ntry: x"
    for back in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301 - between processes
        assert type(back) is kind
        assert str(back) == str(error)
        assert (back.message, back.where, back.hint) == (error.message, error.where, error.hint)


def test_did_you_mean():
    assert did_you_mean("raiting", ["user", "rating"]) == '; did you mean "rating"?'
    assert did_you_mean("xyzzy", ["user", "rating"]) == ""
    assert did_you_mean(12346, [12345, 99]) == '; did you mean "12345"?'
    assert did_you_mean("a", []) == ""
