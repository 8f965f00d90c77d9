"""Ratings that R keeps: the ``realRatingMatrix`` of recommenderlab in an .rda or .rds file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from foretaste.errors import BadData, MissingExtra

MAGIC = (b"RDX2\n", b"RDX3\n", b"X\n")  # unpacked: .rda of two versions, .rds in binary


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
    MissingExtra
        If rdata is not installed.
    """
    try:
        import rdata
    except ImportError:
        raise MissingExtra(
            f"{name} is a file of R; reading it needs rdata", hint='pip install "foretaste[r]"'
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about encodings of texts that are not read here
            root = rdata.parser.parse_data(data).object
        found = list(_matrices(root))
    except Exception as error:  # rdata raises whatever the damage leads to
        raise BadData(f"{name} is a damaged file of R ({type(error).__name__}: {error})") from None
    if len(found) != 1:
        raise BadData(
            f"{name} holds {len(found) or 'no'} realRatingMatrix; one is needed",
            hint=f'in R: write.csv(as(x, "data.frame"), "ratings.csv"), then read_ratings("{name}.csv")',
        )
    try:
        return _columns(found[0])
    except (KeyError, AttributeError, TypeError, ValueError, IndexError):
        raise BadData(f"{name}: the realRatingMatrix in it is not a dgCMatrix as R keeps it") from None


def _pairs(chain: Any) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a linked list of R."""
    names: dict[int, str] = {}
    while chain is not None and isinstance(chain.value, tuple):
        yield _symbol(chain.tag, names), chain.value[0]
        chain = chain.value[1]


def _symbol(tag: Any, _: dict[int, str]) -> str:
    if tag is None:
        return ""
    if tag.referenced_object is not None:
        tag = tag.referenced_object
    text = tag.value.value if hasattr(tag.value, "value") else tag.value
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)


def _slots(thing: Any) -> dict[str, Any]:
    return dict(_pairs(thing.attributes)) if thing.attributes is not None else {}


def _matrices(root: Any) -> Iterator[dict[str, Any]]:
    """Yield the slots of each realRatingMatrix at the top of a file."""
    for _, value in [*_pairs(root), ("", root)]:
        slots = _slots(value)
        if "data" in slots and "class" in slots and _texts(slots["class"]) == ["realRatingMatrix"]:
            yield slots


def _texts(strings: Any) -> list[str]:
    return [(cell.value or b"").decode("utf-8", "replace") for cell in strings.value]


def _columns(slots: dict[str, Any]) -> dict[str, Any]:
    matrix = _slots(slots["data"])
    rows, starts = np.asarray(matrix["i"].value), np.asarray(matrix["p"].value)
    values = np.asarray(matrix["x"].value, np.float64)
    shape = [int(n) for n in matrix["Dim"].value]
    if len(starts) != shape[1] + 1 or len(rows) != len(values) or not (np.diff(starts) >= 0).all():
        raise ValueError("the parts do not agree")
    columns = np.repeat(np.arange(shape[1]), np.diff(starts))
    names = [_texts(part) if part.value is not None else None for part in matrix["Dimnames"].value]
    user, item = (
        np.array(own, dtype=object)[place] if own else place + 1
        for own, place in zip(names, (rows, columns), strict=True)
    )
    order = np.argsort(rows, kind="stable")
    return {"user": user[order], "item": item[order], "rating": values[order].astype(np.float32)}
