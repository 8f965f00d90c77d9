"""Vectorized checks of the bytes of delimited text: blank lines, separators per line, quotes."""

from __future__ import annotations

import re

import numpy as np

from foretaste.errors import DataError
from foretaste.io.dialect import WHITESPACE
from foretaste.typing import Int64Array


def nonblank_lines(data: bytes) -> Int64Array:
    """Return the numbers, from 0, of the non-blank lines of a text without quotes."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    carriage = (ends > starts) & (codes[np.maximum(ends, 1) - 1] == ord("\r"))
    return np.flatnonzero(ends - starts - carriage > 0)


def has_constant_separators(data: bytes, delimiter: str, n_separators: int) -> bool:
    """Whether every non-blank line has this number of separators."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    counts = np.diff(np.searchsorted(np.flatnonzero(codes == ord(delimiter)), ends), prepend=0)
    return bool((counts[nonblank_lines(data)] == n_separators).all())


def is_well_quoted(data: bytes, delimiter: str) -> bool:
    """Whether every quote opens or closes a field, or is a doubled one in a quoted field."""
    codes = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    if len(quotes) % 2:
        return False
    opens, closes = quotes[0::2], quotes[1::2]
    doubled = closes[:-1] + 1 == opens[1:]
    borders = np.frombuffer(f"\n{delimiter}".encode(), np.uint8)
    before = (opens == 0) | np.isin(codes[np.maximum(opens, 1) - 1], borders)
    ends = np.append(borders, ord("\r"))
    after = (closes == len(codes) - 1) | np.isin(codes[np.minimum(closes + 1, len(codes) - 1)], ends)
    return bool((before | np.append(False, doubled)).all() and (after | np.append(doubled, False)).all())


def to_single_byte_separator(data: bytes, separator: str) -> tuple[bytes, str]:
    """Return the text with a one-byte separator, which the native reader and polars require."""
    if separator == WHITESPACE:
        if (
            b"\t" in data
            or b"  " in data
            or b" \n" in data
            or b" \r" in data
            or b"\n " in data
            or data[:1] == b" "
        ):
            data = re.sub(rb"[ \t]*(\r?\n)[ \t]*", rb"\1", re.sub(rb"[ \t]+", b" ", data).strip(b" "))
        return data, " "
    if len(separator.encode()) == 1:
        return data, separator
    for code in (*range(31, 13, -1), *range(8, 0, -1), 127):  # control characters, which text hardly contains
        if bytes([code]) not in data:
            return data.replace(separator.encode(), bytes([code])), chr(code)
    raise DataError("the text holds every control character there is", hint="convert it to CSV first")
