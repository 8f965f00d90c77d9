"""Rows of a source that cannot be used: refused at once, or collected and left out, aloud."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

KINDS = {
    "ragged": "too many or too few fields",
    "missing_id": "an id is missing",
    "not_a_number": "a rating is no finite number",
    "bad_time": "a time cannot be understood",
    "outside_scale": "a rating lies outside the declared scale",
    "duplicate": "the user rated the item before",
}


@dataclass(frozen=True, eq=False)
class Fault:
    """Rows that cannot be used, all for the same reason.

    Parameters
    ----------
    kind : str
        A key of ``KINDS``.
    problem : str
        What is wrong with the first of them: ``rating is "N/A", not a number``.
    where : str
        The first of them as it stands in the source.
    hint : str
        What mends it, as arguments of ``read_ratings``.
    rows : int64 array, shape (n,)
        The rows, from 0, in the order of the source.
    places : tuple of str
        What the first few are called: ``line 48,213``.
    """

    kind: str
    problem: str
    where: str
    hint: str
    rows: npt.NDArray[np.int64]
    places: tuple[str, ...]
