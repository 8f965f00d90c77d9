"""Serialization of dumps: trainsets as arrays, predictions and parameters as JSON, validated on load."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from foretaste.compat.surprise.prediction_algorithms.predictions import Prediction
from foretaste.compat.surprise.trainset import RatingArrays, Trainset
from foretaste.errors import ModelFileError, NotSupportedError
from foretaste.typing import ArrayDict, UInt8Array

_ID_ARRAYS = {"trainset.raw_users": "users", "trainset.raw_items": "items"}
_GROUPINGS = ("by_user", "by_item")
_COLUMNS = {"users": np.int32, "items": np.int32, "values": np.float64}
_RANDOM_STATE_KEY = "RandomState"
_MAX_DEPTH = 20


# Values that JSON can hold -------------------------------------------------------------------------------


def to_json_value(value: Any, name: str, depth: int = 0) -> Any:
    """Return a value as it comes back from JSON, numpy scalars as Python numbers.

    Parameters
    ----------
    value : object
    name : str
        Name used in errors.

    Raises
    ------
    NotSupportedError
        If a file cannot hold it.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if depth < _MAX_DEPTH and isinstance(value, list):
        return [to_json_value(item, name, depth + 1) for item in value]
    if depth < _MAX_DEPTH and isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: to_json_value(item, f"{name}[{key!r}]", depth + 1) for key, item in value.items()}
    raise NotSupportedError(
        f"{name} is {value!r:.80} of type {type(value).__name__}, which a dump cannot hold",
        hint="numbers, strings, None, lists and dicts with string keys can be stored",
    )


def encode_json(value: Any) -> UInt8Array:
    """Return a JSON value as ASCII bytes."""
    return np.frombuffer(json.dumps(value).encode("ascii"), np.uint8)


