"""Reads the ``realRatingMatrix`` of R's recommenderlab from an .rda or .rds file."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import DataError
from foretaste.io.archive import CorruptFileError
from foretaste.io.rdata_format import RObject, parse_rdata


def read_matrix(data: bytes, name: str) -> dict[str, Any]:
    """Return the ratings of the only ``realRatingMatrix`` in a file as columns of a long table.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        For errors.

    Returns
    -------
    dict of str to array
        ``user`` and ``item`` (the names of R's rows and columns, else their numbers from 1) and ``rating``.
        A rating of 0, which R keeps as the smallest number above it, is 0 again as float32.

    Raises
    ------
    DataError
        If the file is damaged or holds no such matrix.
    """
    try:
        matrices = [obj for obj in parse_rdata(data).values() if _has_class(obj, "realRatingMatrix")]
    except CorruptFileError as error:
        raise DataError(
            f"{name} is an R data file that is damaged or unsupported: {error}",
            hint='in R: write.csv(as(x, "data.frame"), "ratings.csv")',
        ) from None
    if len(matrices) != 1:
        raise DataError(
            f"{name} is an R data file with {len(matrices) or 'no'} realRatingMatrix; expected one",
            hint='in R: write.csv(as(x, "data.frame"), "ratings.csv")',
        )
    try:
        return _to_columns(matrices[0].slots["data"])
    except (KeyError, AttributeError, TypeError, ValueError, IndexError, OverflowError):
        raise DataError(f"{name}: its realRatingMatrix is not a valid dgCMatrix") from None


def _has_class(obj: RObject, name: str) -> bool:
    kind = obj.slots.get("class")
    return kind is not None and kind.value == [name]


def _to_columns(matrix: RObject) -> dict[str, Any]:
    rows = np.asarray(matrix.slots["i"].value).astype(np.int64)
    indptr = np.asarray(matrix.slots["p"].value).astype(np.int64)
    values = np.asarray(matrix.slots["x"].value, np.float64)
    sizes = [int(size) for size in matrix.slots["Dim"].value]
    counts = np.diff(indptr)
    is_valid = len(sizes) == 2 and len(counts) == sizes[1] and indptr[0] == 0 and (counts >= 0).all()
    if (
        not is_valid
        or not indptr[-1] == len(rows) == len(values)
        or (rows < 0).any()
        or (rows >= sizes[0]).any()
    ):
        raise ValueError("inconsistent dgCMatrix")
    columns = np.repeat(np.arange(sizes[1]), counts)
    user, item = (
        _dim_names(part, size)[index] if part.value is not None else index + 1
        for part, size, index in zip(matrix.slots["Dimnames"].value, sizes, (rows, columns), strict=True)
    )
    with np.errstate(over="ignore"):  # infinities are rejected later
        ratings = values.astype(np.float32)
    order = np.argsort(rows, kind="stable")
    return {"user": user[order], "item": item[order], "rating": ratings[order]}


def _dim_names(part: RObject, size: int) -> Any:
    if len(part.value) != size:
        raise ValueError("wrong number of dimension names")
    names = np.empty(size, dtype=object)
    names[:] = part.value
    return names
