"""Reads the source of an audit leniently: unusable rows are collected, not raised."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from foretaste._utils.checks import check_choice
from foretaste.column_roles import check_scale, default_row_label
from foretaste.errors import (
    ForetasteError,
    Hint,
    InvalidParameterError,
)
from foretaste.io.row_errors import RowError
from foretaste.ratings import Ratings
from foretaste.typing import Float64Array, Int64Array

if TYPE_CHECKING:
    from foretaste.io import ReadReport

_MAX_EXAMPLES = 3


@dataclass(frozen=True, eq=False)
class AuditInput:
    """Ratings to be audited, with the unusable rows of their source.

    Parameters
    ----------
    ratings : Ratings
        The usable rows.
    row_errors : tuple of Fault
        The unusable rows, by kind.
    n_rows : int
        Number of rows of the source.
    name : str
        Name of the source.
    seed : int
        Random seed of the splits.
    skip_errors : bool
        Whether the caller asked to skip unusable rows, and so knows of them.
    where : str or None
        SQL condition that selected the rows.
    source
        The source, if it was not ``Ratings``.
    read_options : dict
        Arguments of ``read_ratings``.
    """

    ratings: Ratings
    row_errors: tuple[RowError, ...]
    n_rows: int
    name: str
    seed: int = 0
    skip_errors: bool = False
    where: str | None = None
    source: Any = None
    read_options: dict[str, Any] = field(default_factory=dict)

    def has_error(self, kind: str) -> bool:
        """Whether there are unusable rows of a kind."""
        return any(error.kind == kind for error in self.row_errors)

    @cached_property
    def user_counts(self) -> Int64Array:
        """Number of ratings of each user, shape (users,)."""
        return np.bincount(self.ratings.user, minlength=len(self.ratings.users))

    @cached_property
    def item_counts(self) -> Int64Array:
        """Number of ratings of each item, shape (items,)."""
        return np.bincount(self.ratings.item, minlength=len(self.ratings.items))

    @cached_property
    def value_counts(self) -> tuple[Float64Array, Int64Array]:
        """The distinct ratings, in order, and their counts."""
        values, counts = np.unique(self.ratings.value, return_counts=True)
        return values.astype(np.float64), counts

    def count_where(self, condition: str) -> int | None:
        """Return the number of ratings that satisfy a condition; None if it does not fit the source.

        The source is read again, without logging. One that can be read only once (a stream) is replaced by
        the ratings.
        """
        try:
            if not _is_rereadable(self.source):
                return len(self.ratings.where(condition))
            with _disable_logging():
                return len(_read_with_report(self.source, self.read_options | {"where": condition}).ratings)
        except ForetasteError:
            return None

    def rating_quantile(self, share: float) -> float:
        """Return a quantile of the ratings."""
        values, counts = self.value_counts
        return float(values[np.searchsorted(np.cumsum(counts), share * len(self.ratings))])


def load_input(source: Any, scale: Any, seed: int, read_options: dict[str, Any]) -> AuditInput:
    """Read the ratings to audit; unusable rows are collected instead of raised.

    Parameters
    ----------
    source : Ratings, or a file, frame or database
    scale : (low, high) or None
    seed : int
    read_options : dict
        The other arguments of ``read_ratings``.
    """
    if isinstance(source, Ratings):
        if read_options:
            raise InvalidParameterError(
                f"{next(iter(read_options))}= applies to files, frames and databases, not to Ratings",
                hint="audit(ratings), or audit(PATH, ...)",
            )
        return _from_ratings(source, scale, seed)
    on_error = read_options.pop("on_error", "raise")
    check_choice("on_error", on_error, ("raise", "skip"))
    read_options |= {"scale": scale}
    report = _read_with_report(source, read_options)
    return AuditInput(
        report.ratings, report.row_errors, report.n_rows, report.name, seed,
        skip_errors=on_error == "skip", where=read_options.get("where"), source=source,
        read_options=read_options,
    )  # fmt: skip


def _read_with_report(source: Any, read_options: dict[str, Any]) -> ReadReport:
    from foretaste.io import read_ratings_with_report

    return read_ratings_with_report(source, **read_options)


def _is_rereadable(source: Any) -> bool:
    if isinstance(source, str | Path):
        return Path(source).is_file()
    return type(source).__module__.partition(".")[0] in ("pandas", "polars")


@contextmanager
def _disable_logging() -> Iterator[None]:
    log = logging.getLogger("foretaste")
    was_disabled = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = was_disabled


def _from_ratings(ratings: Ratings, scale: Any, seed: int) -> AuditInput:
    """Use ratings in memory, without those outside a newly declared scale."""
    row_errors: tuple[RowError, ...] = ()
    n_rows = len(ratings)
    if scale is not None:
        check_scale(scale)
        low, high = (float(end) for end in scale)
        outside = (ratings.value < low) | (ratings.value > high)
        if outside.any():
            row_errors = (_outside_scale_error(ratings, np.flatnonzero(outside), low, high),)
        ratings = ratings[~outside].replace(scale=(low, high))
    return AuditInput(ratings, row_errors, n_rows, "the ratings", seed)


def _outside_scale_error(ratings: Ratings, rows: Int64Array, low: float, high: float) -> RowError:
    label: Callable[[int], str] = default_row_label
    first = int(rows[0])
    return RowError(
        kind="outside_scale",
        problem=f"rating is {ratings.value[first]:g}, outside the declared scale {low:g} to {high:g}",
        where=label(first),
        hint=Hint({"where": f"rating BETWEEN {low:g} AND {high:g}"}, "leaves such rows out"),
        rows=rows,
        row_labels=tuple(label(int(row)) for row in rows[:_MAX_EXAMPLES]),
    )
