"""When ratings were given, as timeSVD++ sees it: sessions of users, bins of items, drift, averages."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from foretaste.ids import Indices
from foretaste.models.outputs import Floats

Doubles = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]


def session_number(when: Doubles, hours: float) -> Longs:
    """Return the number of the stretch of so many hours (at least a second) in which each time lies."""
    return np.floor(when / max(3600 * hours, 1.0)).astype(np.int64)


def sessions_of(user: Indices, number: Longs) -> tuple[Longs, Longs, Indices]:
    """Find the sessions: the pairs of a user and a number that occur.

    Returns
    -------
    numbers : int64 array, increasing
        The numbers that occur.
    keys : int64 array, shape (sessions,), increasing
        Of each session: user times how many numbers there are, plus the place of its number.
    session : int32 array, shape (n,)
        The session of each row.
    """
    numbers, place = np.unique(number, return_inverse=True)
    keys, session = np.unique(user.astype(np.int64) * len(numbers) + place, return_inverse=True)
    return numbers, keys, session.astype(np.int32)


def find_sessions(user: Indices, number: Longs, numbers: Longs, keys: Longs) -> Indices:
    """Return the session of each user (known ones) at each number, -1 where there was none."""
    if len(keys) == 0 or len(numbers) == 0:
        return np.full(len(user), -1, np.int32)
    place = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
    key = user.astype(np.int64) * len(numbers) + place
    found = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    there = (numbers[place] == number) & (keys[found] == key)
    return np.where(there, found, -1).astype(np.int32)


def bin_of(when: Doubles, first: float, last: float, bins: int) -> Indices:
    """Return in which of the equal parts of [first, last] each time lies; outside, the nearest."""
    share = (when - first) / max(last - first, 1.0)
    return np.clip(share * bins, 0, max(bins - 1, 0)).astype(np.int32)


def drifted(when: Doubles, center: Doubles, span: float, exponent: float) -> Floats:
    """Return how far each has moved at a time: the sign of the gap times its power, from -1 to 1."""
    gap = (when - center) / max(span, 1.0)
    return np.asarray(np.sign(gap) * np.abs(gap) ** exponent, np.float32)


def mean_of_each(code: Indices, n: int, effect: Floats, weight: Doubles) -> Floats:
    """Return the weighted mean of an effect over the rows of each of n codes, 0 where there are none."""
    count = np.bincount(code, weight, n)
    total = np.bincount(code, weight * effect, n)
    return np.where(count > 0, total / np.where(count > 0, count, 1), 0).astype(np.float32)
