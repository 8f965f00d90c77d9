"""Detects the dialect of delimited text (separator, quotes, header) from its first lines."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
)

WHITESPACE = "whitespace"
_SEPARATORS = ("\t", "::", "|", ";", ", ", ",", WHITESPACE)  # in order of preference
_SEPARATOR_HINT = Hint({"separator": ","}, r'(or "\t", "::", "|", ";", "whitespace")')
_SAMPLE_SIZE = 65_536
_NUMBER_PATTERN = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")
_BARE_COMMA = re.compile(",(?! )")
_TIME_PATTERN = re.compile(r"\s*(\d{6,}(\.0*)?|\d{4}-\d\d-\d\d([T ].*)?)\s*")


@dataclass(frozen=True)
class Dialect:
    """Dialect of delimited text.

    Parameters
    ----------
    separator : str
        Field separator; ``"whitespace"`` is any run of blanks and tabs.
    allows_quotes : bool
        Whether fields may be in double quotes, with separators and line ends inside.
    has_header : bool
        Whether the first record holds column names.
    guessed_options : tuple of str
        Which of ``separator`` and ``header`` were detected.
    """

    separator: str
    allows_quotes: bool
    has_header: bool
    guessed_options: tuple[str, ...]

    def __str__(self) -> str:
        names = {"\t": "tab", ",": "comma", ", ": "comma and blank", ";": "semicolon", WHITESPACE: WHITESPACE}
        separator = names.get(self.separator, f'"{self.separator}"')
        return f"separator {separator}, {'a header' if self.has_header else 'no header'}"


def guess_dialect(
    data: bytes,
    name: str,
    *,
    separator: str | None,
    header: bool | None,
    is_known_name: Callable[[str], bool],
    min_columns: int,
    wide: bool = False,
    is_complete: bool = True,
) -> tuple[Dialect, list[list[str]]]:
    """Detect the dialect of a table.

    Parameters
    ----------
    data : bytes
        UTF-8 text.
    name : str
        Name of the file, for errors.
    separator : str or None
    header : bool or None
        None to detect them.
    is_known_name : function of str
        Whether a text is a usual column name.
    min_columns : int
        Minimum number of fields of a record.
    wide : bool
        Whether rows are users and columns are items, so that a header may hold numbers.
    is_complete : bool
        Whether ``data`` is all of the text.

    Returns
    -------
    dialect : Dialect
    sample : list of list of str
        The first records, including the header, if any.

    Raises
    ------
    DataError
        If no separator fits.
    InvalidParameterError
        If ``separator`` is invalid.
    """
    guessed_options = tuple(n for n, value in (("separator", separator), ("header", header)) if value is None)
    separator = _check_separator(separator)
    start = data[:_SAMPLE_SIZE].decode(errors="ignore")
    is_complete = is_complete and len(data) <= _SAMPLE_SIZE
    records_by_separator = {
        c: split_sample(start, c, is_complete) for c in ([separator] if separator else _SEPARATORS)
    }
    if separator is None:
        separator = max(
            _SEPARATORS, key=lambda c: _score_separator(records_by_separator[c], is_known_name, min_columns)
        )
        if _score_separator(records_by_separator[separator], is_known_name, min_columns)[0] == 0:
            first = start.splitlines()[0][:100]
            raise DataError(
                f"{name}: no separator was recognized; at least {min_columns} fields per line are needed",
                where=f"1 | {first}",
                hint=_SEPARATOR_HINT,
            )
    sample = records_by_separator[separator]
    width = Counter(map(len, sample)).most_common(1)[0][0] if sample else 0
    if width < min_columns:
        raise DataError(
            f"{name}: with the separator {separator!r} most lines have {width} field{'s' * (width != 1)}; "
            f"at least {min_columns} are needed",
            where=f"1 | {start.splitlines()[0][:100]}",
            hint=Hint({"separator": None}, "detects it"),
        )
    if header is None:
        corner = sample[0][0].strip()
        header = has_header(sample, is_known_name) or (wide and (corner == "" or is_known_name(corner)))
    return Dialect(separator, allows_quotes(separator), header, guessed_options), sample


def _check_separator(separator: str | None) -> str | None:
    if separator is None or (isinstance(separator, str) and separator and not set(separator) & set('\n\r"')):
        return WHITESPACE if separator == " " else separator
    raise InvalidParameterError(
        "it must be text without quotes and line ends",
        argument=("separator", separator),
        hint=_SEPARATOR_HINT,
    )


def allows_quotes(separator: str) -> bool:
    """Whether fields may be quoted: not with ``::`` or whitespace, where a quote is data."""
    return len(separator) == 1


def split_sample(start: str, separator: str, is_complete: bool) -> list[list[str]]:
    """Split the start of a text into records; the last one is dropped if it may be incomplete."""
    lines = start.replace("\r\n", "\n").split("\n")  # splitlines also splits at other characters
    if separator == WHITESPACE:
        records = [re.split(r"[ \t]+", line.strip(" \t")) for line in lines]
    elif allows_quotes(separator):
        records = []
        with contextlib.suppress(csv.Error):  # an unclosed quote: the sample ends before it
            records.extend(csv.reader(io.StringIO(start, newline="\n"), delimiter=separator))
    elif separator == ", " and ('"' in start or _BARE_COMMA.search(start)):
        records = []  # a comma-separated table with some ", " in its text
    else:
        records = [line.split(separator) for line in lines]
    if not is_complete and len(records) > 1:
        records.pop()
    return [record for record in records if len(record) > 1 or any(map(str.strip, record))][:100]


def _score_separator(
    sample: list[list[str]], is_known_name: Callable[[str], bool], min_columns: int
) -> tuple[float, bool, float]:
    """Score how well a separator fits: by usual names, then by the share of records of equal length."""
    lengths = Counter(map(len, sample))
    length, n_agreeing = lengths.most_common(1)[0] if lengths else (0, 0)
    if length < min_columns:
        return (0, False, 0)
    n_names = sum(map(is_known_name, sample[0]))
    return (1, n_names >= 2, n_agreeing / len(sample))


def has_header(sample: list[list[str]], is_known_name: Callable[[str], bool]) -> bool:
    """Whether the first record is a header.

    It is if two of its fields are usual names, or one is and none is a number, or if none is a number and
    some column below is all numbers.
    """
    first, rest = sample[0], sample[1:]
    n_names = sum(map(is_known_name, first))
    if any(map(is_number, first)):
        return n_names >= 2
    columns = zip(*(record for record in rest if len(record) == len(first)), strict=True)
    return n_names >= 1 or any(all(map(is_number, column)) for column in columns)


def is_number(text: str) -> bool:
    """Whether a text looks like a number, with a decimal point or comma."""
    return _NUMBER_PATTERN.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether a text looks like seconds since 1970 or an ISO date."""
    return _TIME_PATTERN.fullmatch(text) is not None
