"""Conversion of ids between requests, the database (text) and models (int or str)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretaste.errors import DataError
from foretaste.ids import IdIndex, is_plain_integer
from foretaste.typing import IdArray

MAX_ID_LENGTH = 200


@dataclass(frozen=True)
class IdCodec:
    """Id types and rating scale of the service's ratings.

    Parameters
    ----------
    user_dtype, item_dtype : {"int", "str"}
    low, high : float
        Bounds of the rating scale, inclusive.
    """

    user_dtype: str
    item_dtype: str
    low: float
    high: float

    def to_text(self, id_: int | str, entity: str) -> str:
        """Return an id as stored in the database.

        Parameters
        ----------
        id_ : int or str
            From a request; digits are accepted for an integer.
        entity : {"user", "item"}

        Raises
        ------
        DataError
            If it is not a valid id.
        """
        text = str(id_)
        is_integer = is_plain_integer(text.removeprefix("-")) and text != "-0"
        if self._is_int(entity) and not is_integer:
            raise DataError(f"{entity} ids of these ratings are integers; this one is not", hint="such as 7")
        check_id_text(text, entity)
        return text

    def from_text(self, text: str, entity: str) -> int | str:
        """Return an id from the database in the type of the ratings."""
        return int(text) if self._is_int(entity) else text

    def to_array(self, texts: list[str], entity: str) -> IdArray:
        """Return ids from the database as an array of the ratings' type, shape (n,)."""
        if self._is_int(entity):
            return np.array([int(text) for text in texts], np.int64)
        array = np.empty(len(texts), object)
        array[:] = texts
        return array

    def _is_int(self, entity: str) -> bool:
        return (self.user_dtype if entity == "user" else self.item_dtype) == "int"


def check_id_text(text: str, entity: str) -> None:
    """Check that an id can be stored in every database and printed on every terminal.

    Raises
    ------
    DataError
        If it is empty, too long, or contains control characters or lone surrogates.
    """
    problem = None
    if not text or len(text) > MAX_ID_LENGTH:
        problem = f"has {len(text)} characters; allowed: 1 to {MAX_ID_LENGTH}"
    elif any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in text):
        problem = "contains a control character or a lone surrogate"
    if problem:
        raise DataError(f"the {entity} id {problem}", hint="another id")


def single_id_index(id_: int | str) -> IdIndex:
    """Return an index of one id."""
    if isinstance(id_, int):
        return IdIndex(np.array([id_], np.int64))
    array = np.empty(1, object)
    array[0] = id_
    return IdIndex(array)
