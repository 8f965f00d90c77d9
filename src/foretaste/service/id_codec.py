"""Ids between JSON, the database's text and the types of the ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretaste.errors import DataError
from foretaste.ids import IdIndex, is_plain_integer
from foretaste.typing import IdArray

MAX_ID_LENGTH = 200


@dataclass(frozen=True)
class IdCodec:
    """Of which type the ids are, and the scale of the ratings.

    Parameters
    ----------
    user_dtype, item_dtype : {"int", "str"}
    low, high : float
        Ratings outside are refused.
    """

    user_dtype: str
    item_dtype: str
    low: float
    high: float

    def to_text(self, id_: int | str, entity: str) -> str:
        """Return an id as the database holds it.

        Parameters
        ----------
        id_ : int or str
            As a request gave it; text is accepted for a number.
        entity : {"user", "item"}

        Raises
        ------
        DataError
            If it cannot be an id of these ratings.
        """
        text = str(id_)
        dtype = self.user_dtype if entity == "user" else self.item_dtype
        if dtype == "int" and (not is_plain_integer(text.removeprefix("-")) or text == "-0"):
            raise DataError(
                f"{entity} ids of these ratings are whole numbers; this one is not", hint="such as 7"
            )
        check_id_text(text, entity)
        return text

    def from_text(self, text: str, entity: str) -> int | str:
        """Return an id of the database in its own type."""
        return int(text) if (self.user_dtype if entity == "user" else self.item_dtype) == "int" else text

    def to_array(self, texts: list[str], entity: str) -> IdArray:
        """Return ids of the database as an array, shape (n,), in their own type."""
        if (self.user_dtype if entity == "user" else self.item_dtype) == "int":
            return np.array([int(text) for text in texts], np.int64)
        array = np.empty(len(texts), object)
        array[:] = texts
        return array


def check_id_text(text: str, entity: str) -> None:
    """Refuse what is no text that every database and every terminal can hold.

    Raises
    ------
    DataError
        If it is empty, too long, or has control characters or halves of characters in it.
    """
    problem = None
    if not text or len(text) > MAX_ID_LENGTH:
        problem = f"has {len(text)} characters; it must have 1 to {MAX_ID_LENGTH}"
    elif any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in text):
        problem = "has a control character in it, or half a character"
    if problem:
        raise DataError(f"the {entity} id {problem}", hint="another id")


def single_id_index(id_: int | str) -> IdIndex:
    """Return the index of a single id."""
    if isinstance(id_, int):
        return IdIndex(np.array([id_], np.int64))
    array = np.empty(1, object)
    array[0] = id_
    return IdIndex(array)