def decode_json(array: Any, name: str) -> Any:
    """Decode the JSON value of an array of bytes.

    Raises
    ------
    ModelFileError
        If it is missing or not JSON.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.uint8 or array.ndim != 1:
        raise ModelFileError(f"{name} is missing from the file, or not made of bytes")
    try:
        return json.loads(array.tobytes().decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{name} in the file cannot be read: {error}") from None


# Predictions ---------------------------------------------------------------------------------------------


def pack_predictions(predictions: Any) -> ArrayDict:
    """Return predictions as one array of bytes.

    Raises
    ------
    NotSupportedError
        If an id or a detail is of a type that a file cannot hold.
    """
    rows = [
        [
            to_json_value(value, f"predictions[{row}].{field}")
            for field, value in zip(Prediction._fields, fields, strict=True)
        ]
        for row, fields in enumerate(predictions)
    ]
    return {"predictions": encode_json(rows)}


def unpack_predictions(arrays: ArrayDict) -> list[Prediction]:
    """Return the predictions of a file.

    Raises
    ------
    ModelFileError
        If one is invalid.
    """
    rows = decode_json(arrays.pop("predictions", None), "predictions")
    if not isinstance(rows, list):
        raise ModelFileError("the predictions in the file are no list")
    for number, row in enumerate(rows):
        if not (
            isinstance(row, list)
            and len(row) == len(Prediction._fields)
            and not any(isinstance(raw_id, (list, dict)) for raw_id in row[:2])
            and (row[2] is None or type(row[2]) in (int, float))
            and type(row[3]) in (int, float)
            and isinstance(row[4], dict)
        ):
            raise ModelFileError(f"prediction {number} in the file is none")
    return [Prediction(*row) for row in rows]


# Trainsets -----------------------------------------------------------------------------------------------


def pack_trainset(trainset: Trainset) -> ArrayDict:
    """Return a trainset as arrays, in both orders.

    Raises
    ------
    NotSupportedError
        If raw ids are of a type that a file cannot hold.
    """
    arrays: ArrayDict = {}
    for grouping in _GROUPINGS:
        rows: RatingArrays = getattr(trainset, grouping)()
        arrays |= {
            f"trainset.{grouping}.{name}": np.ascontiguousarray(getattr(rows, name)) for name in _COLUMNS
        }
    for name, what in _ID_ARRAYS.items():
        inner: dict[Any, int] = getattr(trainset, f"_raw2inner_id_{what}")
        raw = [_id_to_json(one, what) for one, _ in sorted(inner.items(), key=lambda pair: pair[1])]
        arrays[name] = encode_json(raw)
    low, high = trainset.rating_scale
    arrays["trainset.rating_scale"] = encode_json(
        [to_json_value(low, "rating_scale"), to_json_value(high, "rating_scale")]
    )
    return arrays


def _id_to_json(raw: Any, what: str) -> Any:
    value = to_json_value(raw, f"a raw id of {what}")
    if isinstance(value, (list, dict)):
        raise NotSupportedError(f"a raw id of {what} is {value!r:.80}, which a dump cannot hold")
    return value


def unpack_trainset(arrays: ArrayDict) -> Trainset:
    """Restore the trainset of a file, removing its arrays.

    Raises
    ------
    ModelFileError
        If it is invalid, or the two orders do not hold the same ratings.
    """
    grouped = {grouping: _unpack_rows(arrays, grouping) for grouping in _GROUPINGS}
    ids = {name: _unpack_ids(arrays, name) for name in _ID_ARRAYS}
    users, items = ids.values()
    for rows, groups, n in (
        (grouped["by_user"], grouped["by_user"]["users"], len(users)),
        (grouped["by_item"], grouped["by_item"]["items"], len(items)),
    ):
        for column, n_expected in (("users", len(users)), ("items", len(items))):
            codes = rows[column]
            if (
                len(codes) == 0
                or codes.min() < 0
                or len(np.unique(codes)) != n_expected
                or codes.max() != n_expected - 1
            ):
                raise ModelFileError(
                    f"the {column} of the trainset in the file are not numbered from 0 to {n_expected - 1}"
                )
        if len(groups) != len(rows["values"]) or (np.diff(groups) < 0).any() or n == 0:
            raise ModelFileError("the ratings of the trainset in the file are not in their order")
    sorted_rows = [
        [rows[name][np.lexsort(list(rows.values()))] for name in _COLUMNS] for rows in grouped.values()
    ]
    if not all(
        np.array_equal(first, second, equal_nan=True) for first, second in zip(*sorted_rows, strict=True)
    ):
        raise ModelFileError("the two orders of the trainset in the file do not hold the same ratings")
    return Trainset._from_rows(grouped["by_user"], grouped["by_item"], _unpack_scale(arrays), users, items)


def _unpack_rows(arrays: ArrayDict, grouping: str) -> ArrayDict:
    rows: ArrayDict = {}
    for name, kind in _COLUMNS.items():
        column = arrays.pop(f"trainset.{grouping}.{name}", None)
        if column is None or column.dtype != kind or column.ndim != 1:
            raise ModelFileError(f"trainset.{grouping}.{name} is missing from the file, or of another type")
        rows[name] = column
    if len({len(column) for column in rows.values()}) != 1:
        raise ModelFileError(f"the columns of trainset.{grouping} in the file differ in length")
    return rows


def _unpack_ids(arrays: ArrayDict, name: str) -> dict[Any, int]:
    raw = decode_json(arrays.pop(name, None), name)
    if not isinstance(raw, list) or any(isinstance(raw_id, (list, dict)) for raw_id in raw):
        raise ModelFileError(f"{name} in the file is no list of ids")
    inner = {raw_id: code for code, raw_id in enumerate(raw)}
    if len(inner) != len(raw):
        raise ModelFileError(f"{name} in the file holds an id twice")
    return inner


def _unpack_scale(arrays: ArrayDict) -> tuple[Any, Any]:
    name = "trainset.rating_scale"
    scale = decode_json(arrays.pop(name, None), name)
    if not (
        isinstance(scale, list)
        and len(scale) == 2
        and all(type(end) in (int, float) and not math.isnan(end) for end in scale)
        and scale[0] <= scale[1]
    ):
        raise ModelFileError("the rating scale in the file is not two numbers in their order")
    return scale[0], scale[1]


# Generators of random numbers ----------------------------------------------------------------------------


def pack_random(random_state: Any) -> Any:
    """Return a ``random_state`` as a JSON value; a generator as its state."""
    if not isinstance(random_state, np.random.RandomState):
        return to_json_value(random_state, "random_state")
    name, keys, position, has_gauss, gauss = random_state.get_state(legacy=True)
    return {
        _RANDOM_STATE_KEY: [str(name), np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)]
    }


def unpack_random(state: Any) -> Any:
    """Restore the ``random_state`` of ``pack_random``.

    Raises
    ------
    ModelFileError
        If it is not the state of a generator.
    """
    if not isinstance(state, dict):
        return state
    try:
        name, keys, position, has_gauss, gauss = state[_RANDOM_STATE_KEY]
        if not 0 <= position <= 624:
            raise ValueError("its position is outside")
        rng = np.random.RandomState()
        rng.set_state((name, np.array(keys, np.uint32), position, has_gauss, gauss))
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"random_state in the file is not the state of a generator: {error}") from None
    return rng
