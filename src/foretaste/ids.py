"""Ids as people write them, and the indices that arrays use; the only room where both exist.

Ids are whole numbers (int64) or text, one type a column. They are sorted, numbers as numbers and text
as text (by code point), and an index is the place in that order; -1 means unknown.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from foretaste._native import IdEncoder
from foretaste._utils.threads import thread_count
from foretaste.errors import BadData, NotFound, did_you_mean, plain

Indices = npt.NDArray[np.int32]
IdArray = npt.NDArray[Any]  # int64, or object holding str

UNKNOWN = np.int32(-1)


@dataclass(frozen=True, eq=False)
class EncodedIds:
    """A column of ids that a reader has encoded already.

    Parameters
    ----------
    index : IdIndex
    codes : int32 array, shape (n,)
        The place of each row's id in ``index``.
    """

    index: IdIndex
    codes: Indices

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: npt.NDArray[Any]) -> EncodedIds:
        """Return some rows, with only the ids that occur in them."""
        codes = self.codes[rows]
        present = np.zeros(len(self.index), dtype=bool)
        present[codes] = True
        places = np.cumsum(present, dtype=np.int32) - np.int32(1)
        return EncodedIds(self.index.take(present), places[codes])

    def ids(self) -> IdArray:
        """Return the id of each row."""
        return self.index.ids[self.codes]


class IdIndex:
    """A sorted list of distinct ids and the map from an id to its index.

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
    def kind(self) -> str:
        """``"number"`` or ``"text"``."""
        return "text" if self.ids.dtype == object else "number"

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.ids.tolist())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IdIndex):
            return NotImplemented
        if self is other:
            return True
        same_kind = self.kind == other.kind and len(self) == len(other)
        return same_kind and bool(np.array_equal(self.ids, other.ids))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        head = ", ".join(repr(i) for i in self.ids[:3].tolist())
        return f"IdIndex({len(self)} {self.kind} ids: {head}{', ...' if len(self) > 3 else ''})"

    @classmethod
    def from_column(cls, values: Any, name: str) -> tuple[Self, Indices]:
        """Build the index of a column of ids.

        Parameters
        ----------
        values : array-like or EncodedIds, shape (n,)
            Whole numbers or text, not a mixture; a polars series of text is the fastest.
        name : str
            What the column is called, for errors.

        Returns
        -------
        index : IdIndex
        codes : int32 array, shape (n,)
            The place of each row's id in ``index``.

        Raises
        ------
        BadData
            If the ids are neither whole numbers nor text, or mix both, or one is missing.
        """
        if isinstance(values, EncodedIds):
            return cls(values.index.ids), values.codes
        if is_text_series(values):
            return cls.from_text_series(values, name)
        column = as_id_column(values, name)
        ids, codes = _distinct_text(column) if column.dtype == object else _distinct_numbers(column)
        return cls(ids), codes

    @classmethod
    def from_text_series(cls, series: Any, name: str) -> tuple[Self, Indices]:
        """Build the index of a polars series of text, without a Python object a row.

        Raises
        ------
        BadData
            If an id is missing.
        """
        if series.null_count():
            row = int(series.is_null().arg_max())
            raise BadData(
                f"{name} id in row {row} is None; ids must be whole numbers or text",
                hint=f"fill or drop the rows without a {name} id first",
            )
        ids, codes = distinct_text_series(series)
        return cls(ids), codes

    def encode(self, values: Any, name: str) -> Indices:
        """Return the index of each id, -1 where it is unknown.

        Raises
        ------
        BadData
            If the ids are of the other type than this index's.
        """
        column = as_id_column(values, name)
        kind = "text" if column.dtype == object else "number"
        if len(column) and kind != self.kind and len(self):
            raise BadData(
                f"{name} ids are given as {kind} ({plain(column[0])!r}), but the known {name} ids are "
                f"{self.kind} ({plain(self.ids[0])!r})",
                hint=f"convert the {name} column to {'str' if self.kind == 'text' else 'int'} first",
            )
        return self.remap(column)

    def remap(self, ids: IdArray) -> Indices:
        """Return the index of each of ``ids`` (of this index's type), -1 where unknown."""
        if len(self) == 0 or len(ids) == 0 or (ids.dtype == object) != (self.kind == "text"):
            return np.full(len(ids), UNKNOWN)
        if self.kind == "text":
            if self._positions is None:
                self._positions = {text: place for place, text in enumerate(self.ids.tolist())}
            places = self._positions
            return np.fromiter((places.get(text, -1) for text in ids.tolist()), np.int32, len(ids))
        found = np.minimum(np.searchsorted(self.ids, ids), len(self) - 1)
        return np.where(self.ids[found] == ids, found, UNKNOWN).astype(np.int32)

    def parse(self, texts: list[str]) -> IdArray:
        """Turn texts (from a file, a command line, a request) into ids of this index's type.

        A text that is no canonical number can be no id of a number index; it becomes -1 less than the
        least id, which is unknown.
        """
        if self.kind == "text":
            return np.array(texts, dtype=object)
        unknown = (int(self.ids[0]) if len(self) else 0) - 1
        return np.array([int(t) if is_canonical(t) else unknown for t in texts], dtype=np.int64)

    def index_of(self, id_: Any, name: str) -> int:
        """Return the index of one id; text is accepted for a number index (``"7"`` for 7).

        Raises
        ------
        NotFound
            If there is no such id, naming the nearest one.
        """
        column = self.parse([id_]) if isinstance(id_, str) else as_id_column([id_], name)
        index = int(self.remap(column)[0])
        if index < 0:
            near = did_you_mean(id_, self.ids[:100_000].tolist())
            raise NotFound(
                f"{name} {id_!r} is unknown{near}",
                where=f"known are {self.said()}",
                hint=f"one that is known: {self.nearest(str(id_))!r}" if len(self) else None,
                instead=(id_, self.nearest(str(id_))) if len(self) else None,
            )
        return index

    def said(self) -> str:
        """Say which ids these are: ``20 whole numbers, 1 to 30``."""
        kind = "texts" if self.kind == "text" else "whole numbers"
        return f"{len(self):,} {kind}, {self.ids[0]} to {self.ids[-1]}" if len(self) else "none"

    def nearest(self, text: str) -> Any:
        """Return the known id that is most like a text; there must be one."""
        if self.kind == "number" and is_canonical(text):
            return int(self.ids[np.argmin(abs(self.ids - int(text)))])
        near = difflib.get_close_matches(text, map(str, self.ids[:100_000].tolist()), n=1)
        return near[0] if near else self.ids[0]

    def take(self, keep: npt.NDArray[Any]) -> IdIndex:
        """Return the index of some ids, by a mask or by increasing places."""
        return IdIndex(self.ids[keep])


