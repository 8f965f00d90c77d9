"""User and item features (``FeatureTable``) and item titles (``ItemCatalog``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from foretaste.column_roles import as_numpy, column_role, frame_columns, is_frame
from foretaste.errors import (
    DataError,
    NotFoundError,
    to_python,
)
from foretaste.ids import IdIndex
from foretaste.typing import AnyArray, ArrayDict, Float32Array, IndexArray


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of users or items, one row per id, in the order of the id map.

    Parameters
    ----------
    columns : tuple of str
        Feature names; a categorical feature is one-hot encoded as columns such as ``genre=comedy``.
    values : float32 array, shape (rows, columns)
    """

    columns: tuple[str, ...]
    values: Float32Array

    def __len__(self) -> int:
        return len(self.values)

    def take_rows(self, rows: AnyArray) -> FeatureTable:
        """Return a subset of rows, selected by a mask or by positions."""
        return FeatureTable(self.columns, self.values[rows])

    @classmethod
    def from_frame(cls, frame: Any, index: IdIndex, entity: str) -> FeatureTable:
        """Align a frame of features to an index of ids.

        Parameters
        ----------
        frame : pandas, polars or Arrow table
            One row per id; the id column is inferred by name, else it is the first column.
        index : IdIndex
            The ids that the rows are aligned to.
        entity : str
            ``"user"`` or ``"item"``.

        Raises
        ------
        DataError
            If an id has no row or several, or a number is missing.
        """
        columns, ids = _split_id_column(frame, entity)
        rows = _align_rows(index, ids, entity)
        encoded = [_encode_feature(label, as_numpy(column)[rows]) for label, column in columns.items()]
        names = tuple(n for labels, _ in encoded for n in labels)
        values = np.hstack([v for _, v in encoded]) if encoded else np.empty((len(index), 0), np.float32)
        return cls(names, np.ascontiguousarray(values))

    @staticmethod
    def ids_from_frame(frame: Any, entity: str) -> IdIndex:
        """Return the ids of a frame of features; parameters as in ``from_frame``."""
        return IdIndex.from_column(_split_id_column(frame, entity)[1], entity)[0]


def _split_id_column(frame: Any, entity: str) -> tuple[dict[str, Any], AnyArray]:
    """Split a frame of features into its feature columns and its ids."""
    if not is_frame(frame):
        raise DataError(f"{entity} features must be a data frame, not {type(frame).__name__}")
    columns = dict(frame_columns(frame))
    id_column = next((c for c in columns if column_role(c) == entity), next(iter(columns)))
    return columns, as_numpy(columns.pop(id_column))


def _align_rows(index: IdIndex, ids: AnyArray, entity: str) -> IndexArray:
    """Return the row of each id of ``index`` in ``ids``."""
    frame_index, codes = IdIndex.from_column(ids, entity)
    if len(frame_index) != len(ids):
        duplicate = frame_index.ids[np.bincount(codes).argmax()]
        raise DataError(
            f"{entity} {to_python(duplicate)!r} has more than one row of features", hint="keep one row per id"
        )
    positions = frame_index.indices_of(index.ids)
    if (positions < 0).any():
        missing = index.ids[positions < 0]
        raise DataError(
            f"{len(missing)} of {len(index)} {entity}s have no row of features "
            f"(first: {to_python(missing[0])!r})",
            hint=f"add their rows, or keep the ratings of {entity}s that have features",
        )
    row_of_code = np.empty(len(frame_index), np.int32)
    row_of_code[codes] = np.arange(len(ids), dtype=np.int32)
    return row_of_code[positions]


def _encode_feature(label: str, values: AnyArray) -> tuple[list[str], Float32Array]:
    """Encode one column: numbers as they are, categories one-hot."""
    if values.dtype.kind in "iufb":
        numbers = values.astype(np.float32)
        if not np.isfinite(numbers).all():
            row = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise DataError(
                f'feature "{label}" is {to_python(values[row])!r} in row {row}; it must be a finite number'
            )
        return [label], numbers[:, None]
    categories, codes = np.unique(values.astype(str), return_inverse=True)
    one_hot = np.zeros((len(values), len(categories)), np.float32)
    one_hot[np.arange(len(values)), codes] = 1
    return [f"{label}={c}" for c in categories], one_hot


@dataclass(frozen=True, eq=False)
class ItemCatalog:
    """Item titles and other text columns by item id.

    Parameters
    ----------
    items : IdIndex
    columns : dict of str to object array, shape (items,)
        Columns as read.
    title : str
        Name of the column that holds the titles.
    """

    items: IdIndex
    columns: ArrayDict
    title: str

    def __len__(self) -> int:
        return len(self.items)

    def titles(self, item_ids: AnyArray) -> list[str | None]:
        """Return the title of each item id, None for unknown items."""
        positions = self.items.indices_of(item_ids)
        texts = self.columns[self.title]
        return [None if position < 0 else str(texts[position]) for position in positions]

    def with_title(self, column: str) -> ItemCatalog:
        """Return the catalog with another column as the title."""
        if column not in self.columns:
            known = ", ".join(self.columns)
            raise NotFoundError(
                f'no column "{column}"', misspelled=(column, self.columns), hint=f"one of {known}"
            )
        return ItemCatalog(self.items, self.columns, column)
