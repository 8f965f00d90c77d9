"""Features of users and items as numbers for a network: in what units, and which column is which."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from foretaste.errors import BadData
from foretaste.features import Table
from foretaste.models.outputs import Floats


@dataclass(frozen=True, eq=False)
class Features:
    """The columns that a model has learned from, and in what units it has.

    Parameters
    ----------
    columns : tuple of str
        As in ``Table``: a category is one column a value, ``genre=comedy``.
    centre, scale : float32 array, shape (columns,)
        A column goes in as ``(value - centre) / scale``. Columns of only 0 and 1 go in as they are, others in
        standard deviations from their mean over the known users or items.
    """

    columns: tuple[str, ...]
    centre: Floats
    scale: Floats

    @classmethod
    def of(cls, table: Table | None) -> Features:
        """Return the features of a training table; None has no columns."""
        if table is None:
            return cls((), np.empty(0, np.float32), np.empty(0, np.float32))
        exact = table.values.astype(np.float64)
        marks = ((exact == 0) | (exact == 1)).all(axis=0)
        std = exact.std(axis=0)
        centre = np.where(marks, 0, exact.mean(axis=0))
        scale = np.where(marks | (std == 0), 1, std)
        return cls(table.columns, centre.astype(np.float32), scale.astype(np.float32))

    @classmethod
    def from_text(cls, names: str, units: Floats) -> Features:
        """Return what ``text`` and ``units`` were made of."""
        return cls(tuple(json.loads(names)), units[:, 0], units[:, 1])

    def text(self) -> str:
        """Return the names of the columns as one text."""
        return json.dumps(self.columns, ensure_ascii=False)

    def units(self) -> Floats:
        """Return centre and scale, shape (columns, 2)."""
        return np.ascontiguousarray(np.column_stack([self.centre, self.scale]), dtype=np.float32)

    def of_rows(self, table: Table | None, n: int, name: str) -> Floats:
        """Return the numbers of a table, in the learned columns and units.

        Parameters
        ----------
        table : Table, or None
            None: no columns were learned from.
        n : int
            How many rows there are.
        name : str
            ``"user"`` or ``"item"``, for errors.

        Returns
        -------
        float32 array, shape (n, columns)

        Raises
        ------
        BadData
            If the table has other columns. Only the values of a category may differ: one that was not there
            in learning says nothing.
        """
        if table is None:
            return np.zeros((n, len(self.columns)), np.float32)
        place = {column: k for k, column in enumerate(self.columns)}
        self._check(table.columns, name)
        values = np.tile(self.centre, (n, 1))
        for k, column in enumerate(table.columns):
            if column in place:
                values[:, place[column]] = table.values[:, k]
        return np.ascontiguousarray((values - self.centre) / self.scale)

    def _check(self, given: tuple[str, ...], name: str) -> None:
        """Refuse columns that are missing or were not learned from; a category may have other values."""
        known, categories = set(self.columns), _categories(self.columns)
        learned = ", ".join(dict.fromkeys(map(_base, self.columns))) or "none"
        odd = [c for c in given if c not in known and _base(c) not in categories]
        if odd:
            raise BadData(
                f'{name} feature "{odd[0]}" was not there when the model learned',
                hint=f"give the features that it learned from: {learned}",
            )
        there = set(given) | _categories(given)
        lost = [_base(c) for c in self.columns if c not in there and _base(c) not in there]
        if lost:
            raise BadData(
                f'{name} feature "{lost[0]}" is missing; the model has learned from it',
                hint=f"give all features that it learned from: {learned}",
            )


def _base(column: str) -> str:
    """Return what a column of a category is called without its value."""
    return column.partition("=")[0]


def _categories(columns: tuple[str, ...]) -> set[str]:
    return {_base(column) for column in columns if "=" in column}
