"""Id maps between user and item ids and the indices that arrays use.

Ids are integers (int64) or strings, one type per column. They are sorted, integers by value and strings by
code point; an index is the position in that order, and -1 means unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from foretaste._native import IdEncoder
from foretaste._utils.threads import resolve_threads
from foretaste.errors import DataError, NotFoundError, to_python
from foretaste.typing import AnyArray, BoolArray, IdArray, IndexArray, Int64Array

UNKNOWN = np.int32(-1)


@dataclass(frozen=True, eq=False)
class EncodedIds:
    """A column of ids that a reader has already encoded.

    Parameters
    ----------
    index : IdIndex
    codes : int32 array, shape (n,)
        The index of each row's id in ``index``.
    """

    index: IdIndex
    codes: IndexArray

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: AnyArray) -> EncodedIds:
        """Return a subset of rows, with only the ids that occur in them."""
        index, codes, _ = self.index.compact(self.codes[rows])
        return EncodedIds(index, codes)

    def decode(self) -> IdArray:
        """Return the id of each row."""
        return self.index.ids[self.codes]


class IdIndex:
    """Sorted, distinct ids and the map from an id to its index.

    Parameters
    ----------
    ids : array of int64 or of str, shape (n,)
        Sorted and distinct.
    """

    __slots__ = ("_positions", "ids")

    def __init__(self, ids: IdArray) -> None:
        self.ids = ids
        self._positions: dict[str, int] | None = None

    @property
    def dtype(self) -> str:
        """``"int"`` or ``"str"``."""
        return "str" if self.ids.dtype == object else "int"

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.ids.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdIndex):
            return NotImplemented
        if self is other:
            return True
        same_dtype = self.dtype == other.dtype and len(self) == len(other)
        return same_dtype and bool(np.array_equal(self.ids, other.ids))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        head = ", ".join(repr(i) for i in self.ids[:3].tolist())
        return f"IdIndex({len(self)} {self.dtype} ids: {head}{', ...' if len(self) > 3 else ''})"

    @classmethod
    def from_column(cls, values: Any, name: str) -> tuple[Self, IndexArray]:
        """Build the index of a column of ids.

        Parameters
        ----------
        values : array-like or EncodedIds, shape (n,)
            Integers or strings, not a mixture; a polars string series is the fastest.
        name : str
            Name of the column, for error messages.

        Returns
        -------
        index : IdIndex
        codes : int32 array, shape (n,)
            The index of each row's id in ``index``.

        Raises
        ------
        DataError
            If the ids are neither integers nor strings, mix both, or one is missing.
        """
        if isinstance(values, EncodedIds):
            return cls(values.index.ids), values.codes
        if is_text_series(values):
            return cls.from_text_series(values, name)
        column = as_id_column(values, name)
        ids, codes = _factorize_strings(column) if column.dtype == object else _factorize_integers(column)
        return cls(ids), codes

    @classmethod
    def from_text_series(cls, series: Any, name: str) -> tuple[Self, IndexArray]:
        """Build the index of a polars string series, without a Python object per row.

        Raises
        ------
        DataError
            If an id is missing.
        """
        if series.null_count():
            row = int(series.is_null().arg_max())
            raise DataError(
                f"{name} id in row {row} is None; ids must be integers or strings",
                hint=f"fill or drop the rows without a {name} id first",
            )
        ids, codes = factorize_text(series)
        return cls(ids), codes

    def encode(self, values: Any, name: str) -> IndexArray:
        """Return the index of each id, -1 where it is unknown.

        Raises
        ------
        DataError
            If the ids are of another type than this index.
        """
        column = as_id_column(values, name)
        dtype = "str" if column.dtype == object else "int"
        if len(column) and dtype != self.dtype and len(self):
            raise DataError(
                f"{name} ids are given as {dtype} ({to_python(column[0])!r}), but the known {name} ids are "
                f"{self.dtype} ({to_python(self.ids[0])!r})",
                hint=f"convert the {name} column to {self.dtype} first",
            )
        return self.indices_of(column)

    def indices_of(self, ids: IdArray) -> IndexArray:
        """Return the index of each of ``ids`` (of this index's type), -1 where unknown."""
        if len(self) == 0 or len(ids) == 0 or (ids.dtype == object) != (self.dtype == "str"):
            return np.full(len(ids), UNKNOWN)
        if self.dtype == "str":
            if self._positions is None:
                self._positions = {text: position for position, text in enumerate(self.ids.tolist())}
            position_of = self._positions
            return np.fromiter((position_of.get(text, -1) for text in ids.tolist()), np.int32, len(ids))
        positions = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return np.where(self.ids[positions] == ids, positions, UNKNOWN).astype(np.int32)

    def parse(self, texts: list[str]) -> IdArray:
        """Parse strings (from a file, a command line, a request) as ids of this index's type.

        In an integer index, a string that is not a plain integer becomes the smallest id minus 1, which is
        unknown.
        """
        if self.dtype == "str":
            return np.array(texts, dtype=object)
        unknown = (int(self.ids[0]) if len(self) else 0) - 1
        return np.array([int(t) if is_plain_integer(t) else unknown for t in texts], dtype=np.int64)

    def index_of(self, id_: Any, name: str) -> int:
        """Return the index of one id; an integer index also accepts strings (``"7"`` for 7).

        Raises
        ------
        NotFoundError
            If there is no such id; the message names the closest one.
        """
        column = self.parse([id_]) if isinstance(id_, str) else as_id_column([id_], name)
        index = int(self.indices_of(column)[0])
        if index < 0:
            raise NotFoundError(
                f"{name} {id_!r} is unknown",
                misspelled=(id_, self.ids[:100_000].tolist()),
                where=f"known are {self.describe()}",
                hint=f"one that is known: {self.closest(str(id_))!r}" if len(self) else None,
                replacement=(id_, self.closest(str(id_))) if len(self) else None,
            )
        return index

    def describe(self) -> str:
        """Return a description of the ids: ``20 integers, 1 to 30``."""
        noun = "strings" if self.dtype == "str" else "integers"
        return f"{len(self):,} {noun}, {self.ids[0]} to {self.ids[-1]}" if len(self) else "none"

    def closest(self, text: str) -> Any:
        """Return the known id closest to a string; the index must not be empty."""
        if self.dtype == "int" and is_plain_integer(text):
            return int(self.ids[np.argmin(abs(self.ids - int(text)))])
        matches = difflib.get_close_matches(text, map(str, self.ids[:100_000].tolist()), n=1)
        return matches[0] if matches else self.ids[0]

    def take_ids(self, selection: AnyArray) -> IdIndex:
        """Return the index of a subset of ids, selected by a mask or by increasing positions."""
        return IdIndex(self.ids[selection])

    def compact(self, codes: IndexArray) -> tuple[IdIndex, IndexArray, BoolArray]:
        """Drop the ids that do not occur in ``codes``, and renumber the rest.

        Returns
        -------
        index : IdIndex
            The ids that occur; this index itself if all do.
        codes : int32 array, shape (n,)
            The index of each row's id in the new ``index``.
        present : bool array, shape (ids,)
            Which ids of this index occur.
        """
        present = np.zeros(len(self), dtype=bool)
        present[codes] = True
        if present.all():
            return self, codes, present
        positions = np.cumsum(present, dtype=np.int32) - np.int32(1)
        return self.take_ids(present), positions[codes], present


def is_text_series(values: Any) -> bool:
    """Whether ``values`` is a polars string series, without importing polars."""
    return str(getattr(values, "dtype", "")) == "String" and hasattr(values, "null_count")


def is_plain_integer(text: str) -> bool:
    """Whether a string is a non-negative integer as Python prints it: no leading zero, sign or space."""
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) <= 18


