"""What is known of users and items beside the ratings: features (Table) and titles (Catalogue)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.column_roles import as_numpy, frame_columns, is_frame, role_of
from foretaste.errors import BadData, NotFound, did_you_mean, plain
from foretaste.ids import IdIndex, Indices


@dataclass(frozen=True, eq=False)
class Table:
    """Features of users or items, one row each, in the order of their index.

    Parameters
    ----------
    columns : tuple of str
        Feature names; a category becomes one column a value, named ``genre=comedy``.
    values : float32 array, shape (rows, columns)
    """

    columns: tuple[str, ...]
    values: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: npt.NDArray[Any]) -> Table:
        """Return the table of some rows, by a mask or by places."""
        return Table(self.columns, self.values[rows])

    @classmethod
    def from_frame(cls, frame: Any, index: IdIndex, name: str) -> Table:
        """Align a frame of features to an index of ids.

        Parameters
        ----------
        frame : pandas, polars or Arrow table
            One row an id; the id column is recognised by name, else the first column is taken.
        index : IdIndex
            The ids whose rows are wanted, in this order.
        name : str
            ``"user"`` or ``"item"``.

        Raises
        ------
        BadData
            If an id has no row, has two, or a number is missing.
        """
        columns, ids = _split(frame, name)
        rows = _rows_of(index, ids, name)
        parts = [_feature(label, as_numpy(column)[rows]) for label, column in columns.items()]
        names = tuple(n for labels, _ in parts for n in labels)
        values = np.hstack([v for _, v in parts]) if parts else np.empty((len(index), 0), np.float32)
        return cls(names, np.ascontiguousarray(values))

    @staticmethod
    def ids_in(frame: Any, name: str) -> IdIndex:
        """Return the ids that a frame of features has rows of; parameters as in ``from_frame``."""
        return IdIndex.from_column(_split(frame, name)[1], name)[0]


def _split(frame: Any, name: str) -> tuple[dict[str, Any], npt.NDArray[Any]]:
    """Return the columns of a frame of features, and its ids beside them."""
    if not is_frame(frame):
        raise BadData(f"{name} features must be a data frame, not {type(frame).__name__}")
    columns = dict(frame_columns(frame))
    id_column = next((c for c in columns if role_of(c) == name), next(iter(columns)))
    return columns, as_numpy(columns.pop(id_column))


def _rows_of(index: IdIndex, ids: npt.NDArray[Any], name: str) -> Indices:
    """Return the row of ``ids`` in which each id of ``index`` stands."""
    own, codes = IdIndex.from_column(ids, name)
    if len(own) != len(ids):
        twice = own.ids[np.bincount(codes).argmax()]
        raise BadData(f"{name} {plain(twice)!r} has more than one row of features", hint="keep one row an id")
    places = own.remap(index.ids)
    if (places < 0).any():
        missing = index.ids[places < 0]
        raise BadData(
            f"{len(missing)} of {len(index)} {name}s have no row of features (first: {plain(missing[0])!r})",
            hint=f"add their rows, or keep the ratings of {name}s that have features",
        )
    row_of_code = np.empty(len(own), np.int32)
    row_of_code[codes] = np.arange(len(ids), dtype=np.int32)
    return row_of_code[places]


def _feature(label: str, values: npt.NDArray[Any]) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Turn one column into numbers: as it is, or one column a category."""
    if values.dtype.kind in "iufb":
        numbers = values.astype(np.float32)
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise BadData(
                f'feature "{label}" is {plain(values[row])!r} in row {row}; it must be a finite number'
            )
        return [label], numbers[:, None]
    categories, codes = np.unique(values.astype(str), return_inverse=True)
    one_hot = np.zeros((len(values), len(categories)), np.float32)
    one_hot[np.arange(len(values)), codes] = 1
    return [f"{label}={c}" for c in categories], one_hot


@dataclass(frozen=True, eq=False)
class Catalogue:
    """What items are called: an index of item ids and columns of text beside it.

    Parameters
    ----------
    items : IdIndex
    columns : dict of str to object array, shape (items,)
        Columns as read; ``title`` names the one that people read.
    title : str
    """

    items: IdIndex
    columns: dict[str, npt.NDArray[Any]]
    title: str

    def __len__(self) -> int:
        return len(self.items)

    def titles(self, item_ids: npt.NDArray[Any]) -> list[str | None]:
        """Return the title of each item id, None where it has none."""
        places = self.items.remap(item_ids)
        texts = self.columns[self.title]
        return [None if place < 0 else str(texts[place]) for place in places]

    def with_title(self, column: str) -> Catalogue:
        """Return the catalogue with another column as its title."""
        if column not in self.columns:
            known = ", ".join(self.columns)
            raise NotFound(
                f'no column "{column}"{did_you_mean(column, self.columns)}', hint=f"one of {known}"
            )
        return Catalogue(self.items, self.columns, column)
