"""How a text table is written: separator, quotes, header; guessed from its start."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from foretaste.errors import BadData, InvalidParameter

SPACES = "whitespace"
_CANDIDATES = ("\t", "::", "|", ";", ", ", ",", SPACES)  # in order of preference where several fit
_SAMPLE = 65_536
_NUMBER = re.compile(r"\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*")
_BARE_COMMA = re.compile(",(?! )")
_TIME = re.compile(r"\s*(\d{6,}(\.0*)?|\d{4}-\d\d-\d\d([T ].*)?)\s*")


@dataclass(frozen=True)
class Dialect:
    """How a text table is written.

    Parameters
    ----------
    separator : str
        What stands between fields; ``"whitespace"`` is any run of blanks and tabs.
    quoted : bool
        Whether fields may stand in double quotes, with separators and line ends inside.
    header : bool
        Whether the first record holds names.
    guessed : tuple of str
        Which of ``separator`` and ``header`` were guessed.
    """

    separator: str
    quoted: bool
    header: bool
    guessed: tuple[str, ...]

    def __str__(self) -> str:
        names = {"\t": "tab", ",": "comma", ", ": "comma and blank", ";": "semicolon", SPACES: SPACES}
        separator = names.get(self.separator, f'"{self.separator}"')
        return f"separator {separator}, {'a header' if self.header else 'no header'}"


def guess_dialect(
    data: bytes,
    name: str,
    *,
    separator: str | None,
    header: bool | None,
    known: Callable[[str], bool],
    least: int,
    wide: bool = False,
    whole: bool = True,
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
    known : function of str
        Whether a text is a usual column name.
    least : int
        The least number of fields a record must have.
    wide : bool
        Whether a row is a user and a column an item, so that a header may hold numbers.
    whole : bool
        Whether ``data`` is all of the text.

    Returns
    -------
    dialect : Dialect
    sample : list of list of str
        The first records, the header (if any) among them.

    Raises
    ------
    BadData
        If no separator fits.
    InvalidParameter
        If ``separator`` is empty or no text.
    """
    guessed = tuple(n for n, said in (("separator", separator), ("header", header)) if said is None)
    separator = _checked(separator)
    start = data[:_SAMPLE].decode(errors="ignore")
    whole = whole and len(data) <= _SAMPLE
    tried = {c: first_records(start, c, whole) for c in ([separator] if separator else _CANDIDATES)}
    if separator is None:
        separator = max(_CANDIDATES, key=lambda c: _fitness(tried[c], known, least))
        if _fitness(tried[separator], known, least)[0] == 0:
            first = start.splitlines()[0][:100]
            raise BadData(
                f"{name}: no separator was recognised; {least} fields a line are needed at least",
                where=f"1 | {first}",
                hint='separator="," (or "\\t", "::", "|", ";", "whitespace")',
            )
    sample = tried[separator]
    width = Counter(map(len, sample)).most_common(1)[0][0] if sample else 0
    if width < least:
        raise BadData(
            f"{name}: with the separator {separator!r} most lines have {width} field{'s' * (width != 1)}; "
            f"{least} are needed at least",
            where=f"1 | {start.splitlines()[0][:100]}",
            hint="separator=None (it is found out then)",
        )
    if header is None:
        corner = sample[0][0].strip()
        header = has_header(sample, known) or (wide and (corner == "" or known(corner)))
    return Dialect(separator, is_quoted(separator), header, guessed), sample


def _checked(separator: str | None) -> str | None:
    if separator is None or (isinstance(separator, str) and separator and not set(separator) & set('\n\r"')):
        return SPACES if separator == " " else separator
    raise InvalidParameter(
        f"separator={separator!r} is not allowed; it must be some characters other than quotes and line ends",
        hint='separator="," (or "\\t", "::", "|", ";", "whitespace")',
    )


def is_quoted(separator: str) -> bool:
    """Whether fields may be quoted: not in tables with ``::`` or blanks, where a quote is a character."""
    return len(separator) == 1


def first_records(start: str, separator: str, whole: bool) -> list[list[str]]:
    """Return the records at the start of a text, split; the last one is left out where it may be cut."""
    lines = start.replace("\r\n", "\n").split("\n")  # splitlines would split at characters inside texts, too
    if separator == SPACES:
        records = [re.split(r"[ \t]+", line.strip(" \t")) for line in lines]
    elif is_quoted(separator):
        records = []
        with contextlib.suppress(csv.Error):  # a quote without an end: what was read so far is the sample
            records.extend(csv.reader(io.StringIO(start, newline="\n"), delimiter=separator))
    elif separator == ", " and ('"' in start or _BARE_COMMA.search(start)):
        records = []  # a table with commas, and texts with a blank after some of them
    else:
        records = [line.split(separator) for line in lines]
    if not whole and len(records) > 1:
        records.pop()
    return [record for record in records if len(record) > 1 or any(map(str.strip, record))][:100]


def _fitness(sample: list[list[str]], known: Callable[[str], bool], least: int) -> tuple[float, bool, float]:
    """Say how well a separator fits: usual names first, then how many records agree in length."""
    lengths = Counter(map(len, sample))
    length, agreeing = lengths.most_common(1)[0] if lengths else (0, 0)
    if length < least:
        return (0, False, 0)
    names = sum(map(known, sample[0]))
    return (1, names >= 2, agreeing / len(sample))


def has_header(sample: list[list[str]], known: Callable[[str], bool]) -> bool:
    """Whether the first record holds names rather than a first row.

    It does if two of its fields are usual names, or one is and none is a number, or if none is a number
    where all that stands below one of them is.
    """
    first, rest = sample[0], sample[1:]
    names = sum(map(known, first))
    if any(map(is_number, first)):
        return names >= 2
    columns = zip(*(record for record in rest if len(record) == len(first)), strict=True)
    return names >= 1 or any(all(map(is_number, column)) for column in columns)


def is_number(text: str) -> bool:
    """Whether a text looks like a number, with a point or a comma."""
    return _NUMBER.fullmatch(text) is not None


def is_time(text: str) -> bool:
    """Whether a text looks like seconds since 1970 or an ISO date."""
    return _TIME.fullmatch(text) is not None