def as_id_column(values: Any, name: str) -> IdArray:
    """Return ids as an int64 array or an object array of str.

    Raises
    ------
    DataError
        If they are neither integers nor strings, mix both, or one is missing.
    """
    column = (
        values if isinstance(values, np.ndarray) else np.asarray(values, dtype=_object_dtype_for_text(values))
    )
    if column.ndim != 1:
        raise DataError(f"{name} ids must be one column; their shape is {column.shape}")
    if column.dtype.kind in "iu":
        if column.dtype == np.uint64 and len(column) and column.max() > np.iinfo(np.int64).max:
            raise DataError(f"{name} ids above 2**63 - 1 do not fit", hint="pass them as strings")
        return column.astype(np.int64, copy=False)
    if column.dtype.kind in "UT":
        return column.astype(object)
    if column.dtype.kind == "O":
        return _check_object_ids(column, name)
    if len(column) == 0:
        return column.astype(np.int64)
    raise DataError(
        f"{name} ids are of type {column.dtype} ({to_python(column[0])!r}); ids must be integers or strings",
        hint=f"convert the {name} column with .astype('int64') or .astype(str)",
    )


def _object_dtype_for_text(values: Any) -> Any:
    """Return object for lists with strings, so that numpy does not convert 1 and "1" to the same string."""
    if isinstance(values, list | tuple) and any(isinstance(v, str) or v is None for v in values):
        return object
    return None