def is_text_series(values: Any) -> bool:
    """Whether ``values`` is a polars series of text, without importing polars."""
    return str(getattr(values, "dtype", "")) == "String" and hasattr(values, "null_count")


def is_canonical(text: str) -> bool:
    """Whether a text is a whole number as Python would print it: no leading zero, sign or space."""
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0") and len(text) <= 18


def as_id_column(values: Any, name: str) -> IdArray:
    """Return ids as an int64 array or an object array of str.

    Raises
    ------
    BadData
        If they are neither whole numbers nor text, mix both, or one is missing.
    """
    column = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=_plain_dtype(values))
    if column.ndim != 1:
        raise BadData(f"{name} ids must be one column; their shape is {column.shape}")
    if column.dtype.kind in "iu":
        if column.dtype == np.uint64 and len(column) and column.max() > np.iinfo(np.int64).max:
            raise BadData(f"{name} ids above 2**63 - 1 do not fit", hint="give them as text")
        return column.astype(np.int64, copy=False)
    if column.dtype.kind in "UT":
        return column.astype(object)
    if column.dtype.kind == "O":
        return _checked_objects(column, name)
    if len(column) == 0:
        return column.astype(np.int64)
    raise BadData(
        f"{name} ids are of type {column.dtype} ({plain(column[0])!r}); ids must be whole numbers or text",
        hint=f"convert the {name} column with .astype('int64') or .astype(str)",
    )


def _plain_dtype(values: Any) -> Any:
    """Keep numpy from turning a list that mixes 1 and "1" into text."""
    if isinstance(values, list | tuple) and any(isinstance(v, str) or v is None for v in values):
        return object
    return None


def _checked_objects(column: IdArray, name: str) -> IdArray:
    kinds = set(map(type, column.tolist()))
    if kinds <= {str}:
        return column if len(column) else column.astype(np.int64)
    if all(issubclass(k, int | np.integer) and k is not bool for k in kinds):
        return column.astype(np.int64)
    for row, value in enumerate(column):
        if isinstance(value, bool) or not isinstance(value, str | int | np.integer):
            raise BadData(
                f"{name} id in row {row} is {plain(value)!r}; ids must be whole numbers or text",
                hint=f"fill or drop the rows without a {name} id first",
            )
    raise BadData(
        f"the {name} column mixes numbers and text: "
        f"{_first(column, int | np.integer)!r} and {_first(column, str)!r}",
        hint=f"convert the whole {name} column with .astype(str)",
    )


def _first(column: IdArray, kind: Any) -> object:
    return plain(next(v for v in column if isinstance(v, kind)))


def _distinct_numbers(column: npt.NDArray[np.int64]) -> tuple[IdArray, Indices]:
    encoder = IdEncoder(thread_count(), empty_is_missing=False)
    encoder.feed_numbers(np.ascontiguousarray(column))
    return encoded(encoder, texts_may_be_numbers=False)


def _distinct_text(column: IdArray) -> tuple[IdArray, Indices]:
    import polars as pl

    series = pl.Series(values=column.tolist(), dtype=pl.String)
    return distinct_text_series(series)


def distinct_text_series(series: Any) -> tuple[IdArray, Indices]:
    """Return the sorted distinct texts of a polars series and the code of each row, -1 where it is null."""
    encoder = IdEncoder(thread_count(), empty_is_missing=False)
    encoder.feed_texts(series)
    return encoded(encoder, texts_may_be_numbers=False)


def encoded(encoder: IdEncoder, *, texts_may_be_numbers: bool) -> tuple[IdArray, Indices]:
    """Return the sorted distinct ids that an encoder was fed, and the code of each row, -1 where missing.

    Parameters
    ----------
    encoder : IdEncoder
        Gives its codes once.
    texts_may_be_numbers : bool
        Whether texts that are all canonical numbers become numbers.
    """
    return encoded_ids(*encoder.finish(texts_may_be_numbers))


def encoded_ids(ids: Any, codes: Indices) -> tuple[IdArray, Indices]:
    """Return distinct ids, which a native encoder gave as numbers or as a list of texts, as an array."""
    if isinstance(ids, list):
        texts = np.empty(len(ids), dtype=object)
        texts[:] = ids
        return texts, codes
    return ids, codes
