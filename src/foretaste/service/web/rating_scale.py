"""The scale of the ratings as the page shows it: which control, and a rating in signs and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from foretaste.errors import BadData

WORDS = ("hated it", "did not like it", "so-so", "liked it", "loved it")
_MOST = 10  # steps that are buttons of their own; more are a slider
_FINE = 400  # steps of a slider, at most


class Unanswered(BadData):
    """A form came without a rating."""


@dataclass(frozen=True)
class Scale:
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
        if self.step is None or not self._few or self._halves:
            return "slider"
        return "stars" if self.step == 1 and self.low == 1 else "choices"

    @property
    def has_stars(self) -> bool:
        """Whether a rating is so many stars, halves too."""
        return self.control == "stars" or self._halves

    @property
    def _few(self) -> bool:
        return self.step is not None and self.step > 0 and (self.high - self.low) / self.step <= _MOST

    @property
    def _halves(self) -> bool:
        return self.step == 0.5 and self.low in (0.5, 1.0) and self.high <= _MOST / 2

    @property
    def options(self) -> list[float]:
        """The ratings that can be chosen, if they are few."""
        if self.control == "slider" or self.step is None:
            return []
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]

    @property
    def stride(self) -> float:
        """How far an arrow key moves the slider."""
        if self.step is not None and 0 < (self.high - self.low) / self.step <= _FINE:
            return self.step
        return _round_number((self.high - self.low) / 200)

    @property
    def nudge(self) -> float:
        """How far a press of the buttons beside the slider moves it."""
        return max(self.stride, _round_number((self.high - self.low) / 20))

    @property
    def leap(self) -> float:
        """How far Page Up and Page Down move the slider: browsers take a tenth of its length."""
        return max(self.stride, round((self.high - self.low) / 10 / self.stride) * self.stride)

    @property
    def middle(self) -> float:
        """Where the slider rests before it is touched."""
        return round((self.high - self.low) / 2 / self.stride) * self.stride + self.low

    @property
    def decimals(self) -> int:
        """How many decimals ratings are written with."""
        return max(0, -math.floor(math.log10(self.stride) + 1e-9))

    @property
    def is_signed(self) -> bool:
        """Whether ratings are written with their sign."""
        return self.low < 0

    def written(self, value: float, decimals: int | None = None) -> str:
        """Return a rating as it is shown: ``"+2.1"``, ``"3.5"``; below zero with a true minus."""
        digits = f"{abs(value):.{self.decimals if decimals is None else decimals}f}"
        return _sign(value, digits, self.is_signed) + digits

    def end(self, value: float) -> str:
        """Return an end of the scale as it is shown: ``"+10"``."""
        digits = f"{abs(value):g}"
        return _sign(value, digits, self.is_signed) + digits

    def guessed(self, value: float) -> str:
        """Return a prediction as it is shown: with a decimal more than whole ratings have."""
        return self.written(value, max(1, self.decimals))

    def difference(self, value: float) -> str:
        """Return what adds to a prediction, always with its sign."""
        digits = f"{abs(value):.2f}"
        return (_sign(value, digits, True) or "±") + digits

    def spoken(self, value: float) -> str:
        """Return a rating as it is read aloud: ``"plus 2.1, liked it"``, ``"3 and a half stars, so-so"``."""
        if self.has_stars:
            whole, half = divmod(value, 1)
            text = f"{whole:.0f} and a half" if half and whole else "half a" if half else f"{whole:.0f}"
            return f"{text} {'star' if value <= 1 else 'stars'}, {self.word(value)}"
        text = self.written(value).replace("+", "plus ").replace("−", "minus ")
        return f"{text}, {self.word(value)}"

    def word(self, value: float) -> str:
        """Return a rating in words, by the fifth of the scale that it lies in."""
        place = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return WORDS[min(4, max(0, int(place * 5)))]

    def parsed(self, text: str) -> float:
        """Return the rating that a form holds.

        Raises
        ------
        Unanswered
            If it holds none.
        BadData
            If it is no rating of this scale.
        """
        if not text.strip():
            what = "Move the slider" if self.control == "slider" else "Choose a rating"
            raise Unanswered(f"{what} first, or skip.")
        ends = f"{self.end(self.low)} to {self.end(self.high)}"
        try:
            value = float(text.strip().replace("−", "-"))
        except ValueError:
            raise BadData(f"A rating is a number from {ends}.") from None
        if not self.low <= value <= self.high:  # not a number is neither
            raise BadData(f"Ratings go from {ends}.")
        return value


def _sign(value: float, digits: str, is_signed: bool) -> str:
    if not digits.strip("0."):
        return ""
    return "−" if value < 0 else "+" if is_signed else ""


def _round_number(value: float) -> float:
    """Return the largest of 1, 2, 5, 10, ... times a power of ten that is not above a value."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    lead = value / power + 1e-9
    return float(f"{power * (5 if lead >= 5 else 2 if lead >= 2 else 1):.12g}")
