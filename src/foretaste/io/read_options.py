"""What is wanted of a source, and the checks that all ratings pass before they are encoded."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste.errors import BadData, InvalidParameter, did_you_mean, plain
from foretaste.ids import EncodedIds
from foretaste.io.column_mapping import Chosen
from foretaste.io.row_errors import Rows, Sieve
from foretaste.io.table_source import Written
from foretaste.io.wide import Missing
from foretaste.ratings import Ratings


@dataclass(frozen=True)
class Wanted:
    """What is to be read, as the caller of ``read_ratings`` said it."""

    columns: Chosen
    scale: tuple[float, float] | None = None
    duplicates: str = "refuse"
    where: str | None = None
    layout: str = "long"
    missing: Missing = None
    counts: bool | None = None
    written: Written = field(default_factory=Written)

    def __post_init__(self) -> None:
        if self.layout not in ("long", "wide"):
            raise InvalidParameter(
                f"layout={self.layout!r} is not allowed{did_you_mean(self.layout, ['long', 'wide'])}",
                hint='layout="long" (one row a rating) or "wide" (one row a user, one column an item)',
            )
        for name in ("missing", "counts"):
            if self.layout == "long" and getattr(self, name) is not None:
                raise InvalidParameter(
                    f'{name}={getattr(self, name)!r} is for layout="wide" only',
                    hint='layout="wide" if a row is a user and a column an item; else where="rating <> 99"',
                )


def finished(opened: Rows, users: Any, items: Any, parsed: dict[str, Any], wanted: Wanted) -> Ratings:
    """Encode parsed columns; a repeated pair is a fault where rows are skipped.

    Parameters
    ----------
    opened : Rows
        For places and the sieve.
    users, items
        Ids, typed.
    parsed : dict of role to array or None
        ``rating``, ``timestamp``, ``weight``.
    wanted : Wanted
    """
    sieve: Sieve = opened.sieve
    keep_first = sieve.skip and wanted.duplicates == "refuse"
    try:
        ratings = Ratings.from_columns(
            users, items, parsed["rating"], when=parsed.get("timestamp"), weight=parsed.get("weight"),
            scale=wanted.scale, duplicates="first" if keep_first else wanted.duplicates, place=opened.place,
        )  # fmt: skip
    except BadData as error:
        raise BadData(f"{opened.name}: {error.message}", where=error.where, hint=error.hint) from None
    if keep_first and len(ratings) < len(parsed["rating"]):
        _meet_repeated(opened, users, items, parsed["rating"])
    return ratings


def _meet_repeated(opened: Rows, users: Any, items: Any, values: npt.NDArray[np.float32]) -> None:
    import polars as pl

    keys = [ids.codes if isinstance(ids, EncodedIds) else ids for ids in (users, items)]
    frame = pl.DataFrame({"user": keys[0], "item": keys[1], "rating": values})
    pairs = frame.select("user", "item").to_struct()
    rows = np.flatnonzero(~pairs.is_first_distinct().to_numpy())
    user, item = (plain(_id_at(ids, int(rows[0]))) for ids in (users, items))
    problem = f"user {user!r} rated item {item!r} before"
    fault = opened.fault("duplicate", rows, problem, 'duplicates="last" (or "first", "mean")')
    other = frame.select(pl.col("rating") != pl.col("rating").first().over("user", "item")).to_series()
    opened.sieve.meet(dataclasses.replace(fault, conflicting=int(other.sum())), rows)


def _id_at(ids: Any, row: int) -> object:
    return ids.index.ids[ids.codes[row]] if isinstance(ids, EncodedIds) else ids[row]


def meet_scale(opened: Rows, values: npt.NDArray[np.float32], scale: tuple[float, float] | None) -> None:
    """Meet the ratings outside a declared scale; where they are refused, that is left to the encoding."""
    if scale is None or not opened.sieve.skip:
        return
    low, high = (float(end) for end in scale)
    rows = np.flatnonzero(np.isfinite(values) & ((values < low) | (values > high)))
    if len(rows):
        problem = f"the rating {values[rows[0]]:g} lies outside the declared scale {low:g} to {high:g}"
        inside = values[np.isfinite(values)]
        hint = f"scale=({inside.min():g}, {inside.max():g}), or mend these rows"
        opened.sieve.meet(opened.fault("outside_scale", rows, problem, hint), rows)
