"""Scales the features of users and items for a network, and checks their columns."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from foretaste.errors import DataError
from foretaste.features import FeatureTable
from foretaste.typing import Float32Array


@dataclass(frozen=True, eq=False)
class FeatureScaler:
    """Standardizes feature columns as they were in training.

    Parameters
    ----------
    columns : tuple of str
        As in ``FeatureTable``; a category is one-hot encoded, one column per value: ``genre=comedy``.
    center, scale : float32 array, shape (columns,)
        A column is transformed to ``(value - center) / scale``. Binary columns are unchanged, others have
        zero mean and unit variance over the known users or items.
    """

    columns: tuple[str, ...]
    center: Float32Array
    scale: Float32Array

    @classmethod
    def from_table(cls, table: FeatureTable | None) -> FeatureScaler:
        """Return the scaler fitted to a training table; None has no columns."""
        if table is None:
            return cls((), np.empty(0, np.float32), np.empty(0, np.float32))
        values = table.values.astype(np.float64)
        is_binary = ((values == 0) | (values == 1)).all(axis=0)
        std = values.std(axis=0)
        center = np.where(is_binary, 0, values.mean(axis=0))
        scale = np.where(is_binary | (std == 0), 1, std)
        return cls(table.columns, center.astype(np.float32), scale.astype(np.float32))

    @classmethod
    def from_json(cls, columns_json: str, center_scale: Float32Array) -> FeatureScaler:
        """Return the scaler from its stored parts, the inverse of ``columns_json`` and ``center_scale``."""
        return cls(tuple(json.loads(columns_json)), center_scale[:, 0], center_scale[:, 1])

    def columns_json(self) -> str:
        """Return the column names as a JSON array."""
        return json.dumps(self.columns, ensure_ascii=False)

    def center_scale(self) -> Float32Array:
        """Return center and scale, shape (columns, 2)."""
        return np.ascontiguousarray(np.column_stack([self.center, self.scale]), dtype=np.float32)

    def transform(self, table: FeatureTable | None, n: int, entity: str) -> Float32Array:
        """Return the scaled columns of a table, in the order of training.

        Parameters
        ----------
        table : FeatureTable or None
            None: zeros, as if all values were missing.
        n : int
            Number of rows.
        entity : {"user", "item"}
            For errors.

        Returns
        -------
        float32 array, shape (n, columns)

        Raises
        ------
        DataError
            If the table has other columns. Only the values of a category may differ: one that did not occur
            in training is ignored.
        """
        if table is None:
            return np.zeros((n, len(self.columns)), np.float32)
        index = {column: k for k, column in enumerate(self.columns)}
        self._check_columns(table.columns, entity)
        values = np.tile(self.center, (n, 1))
        for k, column in enumerate(table.columns):
            if column in index:
                values[:, index[column]] = table.values[:, k]
        return np.ascontiguousarray((values - self.center) / self.scale)

    def _check_columns(self, columns: tuple[str, ...], entity: str) -> None:
        """Raise if columns are missing or were not in training; a category may have other values."""
        known, categories = set(self.columns), _categorical_features(self.columns)
        feature_names = ", ".join(dict.fromkeys(map(_feature_name, self.columns))) or "none"
        unexpected = [c for c in columns if c not in known and _feature_name(c) not in categories]
        if unexpected:
            raise DataError(
                f'{entity} feature "{unexpected[0]}" was not in the training data',
                hint=f"the features of the training data: {feature_names}",
            )
        present = set(columns) | _categorical_features(columns)
        missing = [
            _feature_name(c) for c in self.columns if c not in present and _feature_name(c) not in present
        ]
        if missing:
            raise DataError(
                f'{entity} feature "{missing[0]}" is missing; the model was trained on it',
                hint=f"all features of the training data: {feature_names}",
            )


def _feature_name(column: str) -> str:
    """Return the name of a feature, without the value of a category."""
    return column.partition("=")[0]


def _categorical_features(columns: tuple[str, ...]) -> set[str]:
    return {_feature_name(column) for column in columns if "=" in column}
