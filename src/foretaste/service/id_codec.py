"""Ids between JSON, the database's text and the types of the ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from foretaste.errors import BadData
from foretaste.ids import IdArray, IdIndex, is_canonical

LONGEST = 200


@dataclass(frozen=True)
class Kinds:
    """Of which type the ids are, and the scale of the ratings.

    Parameters
    ----------
    user, item : {"number", "text"}
    low, high : float
        Ratings outside are refused.
    """

    user: str
    item: str
    low: float
    high: float

    def text(self, id_: int | str, side: str) -> str:
        """Return an id as the database holds it.

        Parameters
        ----------
        id_ : int or str
            As a request gave it; text is accepted for a number.
        side : {"user", "item"}

        Raises
        ------
        BadData
            If it cannot be an id of these ratings.
        """
        text = str(id_)
        kind = self.user if side == "user" else self.item
        if kind == "number" and (not is_canonical(text.removeprefix("-")) or text == "-0"):
            raise BadData(f"{side} ids of these ratings are whole numbers; this one is not", hint="such as 7")
        check_text(text, side)
        return text

    def own(self, text: str, side: str) -> int | str:
        """Return an id of the database in its own type."""
        return int(text) if (self.user if side == "user" else self.item) == "number" else text

    def column(self, texts: list[str], side: str) -> IdArray:
        """Return ids of the database as an array, shape (n,), in their own type."""
        if (self.user if side == "user" else self.item) == "number":
            return np.array([int(text) for text in texts], np.int64)
        column = np.empty(len(texts), object)
        column[:] = texts
        return column


def check_text(text: str, side: str) -> None:
    """Refuse what is no text that every database and every terminal can hold.

    Raises
    ------
    BadData
        If it is empty, too long, or has control characters or halves of characters in it.
    """
    wrong = None
    if not text or len(text) > LONGEST:
        wrong = f"has {len(text)} characters; it must have 1 to {LONGEST}"
    elif any(ord(sign) < 32 or ord(sign) == 127 or 0xD800 <= ord(sign) < 0xE000 for sign in text):
        wrong = "has a control character in it, or half a character"
    if wrong:
        raise BadData(f"the {side} id {wrong}", hint="another id")


def one_id(id_: int | str) -> IdIndex:
    """Return the index of a single id."""
    if isinstance(id_, int):
        return IdIndex(np.array([id_], np.int64))
    column = np.empty(1, object)
    column[0] = id_
    return IdIndex(column)
