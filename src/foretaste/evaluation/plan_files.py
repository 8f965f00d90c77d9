"""Saves and loads an evaluation plan as an npz file, for evaluation in a subprocess.

Ids are replaced by their indices in sorted order, as models depend on nothing else of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from foretaste.evaluation.plan import EvaluationPlan
from foretaste.features import FeatureTable
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings
from foretaste.typing import AnyArray, ArrayDict, Entity, Int64Array

PREDICTIONS_FILE = "predictions_{}.npy"  # of one fold, written by the subprocess


def save_plan(plan: EvaluationPlan, path: Path) -> None:
    """Write a plan to an uncompressed npz file; no array has dtype object, so nothing is pickled."""
    ratings = plan.ratings
    arrays: ArrayDict = {"user": ratings.user, "item": ratings.item, **_rating_columns(ratings, "")}
    arrays["sizes"] = np.array([len(ratings.users), len(ratings.items), len(plan.fold_rows)])
    for entity in Entity:
        features, name = ratings.axis(entity).features, f"{entity}_features"
        if features is not None:
            arrays[name], arrays[f"{name}_columns"] = (
                features.values,
                np.array(features.columns, dtype=np.str_),
            )
    for fold, (train_rows, test_rows) in enumerate(plan.fold_rows):
        arrays[f"train_{fold}"], arrays[f"test_{fold}"] = train_rows, test_rows
    if plan.test is not None:
        arrays["test_user"] = _encode_ids(plan.test.users, ratings.users)[plan.test.user]
        arrays["test_item"] = _encode_ids(plan.test.items, ratings.items)[plan.test.item]
        arrays |= _rating_columns(plan.test, "test_")
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _rating_columns(ratings: Ratings, prefix: str) -> ArrayDict:
    columns = {"value": ratings.value, "timestamp": ratings.timestamp, "weight": ratings.weight}
    columns["scale"] = None if ratings.scale is None else np.array(ratings.scale)
    return {prefix + name: column for name, column in columns.items() if column is not None}


def _encode_ids(index: IdIndex, train_ids: IdIndex) -> Int64Array:
    """Return the index of each id in ``train_ids``; unknown ids get the numbers after the last index."""
    codes = train_ids.indices_of(index.ids).astype(np.int64)
    codes[codes < 0] = len(train_ids) + np.arange(np.count_nonzero(codes < 0))
    return codes


def load_plan(path: Path) -> EvaluationPlan:
    """Read a file of ``save_plan``; ids are consecutive integers in the order of the original ids."""
    with np.load(path, allow_pickle=False) as archive:
        arrays: ArrayDict = {name: archive[name] for name in archive.files}
    n_users, n_items, n_folds = (int(size) for size in arrays["sizes"])
    ratings = Ratings(
        user=arrays["user"],
        item=arrays["item"],
        timestamp=arrays.get("timestamp"),
        user_features=_load_features(arrays, "user_features"),
        item_features=_load_features(arrays, "item_features"),
        value=arrays["value"],
        weight=arrays.get("weight"),
        users=IdIndex(np.arange(n_users, dtype=np.int64)),
        items=IdIndex(np.arange(n_items, dtype=np.int64)),
        scale=_load_scale(arrays, "scale"),
    )
    test = None
    if "test_user" in arrays:
        test = Ratings.from_columns(
            arrays["test_user"],
            arrays["test_item"],
            arrays["test_value"],
            timestamp=arrays.get("test_timestamp"),
            scale=_load_scale(arrays, "test_scale"),
        )
    rows = tuple((arrays[f"train_{fold}"], arrays[f"test_{fold}"]) for fold in range(n_folds))
    return EvaluationPlan(ratings, test, rows, "")


def _load_features(arrays: Mapping[str, AnyArray], name: str) -> FeatureTable | None:
    if name not in arrays:
        return None
    return FeatureTable(tuple(arrays[f"{name}_columns"].tolist()), arrays[name])


def _load_scale(arrays: Mapping[str, AnyArray], name: str) -> tuple[float, float] | None:
    if name not in arrays:
        return None
    low, high = arrays[name].tolist()
    return low, high
