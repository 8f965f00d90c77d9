"""Time features of timeSVD++: sessions of users, time bins of items, drift."""

from __future__ import annotations

import numpy as np

from foretaste.typing import Float32Array, Float64Array, IndexArray, Int64Array


def session_number(timestamp: Float64Array, hours: float) -> Int64Array:
    """Return the index of the period of ``hours`` (at least one second) that contains each timestamp."""
    return np.floor(timestamp / max(3600 * hours, 1.0)).astype(np.int64)


def index_sessions(user: IndexArray, number: Int64Array) -> tuple[Int64Array, Int64Array, IndexArray]:
    """Return the sessions: the distinct pairs of a user and a period.

    Returns
    -------
    numbers : int64 array, increasing
        The periods that occur.
    keys : int64 array, shape (sessions,), increasing
        Of each session: ``user * len(numbers)`` plus the index of its period in ``numbers``.
    session : int32 array, shape (n,)
        The session of each row.
    """
    numbers, index = np.unique(number, return_inverse=True)
    keys, session = np.unique(user.astype(np.int64) * len(numbers) + index, return_inverse=True)
    return numbers, keys, session.astype(np.int32)


def lookup_sessions(
    user: IndexArray, number: Int64Array, numbers: Int64Array, keys: Int64Array
) -> IndexArray:
    """Return the session of each (known) user in each period, -1 where there is none."""
    if len(keys) == 0 or len(numbers) == 0:
        return np.full(len(user), -1, np.int32)
    index = np.minimum(np.searchsorted(numbers, number), len(numbers) - 1)
    key = user.astype(np.int64) * len(numbers) + index
    key_index = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    exists = (numbers[index] == number) & (keys[key_index] == key)
    return np.where(exists, key_index, -1).astype(np.int32)


def time_bin(timestamp: Float64Array, first: float, last: float, bins: int) -> IndexArray:
    """Return which of ``bins`` equal parts of [first, last] contains each timestamp; outside, the nearest."""
    fraction = (timestamp - first) / max(last - first, 1.0)
    return np.clip(fraction * bins, 0, max(bins - 1, 0)).astype(np.int32)


def compute_drift(
    timestamp: Float64Array, center: Float64Array, span: float, exponent: float
) -> Float32Array:
    """Return ``sign(x) |x|^exponent`` of the offset ``x`` from the center in units of ``span``, -1 to 1."""
    offset = (timestamp - center) / max(span, 1.0)
    return np.asarray(np.sign(offset) * np.abs(offset) ** exponent, np.float32)
