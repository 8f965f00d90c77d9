"""From what a caller names to a table that can be read: text, frame."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from foretaste.columns import frame_columns
from foretaste.errors import InvalidParameter
from foretaste.io.choosing import open_table
from foretaste.io.faults import Sieve
from foretaste.io.frames import FrameTable
from foretaste.io.source import path_of
from foretaste.io.table import TextTable

Opened = TextTable | FrameTable


@dataclass(frozen=True)
class Written:
    """How a source is written, as far as the caller said; None is found out.

    Parameters
    ----------
    separator, header, encoding
        Of a text.
    decimal : {".", ","}
        What stands before the fraction of a number that is written as text.
    """

    separator: str | None = None
    header: bool | None = None
    encoding: str = "utf-8"
    decimal: str = "."

    def __post_init__(self) -> None:
        if self.decimal not in (".", ","):
            raise InvalidParameter(f"decimal={self.decimal!r} is not allowed", hint='decimal="." or ","')


def open_source(
    source: Any, written: Written, *, least: int, known: Iterable[str] = (), skip: bool = False
) -> Opened:
    """Open a source.

    Parameters
    ----------
    source
        As in ``read_ratings``.
    written : Written
    least : int
        The least number of columns.
    known : iterable of str
        Names that headers use beside those of the roles.
    skip : bool
        Whether rows that cannot be used are left out, aloud, instead of refused.
    """
    path = path_of(source)
    if path is None:
        return FrameTable(frame_columns(source), "the frame", Sieve("the frame", skip=skip), in_memory=True)
    return open_table(
        path,
        separator=written.separator,
        header=written.header,
        encoding=written.encoding,
        least=least,
        known=known,
        sieve=Sieve(path.name, skip=skip),
        decimal=written.decimal,
    )
