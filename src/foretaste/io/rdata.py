"""Ratings that R keeps: the ``realRatingMatrix`` of recommenderlab in an .rda or .rds file."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste.errors import BadData
from foretaste.io.rdata_format import Damaged, Thing, things


def read_matrix(data: bytes, name: str) -> dict[str, Any]:
    """Return the ratings of the one ``realRatingMatrix`` in a file, as the columns of a long table.

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
    BadData
        If the file is damaged or holds no such matrix.
    """
    try:
        found = [thing for thing in things(data).values() if _is_of(thing, "realRatingMatrix")]
    except Damaged as error:
        raise BadData(
            f"{name} is a file of R that is damaged or cannot be read: {error}",
            hint='in R: write.csv(as(x, "data.frame"), "ratings.csv")',
        ) from None
    if len(found) != 1:
        raise BadData(
            f"{name} is a file of R that holds {len(found) or 'no'} realRatingMatrix; one is needed",
            hint='in R: write.csv(as(x, "data.frame"), "ratings.csv")',
        )
    try:
        return _columns(found[0].slots["data"])
    except (KeyError, AttributeError, TypeError, ValueError, IndexError, OverflowError):
        raise BadData(f"{name}: the realRatingMatrix in it is not a dgCMatrix as R keeps it") from None


def _is_of(thing: Thing, name: str) -> bool:
    kind = thing.slots.get("class")
    return kind is not None and kind.value == [name]


def _columns(matrix: Thing) -> dict[str, Any]:
    rows = np.asarray(matrix.slots["i"].value).astype(np.int64)
    starts = np.asarray(matrix.slots["p"].value).astype(np.int64)
    values = np.asarray(matrix.slots["x"].value, np.float64)
    sizes = [int(size) for size in matrix.slots["Dim"].value]
    counts = np.diff(starts)
    fits = len(sizes) == 2 and len(counts) == sizes[1] and starts[0] == 0 and (counts >= 0).all()
    if not fits or not starts[-1] == len(rows) == len(values) or (rows < 0).any() or (rows >= sizes[0]).any():
        raise ValueError("the parts do not agree")
    columns = np.repeat(np.arange(sizes[1]), counts)
    user, item = (
        _names(part, size)[place] if part.value is not None else place + 1
        for part, size, place in zip(matrix.slots["Dimnames"].value, sizes, (rows, columns), strict=True)
    )
    with np.errstate(over="ignore"):  # what is too large is refused as no finite number
        ratings = values.astype(np.float32)
    order = np.argsort(rows, kind="stable")
    return {"user": user[order], "item": item[order], "rating": ratings[order]}


def _names(part: Thing, size: int) -> Any:
    if len(part.value) != size:
        raise ValueError("the names are not as many as the rows or columns")
    names = np.empty(size, dtype=object)
    names[:] = part.value
    return names