def _check_object_ids(column: IdArray, name: str) -> IdArray:
    types = set(map(type, column.tolist()))
    if types <= {str}:
        return column if len(column) else column.astype(np.int64)
    if all(issubclass(type_, int | np.integer) and type_ is not bool for type_ in types):
        return column.astype(np.int64)
    for row, value in enumerate(column):
        if isinstance(value, bool) or not isinstance(value, str | int | np.integer):
            raise DataError(
                f"{name} id in row {row} is {to_python(value)!r}; ids must be integers or strings",
                hint=f"fill or drop the rows without a {name} id first",
            )
    raise DataError(
        f"the {name} column mixes numbers and text: "
        f"{_first_of_type(column, int | np.integer)!r} and {_first_of_type(column, str)!r}",
        hint=f"convert the whole {name} column with .astype(str)",
    )


def _first_of_type(column: IdArray, type_: Any) -> object:
    return to_python(next(v for v in column if isinstance(v, type_)))


def _factorize_integers(column: Int64Array) -> tuple[IdArray, IndexArray]:
    encoder = IdEncoder(resolve_threads(), empty_is_missing=False)
    encoder.feed_numbers(np.ascontiguousarray(column))
    return finish_encoding(encoder, texts_may_be_numbers=False)


def _factorize_strings(column: IdArray) -> tuple[IdArray, IndexArray]:
    import polars as pl

    series = pl.Series(values=column.tolist(), dtype=pl.String)
    return factorize_text(series)


def factorize_text(series: Any) -> tuple[IdArray, IndexArray]:
    """Return the sorted distinct strings of a polars series and the code of each row, -1 where it is null."""
    encoder = IdEncoder(resolve_threads(), empty_is_missing=False)
    encoder.feed_texts(series)
    return finish_encoding(encoder, texts_may_be_numbers=False)


def finish_encoding(encoder: IdEncoder, *, texts_may_be_numbers: bool) -> tuple[IdArray, IndexArray]:
    """Return the sorted distinct ids of an encoder and the code of each row, -1 where missing.

    Parameters
    ----------
    encoder : IdEncoder
        Consumed: it returns its codes once.
    texts_may_be_numbers : bool
        Whether strings that are all plain integers become integers.
    """
    return as_id_array(*encoder.finish(texts_may_be_numbers))


def as_id_array(ids: Any, codes: IndexArray) -> tuple[IdArray, IndexArray]:
    """Return the distinct ids of a native encoder, an int64 array or a list of strings, as an array."""
    if isinstance(ids, list):
        texts = np.empty(len(ids), dtype=object)
        texts[:] = ids
        return texts, codes
    return ids, codes
