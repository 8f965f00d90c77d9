"""The scale of the ratings as the page shows it: which control, and a rating in signs and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from foretaste.errors import DataError

LABELS = ("hated it", "did not like it", "so-so", "liked it", "loved it")
_MAX_BUTTONS = 10  # steps that are buttons of their own; more are a slider
_MAX_SLIDER_STEPS = 400  # steps of a slider, at most


class MissingRatingError(DataError):
    """A form came without a rating."""


@dataclass(frozen=True)
class RatingScale:
    """From where to where ratings go.

    Parameters
    ----------
    low, high : float
    step : float or None
        What all ratings are multiples of; None if there is no such number.
    """

    low: float
    high: float
    step: float | None

    @property
    def control(self) -> str:
        """What one rates with: ``"stars"``, ``"choices"`` (buttons with numbers) or ``"slider"``."""
        if self.step is None or not self._has_few_steps or self._is_half_stars:
            return "slider"
        return "stars" if self.step == 1 and self.low == 1 else "choices"

    @property
    def has_stars(self) -> bool:
        """Whether a rating is so many stars, halves too."""
        return self.control == "stars" or self._is_half_stars

    @property
    def _has_few_steps(self) -> bool:
        return self.step is not None and self.step > 0 and (self.high - self.low) / self.step <= _MAX_BUTTONS

    @property
    def _is_half_stars(self) -> bool:
        return self.step == 0.5 and self.low in (0.5, 1.0) and self.high <= _MAX_BUTTONS / 2

    @property
    def options(self) -> list[float]:
        """The ratings that can be chosen, if they are few."""
        if self.control == "slider" or self.step is None:
            return []
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]

    @property
    def slider_step(self) -> float:
        """How far an arrow key moves the slider."""
        if self.step is not None and 0 < (self.high - self.low) / self.step <= _MAX_SLIDER_STEPS:
            return self.step
        return _nice_step((self.high - self.low) / 200)

    @property
    def button_step(self) -> float:
        """How far a press of the buttons beside the slider moves it."""
        return max(self.slider_step, _nice_step((self.high - self.low) / 20))

    @property
    def page_step(self) -> float:
        """How far Page Up and Page Down move the slider: browsers take a tenth of its length."""
        return max(self.slider_step, round((self.high - self.low) / 10 / self.slider_step) * self.slider_step)

    @property
    def midpoint(self) -> float:
        """Where the slider rests before it is touched."""
        return round((self.high - self.low) / 2 / self.slider_step) * self.slider_step + self.low

    @property
    def decimals(self) -> int:
        """How many decimals ratings are written with."""
        return max(0, -math.floor(math.log10(self.slider_step) + 1e-9))

    @property
    def is_signed(self) -> bool:
        """Whether ratings are written with their sign."""
        return self.low < 0

    def format_rating(self, value: float, decimals: int | None = None) -> str:
        """Return a rating as it is shown: ``"+2.1"``, ``"3.5"``; below zero with a true minus."""
        digits = f"{abs(value):.{self.decimals if decimals is None else decimals}f}"
        return _sign(value, digits, self.is_signed) + digits

    def format_bound(self, value: float) -> str:
        """Return an end of the scale as it is shown: ``"+10"``."""
        digits = f"{abs(value):g}"
        return _sign(value, digits, self.is_signed) + digits

    def format_prediction(self, value: float) -> str:
        """Return a prediction as it is shown: with a decimal more than whole ratings have."""
        return self.format_rating(value, max(1, self.decimals))

    def format_difference(self, value: float) -> str:
        """Return what adds to a prediction, always with its sign."""
        digits = f"{abs(value):.2f}"
        return (_sign(value, digits, True) or "±") + digits

    def aria_text(self, value: float) -> str:
        """Return a rating as it is read aloud: ``"plus 2.1, liked it"``, ``"3 and a half stars, so-so"``."""
        if self.has_stars:
            whole, half = divmod(value, 1)
            text = f"{whole:.0f} and a half" if half and whole else "half a" if half else f"{whole:.0f}"
            return f"{text} {'star' if value <= 1 else 'stars'}, {self.label(value)}"
        text = self.format_rating(value).replace("+", "plus ").replace("−", "minus ")
        return f"{text}, {self.label(value)}"

    def label(self, value: float) -> str:
        """Return a rating in words, by the fifth of the scale that it lies in."""
        fraction = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return LABELS[min(4, max(0, int(fraction * 5)))]

    def parse_rating(self, text: str) -> float:
        """Return the rating that a form holds.

        Raises
        ------
        Unanswered
            If it holds none.
        DataError
            If it is no rating of this scale.
        """
        if not text.strip():
            instruction = "Move the slider" if self.control == "slider" else "Choose a rating"
            raise MissingRatingError(f"{instruction} first, or skip.")
        bounds = f"{self.format_bound(self.low)} to {self.format_bound(self.high)}"
        try:
            value = float(text.strip().replace("−", "-"))
        except ValueError:
            raise DataError(f"A rating is a number from {bounds}.") from None
        if not self.low <= value <= self.high:  # not a number is neither
            raise DataError(f"Ratings go from {bounds}.")
        return value


def _sign(value: float, digits: str, is_signed: bool) -> str:
    if not digits.strip("0."):
        return ""
    return "−" if value < 0 else "+" if is_signed else ""


def _nice_step(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, ... times a power of ten that is not above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    mantissa = value / power + 1e-9
    return float(f"{power * (5 if mantissa >= 5 else 2 if mantissa >= 2 else 1):.12g}")
