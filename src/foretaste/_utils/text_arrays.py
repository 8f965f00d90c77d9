"""Strings as two flat arrays, bytes and offsets, to store and hash them without pickling."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from foretaste.typing import AnyArray, Int64Array, UInt8Array


def pack_texts(texts: Sequence[str]) -> tuple[UInt8Array, Int64Array]:
    """Concatenate strings.

    Parameters
    ----------
    texts : sequence of str, length n

    Returns
    -------
    data : uint8 array
        The UTF-8 bytes.
    offsets : int64 array, shape (n + 1,)
        String k is ``data[offsets[k]:offsets[k + 1]]``.
    """
    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    return np.frombuffer(b"".join(encoded), np.uint8), offsets


def unpack_texts(data: UInt8Array, offsets: Int64Array) -> AnyArray:
    """Return the strings that ``pack_texts`` concatenated.

    Returns
    -------
    object array of str, shape (n,)

    Raises
    ------
    ValueError
        If the offsets do not cover the bytes in order, or the bytes are not UTF-8.
    """
    if len(offsets) == 0 or offsets[0] != 0 or offsets[-1] != len(data) or (offsets[1:] < offsets[:-1]).any():
        raise ValueError("the offsets do not cover the bytes in order")
    raw, ends = data.tobytes(), offsets.tolist()
    texts = np.empty(len(ends) - 1, dtype=object)
    texts[:] = [raw[start:end].decode() for start, end in pairwise(ends)]
    return texts
