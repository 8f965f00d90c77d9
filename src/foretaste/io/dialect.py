"""How a text table is written: separator, quotes, header; guessed from its start."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from foretaste.errors import DataError, InvalidParameterError

WHITESPACE = "whitespace"
_SEPARATORS = ("\t", "::", "|", ";", ", ", ",", WHITESPACE)  # in order of preference where several fit
_SAMPLE_SIZE = 65_536
_NUMBER_PATTERN = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")
_BARE_COMMA = re.compile(",(?! )")
_TIME_PATTERN = re.compile(r"\s*(\d{6,}(\.0*)?|\d{4}-\d\d-\d\d([T ].*)?)\s*")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Parameters
    ----------
    separator : str
        What stands between fields; ``"whitespace"`` is any run of blanks and tabs.
    allows_quotes : bool
        Whether fields may stand in double quotes, with separators and line ends inside.
    has_header : bool
        Whether the first record holds names.
    guessed_options : tuple of str
        Which of ``separator`` and ``has_header`` were guessed.
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
    """Find out how a table is written.

    Parameters
    ----------
    data : bytes
        UTF-8 text.
    name : str
        The file's name, for errors.
    separator, header
        What the caller said; None is guessed.
    is_known_name : function of str
        Whether a text is a usual column name.
    min_columns : int
        The least number of fields a record must have.
    wide : bool
        Whether a row is a user and a column an item, so that a header may hold numbers.
    is_complete : bool
        Whether ``data`` is all of the text.

    Returns
    -------
    dialect : Dialect
    sample : list of list of str
        The first records, the header (if any) among them.

    Raises
    ------
    DataError
        If no separator fits.
    InvalidParameterError
        If ``separator`` is empty or no text.
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
                f"{name}: no separator was recognised; {min_columns} fields a line are needed at least",
                where=f"1 | {first}",
                hint='separator="," (or "\\t", "::", "|", ";", "whitespace")',
            )
    sample = records_by_separator[separator]
    width = Counter(map(len, sample)).most_common(1)[0][0] if sample else 0
    if width < min_columns:
        raise DataError(
            f"{name}: with the separator {separator!r} most lines have {width} field{'s' * (width != 1)}; "
            f"{min_columns} are needed at least",
            where=f"1 | {start.splitlines()[0][:100]}",
            hint="separator=None (it is found out then)",
        )
    if header is None:
        corner = sample[0][0].strip()
        header = has_header(sample, is_known_name) or (wide and (corner == "" or is_known_name(corner)))
    return Dialect(separator, allows_quotes(separator), header, guessed_options), sample


def _check_separator(separator: str | None) -> str | None:
    if separator is None or (isinstance(separator, str) and separator and not set(separator) & set('\n\r"')):
        return WHITESPACE if separator == " " else separator
    raise InvalidParameterError(
        f"separator={separator!r} is not allowed; it must be some characters other than quotes and line ends",
        hint='separator="," (or "\\t", "::", "|", ";", "whitespace")',
    )


def allows_quotes(separator: str) -> bool:
    """Whether fields may be quoted: not in tables with ``::`` or blanks, where a quote is a character."""
    return len(separator) == 1


def split_sample(start: str, separator: str, is_complete: bool) -> list[list[str]]:
    """Return the records at the start of a text, split; the last one is left out where it may be cut."""
    lines = start.replace("\r\n", "\n").split("\n")  # splitlines would split at characters inside texts, too
    if separator == WHITESPACE:
        records = [re.split(r"[ \t]+", line.strip(" \t")) for line in lines]
    elif allows_quotes(separator):
        records = []
        with contextlib.suppress(csv.Error):  # a quote without an end: what was read so far is the sample
            records.extend(csv.reader(io.StringIO(start, newline="\n"), delimiter=separator))
    elif separator == ", " and ('"' in start or _BARE_COMMA.search(start)):
        records = []  # a table with commas, and texts with a blank after some of them
    else:
        records = [line.split(separator) for line in lines]
    if not is_complete and len(records) > 1:
        records.pop()
    return [record for record in records if len(record) > 1 or any(map(str.strip, record))][:100]


def _score_separator(
    sample: list[list[str]], is_known_name: Callable[[str], bool], min_columns: int
) -> tuple[float, bool, float]:
    """Say how well a separator fits: usual names first, then how many records agree in length."""
    lengths = Counter(map(len, sample))
    length, n_agreeing = lengths.most_common(1)[0] if lengths else (0, 0)
    if length < min_columns:
        return (0, False, 0)
    n_names = sum(map(is_known_name, sample[0]))
    return (1, n_names >= 2, n_agreeing / len(sample))


def has_header(sample: list[list[str]], is_known_name: Callable[[str], bool]) -> bool:
    """Whether the first record holds names rather than a first row.

    It does if two of its fields are usual names, or one is and none is a number, or if none is a number
    where all that stands below one of them is.
    """
    first, rest = sample[0], sample[1:]
    n_names = sum(map(is_known_name, first))
    if any(map(is_number, first)):
        return n_names >= 2
    columns = zip(*(record for record in rest if len(record) == len(first)), strict=True)
    return n_names >= 1 or any(all(map(is_number, column)) for column in columns)


def is_number(text: str) -> bool:
    """Whether a text looks like a number, with a point or a comma."""
    return _NUMBER_PATTERN.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether a text looks like seconds since 1970 or an ISO date."""
    return _TIME_PATTERN.fullmatch(text) is not None
