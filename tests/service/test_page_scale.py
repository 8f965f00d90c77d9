"""The rating control per scale, and formatting of ratings."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretaste.errors import DataError
from foretaste.service.web.rating_scale import LABELS, MissingRatingError, RatingScale


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
def test_control_per_scale(low, high, step, control, options, stride, nudge, leap):
    scale = RatingScale(low, high, step)
    assert scale.control == control
    assert len(scale.options) == options
    assert (scale.slider_step, scale.button_step) == (stride, nudge)
    assert scale.page_step == pytest.approx(leap)
    if options:
        assert (scale.options[0], scale.options[-1]) == (low, high)


def test_ratings_are_formatted():
    wide, stars, halves = RatingScale(-10, 10, 0.1), RatingScale(1, 5, 1.0), RatingScale(0.5, 5, 0.5)
    assert wide.format_rating(2.1) == "+2.1"
    assert wide.format_rating(-3) == "−3.0"
    assert wide.format_rating(0.04) == "0.0"
    assert wide.aria_text(2.1) == "plus 2.1, liked it"
    assert wide.aria_text(-9) == "minus 9.0, hated it"
    assert [wide.label(value) for value in (-10, -5, 0, 5, 10)] == list(LABELS)
    assert stars.aria_text(1) == "1 star, hated it"
    assert stars.aria_text(3) == "3 stars, so-so"
    assert stars.format_rating(3) == "3"
    assert stars.format_prediction(3.456) == "3.5"
    assert halves.aria_text(3.5) == "3 and a half stars, liked it"
    assert halves.aria_text(0.5) == "half a star, hated it"
    assert [wide.format_difference(value) for value in (1.234, -0.5, 0.001)] == ["+1.23", "−0.50", "±0.00"]
    assert [wide.format_bound(value) for value in (-10, 10, 0)] == ["−10", "+10", "0"]


def test_invalid_ratings_raise():
    scale = RatingScale(-10, 10, 0.1)
    for text in ("", "  "):
        with pytest.raises(MissingRatingError, match=r"Move the slider first, or skip\."):
            scale.parse_rating(text)
    with pytest.raises(MissingRatingError, match="Choose a rating first"):
        RatingScale(1, 5, 1.0).parse_rating("")
    for text in ("10.1", "-11", "nan", "inf", "x", "1 2", "0x1", "1_0 0"):
        with pytest.raises(DataError, match=r"−10 to \+10"):
            scale.parse_rating(text)
    assert scale.parse_rating(" −3.25 ") == -3.25


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), st.sampled_from([None, 0.01, 0.1, 0.5, 1.0, 2.0]))
def test_every_scale_has_valid_steps(low, width, step):
    scale = RatingScale(low, low + width, step)
    assert scale.slider_step > 0
    assert scale.button_step >= scale.slider_step
    assert scale.page_step >= scale.slider_step
    assert len(scale.options) <= 11
    assert low - scale.slider_step <= scale.midpoint <= low + width + scale.slider_step
    for value in (low, low + width / 2, low + width):
        assert scale.label(value) in LABELS
        assert scale.aria_text(value).endswith(scale.label(value))
        if low <= value <= low + width:
            assert math.isclose(scale.parse_rating(repr(value)), value)
