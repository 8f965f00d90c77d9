"""Checks of arguments: the argument, its value, what is allowed, and a hint that works."""

from __future__ import annotations

import math

import numpy as np
import pytest

from foretaste._utils.checks import (
    check_choice,
    check_fraction,
    check_int,
    check_number,
    closest_choice,
    is_integer,
)
from foretaste.errors import Hint, InvalidParameterError


def error_of(check, *args, **kwargs):
    with pytest.raises(InvalidParameterError) as caught:
        check(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(("value", "expected"), [(3, True), (np.int64(3), True), (True, False), (3.0, False)])
def test_is_integer_takes_numpy_integers_and_no_bools(value, expected):
    assert is_integer(value) is expected


@pytest.mark.parametrize("value", [1, 10, np.int32(5)])
def test_check_int_returns_a_python_integer(value):
    found = check_int("n", value, low=1, high=10)
    assert found == value
    assert type(found) is int


@pytest.mark.parametrize("value", [0, 11, 2.0, True, "3", None])
def test_check_int_refuses_other_values(value):
    error = error_of(check_int, "n", value, low=1, high=10, suggestion=5)
    assert error.argument == ("n", value)
    assert error.message.endswith("is not allowed; it must be an integer, 1 to 10")
    assert error.fix == Hint({"n": 5})


def test_check_int_without_upper_bound_proposes_the_lowest():
    error = error_of(check_int, "epochs", 0, low=1)
    assert error.message == "epochs=0 is not allowed; it must be an integer, at least 1"
    assert error.hint == "epochs=1"


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ({}, "it must be a number"),
        ({"low": 0}, "it must be a number at least 0"),
        ({"low": 0, "exclusive": True, "unit": "seconds"}, "it must be a number of seconds above 0"),
        ({"low": 0, "high": 1}, "it must be a number at least 0 and at most 1"),
    ],
)
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e400, "1", True, None])
def test_check_number_names_the_bounds(bounds, words, value):
    error = error_of(check_number, "rate", value, **bounds)
    assert error.message.endswith(f"is not allowed; {words}")
    assert error.hint is None


def test_check_number_includes_bounds_unless_exclusive():
    assert check_number("rate", 0, low=0) == 0.0
    assert check_number("rate", np.float32(0.5), low=0, high=1) == 0.5
    assert error_of(check_number, "rate", 0, low=0, exclusive=True, suggestion=0.1).hint == "rate=0.1"


@pytest.mark.parametrize(("value", "hint"), [(20, 0.2), (0, 0.3), (1.0, 0.3), (-5, 0.3), ("20", 0.3)])
def test_check_fraction_proposes_the_fraction_of_a_percentage(value, hint):
    error = error_of(check_fraction, "test_size", value, suggestion=0.3)
    assert error.message.endswith("is not allowed; it must be a fraction between 0 and 1")
    assert error.fix == Hint({"test_size": hint})
    assert check_fraction("test_size", 0.25) == 0.25


def test_check_choice_proposes_the_closest():
    assert check_choice("drift", "bias", ("none", "bias")) == "bias"
    error = error_of(check_choice, "drift", "bais", ("none", "bias", "factors"))
    assert error.message == 'drift="bais" is not allowed; it must be "none", "bias" or "factors"'
    assert error.hint == 'drift="bias"'
    assert error_of(check_choice, "flag", 1, (True, False)).message.endswith("it must be True or False")


def test_closest_choice_is_the_first_if_none_resembles():
    assert closest_choice("zzz", ["all", "test"]) == "all"
    assert closest_choice("tset", ["all", "test"]) == "test"
