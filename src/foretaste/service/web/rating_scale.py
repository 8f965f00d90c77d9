"""Rating scale of the web pages: input control, steps, and formatting of ratings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from foretaste.errors import DataError

LABELS = ("hated it", "did not like it", "so-so", "liked it", "loved it")
_MAX_BUTTONS = 10  # a scale with more steps has a slider
_MAX_SLIDER_STEPS = 400


class MissingRatingError(DataError):
    """A form was sent without a rating."""


@dataclass(frozen=True)
class RatingScale:
    """Bounds and step of the ratings.

    Parameters
    ----------
    low, high : float
    step : float or None
        All ratings are multiples of it; None for continuous ratings.
    """

    low: float
    high: float
    step: float | None

    @property
    def control(self) -> str:
        """Input control: ``"stars"``, ``"choices"`` (buttons with numbers) or ``"slider"``."""
        if self.step is None or not self._has_few_steps or self._is_half_stars:
            return "slider"
        return "stars" if self.step == 1 and self.low == 1 else "choices"

    @property
    def has_stars(self) -> bool:
        """Whether ratings are stars or half stars."""
        return self.control == "stars" or self._is_half_stars

    @property
    def _has_few_steps(self) -> bool:
        return self.step is not None and self.step > 0 and (self.high - self.low) / self.step <= _MAX_BUTTONS

    @property
    def _is_half_stars(self) -> bool:
        return self.step == 0.5 and self.low in (0.5, 1.0) and self.high <= _MAX_BUTTONS / 2

    @property
    def options(self) -> list[float]:
        """All possible ratings, for stars and choices."""
        if self.control == "slider" or self.step is None:
            return []
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]

    @property
    def slider_step(self) -> float:
        """Step of the slider, for arrow keys."""
        if self.step is not None and 0 < (self.high - self.low) / self.step <= _MAX_SLIDER_STEPS:
            return self.step
        return _nice_step((self.high - self.low) / 200)

    @property
    def button_step(self) -> float:
        """Step of the buttons beside the slider."""
        return max(self.slider_step, _nice_step((self.high - self.low) / 20))

    @property
    def page_step(self) -> float:
        """Step of Page Up and Page Down; browsers use a tenth of the slider's range."""
        return max(self.slider_step, round((self.high - self.low) / 10 / self.slider_step) * self.slider_step)

    @property
    def midpoint(self) -> float:
        """Initial position of the slider."""
        return round((self.high - self.low) / 2 / self.slider_step) * self.slider_step + self.low

    @property
    def decimals(self) -> int:
        """Number of decimals of a rating."""
        return max(0, -math.floor(math.log10(self.slider_step) + 1e-9))

    @property
    def is_signed(self) -> bool:
        """Whether ratings are shown with their sign."""
        return self.low < 0

    def format_rating(self, value: float, decimals: int | None = None) -> str:
        """Return a rating as text: ``"+2.1"``, ``"3.5"``; negative ones with a minus sign, not a hyphen."""
        digits = f"{abs(value):.{self.decimals if decimals is None else decimals}f}"
        return _sign(value, digits, self.is_signed) + digits

    def format_bound(self, value: float) -> str:
        """Return a bound of the scale as text: ``"+10"``."""
        digits = f"{abs(value):g}"
        return _sign(value, digits, self.is_signed) + digits

    def format_prediction(self, value: float) -> str:
        """Return a prediction as text, with at least one decimal."""
        return self.format_rating(value, max(1, self.decimals))

    def format_difference(self, value: float) -> str:
        """Return a term of a prediction as text, always with its sign."""
        digits = f"{abs(value):.2f}"
        return (_sign(value, digits, True) or "±") + digits

    def aria_text(self, value: float) -> str:
        """Return a rating for screen readers: ``"plus 2.1, liked it"``, ``"3 and a half stars, so-so"``."""
        if self.has_stars:
            whole, half = divmod(value, 1)
            text = f"{whole:.0f} and a half" if half and whole else "half a" if half else f"{whole:.0f}"
            return f"{text} {'star' if value <= 1 else 'stars'}, {self.label(value)}"
        text = self.format_rating(value).replace("+", "plus ").replace("−", "minus ")
        return f"{text}, {self.label(value)}"

    def label(self, value: float) -> str:
        """Return the label of the fifth of the scale that a rating lies in."""
        fraction = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return LABELS[min(4, max(0, int(fraction * 5)))]

    def parse_rating(self, text: str) -> float:
        """Return the rating of a form field.

        Raises
        ------
        MissingRatingError
            If the field is empty.
        DataError
            If it is not a rating of this scale.
        """
        if not text.strip():
            instruction = "Move the slider" if self.control == "slider" else "Choose a rating"
            raise MissingRatingError(f"{instruction} first, or skip.")
        bounds = f"{self.format_bound(self.low)} to {self.format_bound(self.high)}"
        try:
            value = float(text.strip().replace("−", "-"))
        except ValueError:
            raise DataError(f"A rating is a number from {bounds}.") from None
        if not self.low <= value <= self.high:  # also rejects nan
            raise DataError(f"Ratings go from {bounds}.")
        return value


def _sign(value: float, digits: str, is_signed: bool) -> str:
    if not digits.strip("0."):
        return ""
    return "−" if value < 0 else "+" if is_signed else ""


def _nice_step(value: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is at most ``value``."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value) + 1e-9)
    mantissa = value / power + 1e-9
    return float(f"{power * (5 if mantissa >= 5 else 2 if mantissa >= 2 else 1):.12g}")
