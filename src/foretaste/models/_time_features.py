"""When ratings were given, as timeSVD++ sees it: sessions of users, bins of items, drift, averages."""

from __future__ import annotations

import numpy as np

from foretaste.typing import Float32Array, Float64Array, IndexArray, Int64Array


def session_number(timestamp: Float64Array, hours: float) -> Int64Array:
    """Return the number of the stretch of so many hours (at least a second) in which each time lies."""
    return np.floor(timestamp / max(3600 * hours, 1.0)).astype(np.int64)


def index_sessions(user: IndexArray, number: Int64Array) -> tuple[Int64Array, Int64Array, IndexArray]:
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
    numbers, index = np.unique(number, return_inverse=True)
    keys, session = np.unique(user.astype(np.int64) * len(numbers) + index, return_inverse=True)
    return numbers, keys, session.astype(np.int32)


def lookup_sessions(
    user: IndexArray, number: Int64Array, numbers: Int64Array, keys: Int64Array
) -> IndexArray:
    """Return the session of each user (known ones) at each number, -1 where there was none."""
    if len(keys) == 0 or len(numbers) == 0:
        return np.full(len(user), -1, np.int32)
    index = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
    key = user.astype(np.int64) * len(numbers) + index
    key_index = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    exists = (numbers[index] == number) & (keys[key_index] == key)
    return np.where(exists, key_index, -1).astype(np.int32)


def time_bin(timestamp: Float64Array, first: float, last: float, bins: int) -> IndexArray:
    """Return in which of the equal parts of [first, last] each time lies; outside, the nearest."""
    fraction = (timestamp - first) / max(last - first, 1.0)
    return np.clip(fraction * bins, 0, max(bins - 1, 0)).astype(np.int32)


def compute_drift(
    timestamp: Float64Array, center: Float64Array, span: float, exponent: float
) -> Float32Array:
    """Return how far each has moved at a time: the sign of the gap times its power, from -1 to 1."""
    offset = (timestamp - center) / max(span, 1.0)
    return np.asarray(np.sign(offset) * np.abs(offset) ** exponent, np.float32)


def weighted_group_mean(
    codes: IndexArray, n: int, effect: Float32Array, weight: Float64Array
) -> Float32Array:
    """Return the weighted mean of an effect over the rows of each of n codes, 0 where there are none."""
    count = np.bincount(codes, weight, n)
    total = np.bincount(codes, weight * effect, n)
    return np.where(count > 0, total / np.where(count > 0, count, 1), 0).astype(np.float32)
