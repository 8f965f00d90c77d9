"""Which control a scale gets, and ratings in signs and in words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import BadData
from foretaste.service.web.rating_scale import WORDS, Scale, Unanswered


@pytest.mark.parametrize(
    ("low", "high", "step", "control", "options", "stride", "nudge", "leap"),
    [
        (1, 5, 1.0, "stars", 5, 1, 1, 1),
        (1, 10, 1.0, "stars", 10, 1, 1, 1),
        (0, 10, 1.0, "choices", 11, 1, 1, 1),
        (0, 1, 1.0, "choices", 2, 1, 1, 1),
        (-2, 2, 1.0, "choices", 5, 1, 1, 1),
        (0.5, 5, 0.5, "slider", 0, 0.5, 0.5, 0.5),
        (-10, 10, None, "slider", 0, 0.1, 1, 2),
        (-10, 10, 0.01, "slider", 0, 0.1, 1, 2),
        (-10, 10, 0.1, "slider", 0, 0.1, 1, 2),
        (0, 100, 1.0, "slider", 0, 1, 5, 10),
        (0, 1, None, "slider", 0, 0.005, 0.05, 0.1),
        (3, 3, None, "slider", 0, 1, 1, 1),
    ],
)
def test_controls(low, high, step, control, options, stride, nudge, leap):
    scale = Scale(low, high, step)
    assert scale.control == control
    assert len(scale.options) == options
    assert (scale.stride, scale.nudge) == (stride, nudge)
    assert scale.leap == pytest.approx(leap)
    if options:
        assert (scale.options[0], scale.options[-1]) == (low, high)


def test_words_and_signs():
    wide, stars, halves = Scale(-10, 10, 0.1), Scale(1, 5, 1.0), Scale(0.5, 5, 0.5)
    assert wide.written(2.1) == "+2.1"
    assert wide.written(-3) == "−3.0"
    assert wide.written(0.04) == "0.0"
    assert wide.spoken(2.1) == "plus 2.1, liked it"
    assert wide.spoken(-9) == "minus 9.0, hated it"
    assert [wide.word(value) for value in (-10, -5, 0, 5, 10)] == list(WORDS)
    assert stars.spoken(1) == "1 star, hated it"
    assert stars.spoken(3) == "3 stars, so-so"
    assert stars.written(3) == "3"
    assert stars.guessed(3.456) == "3.5"
    assert halves.spoken(3.5) == "3 and a half stars, liked it"
    assert halves.spoken(0.5) == "half a star, hated it"
    assert [wide.difference(value) for value in (1.234, -0.5, 0.001)] == ["+1.23", "−0.50", "±0.00"]
    assert [wide.end(value) for value in (-10, 10, 0)] == ["−10", "+10", "0"]


def test_what_is_no_rating():
    scale = Scale(-10, 10, 0.1)
    for text in ("", "  "):
        with pytest.raises(Unanswered, match=r"Move the slider first, or skip\."):
            scale.parsed(text)
    with pytest.raises(Unanswered, match="Choose a rating first"):
        Scale(1, 5, 1.0).parsed("")
    for text in ("10.1", "-11", "nan", "inf", "x", "1 2", "0x1", "1_0 0"):
        with pytest.raises(BadData, match=r"−10 to \+10"):
            scale.parsed(text)
    assert scale.parsed(" −3.25 ") == -3.25


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), st.sampled_from([None, 0.01, 0.1, 0.5, 1.0, 2.0]))
def test_every_scale_can_be_drawn(low, width, step):
    scale = Scale(low, low + width, step)
    assert scale.stride > 0
    assert scale.nudge >= scale.stride
    assert scale.leap >= scale.stride
    assert len(scale.options) <= 11
    assert low - scale.stride <= scale.middle <= low + width + scale.stride
    for value in (low, low + width / 2, low + width):
        assert scale.word(value) in WORDS
        assert scale.spoken(value).endswith(scale.word(value))
        if low <= value <= low + width:
            assert math.isclose(scale.parsed(repr(value)), value)
