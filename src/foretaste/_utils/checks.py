"""Checks of arguments: each raises with the argument's name, its value and what is allowed."""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Iterable
from typing import Any, TypeGuard

from foretaste.errors import Hint, InvalidParameterError


def is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is an integer, of Python or numpy, and not a bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def check_int(
    name: str, value: object, *, low: int, high: int | None = None, suggestion: object = None
) -> int:
    """Return ``value`` if it is an integer between ``low`` and ``high``, both inclusive.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        Its value; bools are not integers here.
    low, high : int
        Inclusive bounds; no upper bound if ``high`` is None.
    suggestion : object, optional
        The value that the hint proposes; ``low`` if it is None.

    Raises
    ------
    InvalidParameterError
    """
    if not is_integer(value) or int(value) < low or (high is not None and int(value) > high):
        bounds = f"at least {low:,}" if high is None else f"{low:,} to {high:,}"
        raise InvalidParameterError(
            f"it must be an integer, {bounds}",
            argument=(name, value),
            hint=Hint({name: low if suggestion is None else suggestion}),
        )
    return int(value)


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    exclusive: bool = False,
    unit: str = "",
    suggestion: object = None,
) -> float:
    """Return ``value`` as a float if it is a finite number between ``low`` and ``high``.

    Parameters
    ----------
    name : str
        The argument's name.
    value : object
        Its value; bools are not numbers here.
    low, high : float
        Bounds, inclusive unless ``exclusive``.
    unit : str
        What the number counts, for the message: ``seconds``.
    suggestion : object, optional
        The value that the hint proposes.

    Raises
    ------
    InvalidParameterError
    """
    number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    inside = low < number < high if exclusive else low <= number <= high
    if not (math.isfinite(number) and inside):
        words = ("above", "below") if exclusive else ("at least", "at most")
        bounds = [
            f"{word} {bound:g}"
            for word, bound in zip(words, (low, high), strict=True)
            if math.isfinite(bound)
        ]
        counted = f" of {unit}" if unit else ""
        raise InvalidParameterError(
            f"it must be a number{counted}{' ' + ' and '.join(bounds) if bounds else ''}",
            argument=(name, value),
            hint=None if suggestion is None else Hint({name: suggestion}),
        )
    return number


def check_fraction(name: str, value: object, *, suggestion: object = 0.2) -> float:
    """Return ``value`` as a float if it is a fraction between 0 and 1, both exclusive.

    Raises
    ------
    InvalidParameterError
        Its hint proposes 0.2 for 20, which was meant as a percentage.
    """
    number = float(value) if isinstance(value, numbers.Real) and not isinstance(value, bool) else math.nan
    if not 0 < number < 1:
        raise InvalidParameterError(
            "it must be a fraction between 0 and 1",
            argument=(name, value),
            hint=Hint({name: number / 100 if 1 < number < 100 else suggestion}),
        )
    return number


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> Any:
    """Return ``value`` if it is one of ``choices``, in whose order the message names them.

    Raises
    ------
    InvalidParameterError
        With the closest choice as its hint.
    """
    allowed = list(choices)
    if not any(value is choice or (type(value) is type(choice) and value == choice) for choice in allowed):
        raise InvalidParameterError(
            "it must be " + _join_words([repr(choice).replace("'", '"') for choice in allowed]),
            argument=(name, value),
            hint=Hint({name: closest_choice(value, allowed)}),
        )
    return value


def closest_choice(value: object, choices: Iterable[Any]) -> Any:
    """Return the choice that resembles ``value`` most, the first one if none does."""
    allowed = list(choices)
    resembling = difflib.get_close_matches(str(value), [str(choice) for choice in allowed], n=1)
    return next((choice for choice in allowed if str(choice) in resembling), allowed[0])


def _join_words(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]
