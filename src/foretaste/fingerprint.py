"""Fingerprint of a set of ratings, independent of row order."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from foretaste._utils.text_arrays import pack_texts
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array, UInt64Array

_MULTIPLIER_1, _MULTIPLIER_2 = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def fingerprint(ratings: Ratings, *, block_rows: int = 1 << 15) -> str:
    """Return a fingerprint of the ratings: users, items, values, weights and timestamps.

    Equal sets of rows have equal fingerprints in any order; different ones collide with probability 2**-64.
    It distinguishes datasets and is not cryptographically secure.

    Parameters
    ----------
    ratings : Ratings
        The declared scale and the features are ignored.
    block_rows : int
        Rows hashed at a time; does not change the result. The default fits into the cache.

    Returns
    -------
    str
        32 hexadecimal digits.

    Notes
    -----
    Each row (user and item index, value, weight, timestamp) is hashed to 64 bits by the finalizer of
    splitmix64 (Steele, Lea and Flood 2014), and again to a second 64; both are summed modulo 2**64. The sums
    and the id maps are hashed by SHA-256, so that equal indices of other ids give another fingerprint.
    """
    digest = hashlib.sha256(b"foretaste ratings 1")
    has_columns = (ratings.weight is not None, ratings.timestamp is not None)
    digest.update(
        np.array([len(ratings), *has_columns, *_sum_row_hashes(ratings, block_rows)], "<u8").tobytes()
    )
    for index in (ratings.users, ratings.items):
        _update_with_ids(digest, index)
    return digest.hexdigest()[:32]


def _sum_row_hashes(ratings: Ratings, block_rows: int) -> UInt64Array:
    """Return the two sums of row hashes, modulo 2**64."""
    sums = np.zeros(2, np.uint64)
    with np.errstate(over="ignore"):
        for start in range(0, len(ratings), block_rows):
            rows = slice(start, start + block_rows)
            hashes = ratings.user[rows].astype(np.uint64)
            hashes <<= np.uint64(32)
            hashes |= ratings.item[rows].astype(np.uint64)
            _mix_bits(hashes)
            hashes ^= _float_bits(ratings.value[rows])
            if ratings.weight is not None:
                hashes ^= _float_bits(ratings.weight[rows]) << np.uint64(32)
            _mix_bits(hashes)
            if ratings.timestamp is not None:
                hashes ^= ratings.timestamp[rows].view(np.uint64)
                _mix_bits(hashes)
            sums[0] += hashes.sum(dtype=np.uint64)
            _mix_bits(hashes)
            sums[1] += hashes.sum(dtype=np.uint64)
    return sums


def _mix_bits(hashes: UInt64Array) -> None:
    """Hash each number in place by a bijection."""
    hashes += np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(30)
    hashes *= _MULTIPLIER_1
    hashes ^= hashes >> np.uint64(27)
    hashes *= _MULTIPLIER_2
    hashes ^= hashes >> np.uint64(31)


def _float_bits(values: Float32Array) -> UInt64Array:
    """Return the bit pattern of each float; -0 counts as 0."""
    return (values + np.float32(0)).view(np.uint32).astype(np.uint64)


def _update_with_ids(digest: Any, index: IdIndex) -> None:
    name = "text" if index.dtype == "str" else "number"  # as hashed since the first release
    digest.update(f"{name} {len(index)}".encode())
    if index.dtype == "str":
        data, offsets = pack_texts(index.ids.tolist())
        digest.update(offsets.astype("<i8").tobytes())
        digest.update(data.tobytes())
    else:
        digest.update(index.ids.astype("<i8").tobytes())
