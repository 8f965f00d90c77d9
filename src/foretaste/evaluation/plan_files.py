"""A protocol as plain arrays in a file, for a process of its own.

Ids do not travel: models see only their order, so places in the sorted ids stand for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.evaluation.plan import Protocol
from foretaste.features import Table
from foretaste.ids import IdIndex
from foretaste.ratings import Ratings

Arrays = dict[str, npt.NDArray[Any]]
PREDICTED = "predicted_{}.npy"  # of one fold, written by the other process


def pack(protocol: Protocol, path: Path) -> None:
    """Write a protocol to an npz file (not compressed; no array holds objects, so no pickles)."""
    ratings = protocol.ratings
    arrays: Arrays = {"user": ratings.user, "item": ratings.item, **_columns(ratings, "")}
    arrays["sizes"] = np.array([len(ratings.users), len(ratings.items), len(protocol.rows)])
    for name in ("user_table", "item_table"):
        table: Table | None = getattr(ratings, name)
        if table is not None:
            arrays[name], arrays[f"{name}_columns"] = table.values, np.array(table.columns, dtype=np.str_)
    for fold, (train_rows, test_rows) in enumerate(protocol.rows):
        arrays[f"train_{fold}"], arrays[f"test_{fold}"] = train_rows, test_rows
    if protocol.test is not None:
        arrays["test_user"] = _places(protocol.test.users, ratings.users)[protocol.test.user]
        arrays["test_item"] = _places(protocol.test.items, ratings.items)[protocol.test.item]
        arrays |= _columns(protocol.test, "test_")
    np.savez(path, **arrays)  # type: ignore[arg-type]


def _columns(ratings: Ratings, prefix: str) -> Arrays:
    columns = {"value": ratings.value, "when": ratings.when, "weight": ratings.weight}
    columns["scale"] = None if ratings.scale is None else np.array(ratings.scale)
    return {prefix + name: column for name, column in columns.items() if column is not None}


def _places(index: IdIndex, known: IdIndex) -> npt.NDArray[np.int64]:
    """Return the place of each id in ``known``; unknown ids get numbers after the last one."""
    places = known.remap(index.ids).astype(np.int64)
    places[places < 0] = len(known) + np.arange(np.count_nonzero(places < 0))
    return places


def unpack(path: Path) -> Protocol:
    """Read what ``pack`` wrote; ids are numbers from 0 on, in the order of the true ids."""
    with np.load(path, allow_pickle=False) as stored:
        arrays: Arrays = {name: stored[name] for name in stored.files}
    users, items, folds = (int(size) for size in arrays["sizes"])
    ratings = Ratings(
        user=arrays["user"],
        item=arrays["item"],
        when=arrays.get("when"),
        user_table=_table(arrays, "user_table"),
        item_table=_table(arrays, "item_table"),
        value=arrays["value"],
        weight=arrays.get("weight"),
        users=IdIndex(np.arange(users, dtype=np.int64)),
        items=IdIndex(np.arange(items, dtype=np.int64)),
        scale=_scale(arrays, "scale"),
    )
    test = None
    if "test_user" in arrays:
        test = Ratings.from_columns(
            arrays["test_user"],
            arrays["test_item"],
            arrays["test_value"],
            when=arrays.get("test_when"),
            scale=_scale(arrays, "test_scale"),
        )
    rows = tuple((arrays[f"train_{fold}"], arrays[f"test_{fold}"]) for fold in range(folds))
    return Protocol(ratings, test, rows, "")


def _table(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> Table | None:
    if name not in arrays:
        return None
    return Table(tuple(arrays[f"{name}_columns"].tolist()), arrays[name])


def _scale(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> tuple[float, float] | None:
    if name not in arrays:
        return None
    low, high = arrays[name].tolist()
    return low, high
