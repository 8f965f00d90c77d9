"""A text table: its columns by the fast reader, and its lines for whoever must name one."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._native import PlainLines
from foretaste._utils.threads import thread_count
from foretaste.errors import BadData
from foretaste.ids import EncodedIds, IdIndex, encoded_ids
from foretaste.io.dialect import SPACES, Dialect
from foretaste.io.row_errors import Fault, Sieve
from foretaste.io.text_source import Text, in_batches

_LINES_SHOWN = 3


def column_name(place: int) -> str:
    """Return the name of a column in a table without a header, as polars gives it too."""
    return f"column_{place + 1}"


class TextTable:
    """A table in text, read as often as needed.

    Parameters
    ----------
    text : Text
    name : str
        What it is called, for errors.
    dialect : Dialect
    sample : list of list of str
        Its first records.
    sieve : Sieve
        What happens to records that cannot be used.
    decimal : str
        What stands before the fraction of a number.
    """

    by_position = True

    def __init__(
        self,
        text: Text,
        name: str,
        dialect: Dialect,
        sample: Sequence[Sequence[str]],
        sieve: Sieve,
        decimal: str = ".",
    ) -> None:
        self.decimal = decimal
        self.name = name
        self.dialect = dialect
        self._text, self._single = text, b""
        self._delimiter = dialect.separator
        if dialect.separator == SPACES or len(dialect.separator.encode()) > 1:
            self._single, self._delimiter = _single_byte(text.data(), dialect.separator)
        self.header = [field.strip() for field in sample[0]] if dialect.header else None
        self.sample = sample[1:] if dialect.header else sample
        self.width = Counter(map(len, sample)).most_common(1)[0][0]
        self.sieve = sieve
        self._texts: Any = None
        self._records_of_texts: npt.NDArray[np.int64] | None = None  # where records had to be left out
        self._at_hand: npt.NDArray[np.int64] | None = None  # rows of the texts, where some were filtered out

    @property
    def _data(self) -> bytes:
        """All of the text, with a separator of one byte."""
        return self._single or self._text.data()

    def plain(self, kinds: Mapping[int, str]) -> dict[int, Any] | None:
        """Read some columns natively, a part of the text at a time, if all lines are plainly written.

        Parameters
        ----------
        kinds : mapping of place to str
            ``"id"``, ``"real"`` or ``"whole"``.

        Returns
        -------
        dict of place to EncodedIds, float32 or int64 array, or None
            None if a line has a quote, an id is missing, a number is written otherwise than plainly, or
            whatever else is for the careful readers.
        """
        columns = [kinds.get(place, "") for place in range(self.width)]
        reader = PlainLines(self._delimiter, self.dialect.quoted, columns, thread_count())
        skip = self._body_start() if self.dialect.header else 0
        for batch in in_batches(self._single, skip) if self._single else self._text.batches(skip):
            if not reader.feed(batch):
                return None
        read = dict(enumerate(reader.finish()))
        for place, kind in kinds.items():
            if kind == "id":
                ids, codes = encoded_ids(*read[place])
                if len(codes) and codes.min() < 0:
                    return None
                read[place] = EncodedIds(IdIndex(ids), codes)
        return {place: read[place] for place in kinds}

    def numbered(self) -> list[str]:
        """Return names for the columns of a table without a header."""
        return [column_name(place) for place in range(self.width)]

    def read(self, places: Sequence[int], types: Mapping[int, Any]) -> dict[int, Any]:
        """Read some columns.

        Parameters
        ----------
        places : sequence of int
            Which columns, from 0.
        types : mapping of place to polars type
            Columns of numbers; the others are text. Where a cell is no number, all columns come as text.

        Returns
        -------
        dict of place to polars Series
            Without blank lines; a missing cell is null.

        Raises
        ------
        BadData
            If a line has more or fewer fields than most of the first hundred.
        """
        import polars as pl

        if self._texts is None:
            frame = None
            with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
                frame = self._fast(places, types)
            if frame is not None:
                return {place: frame.get_column(column_name(place)) for place in places}
        texts = self.texts()
        return {place: texts.get_column(column_name(place)) for place in places}

    def texts(self) -> Any:
        """Return all columns as text, a polars frame whose columns are named by ``column_name``."""
        import polars as pl

        if self._texts is None:
            with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
                self._texts = self._fast(range(self.width), {})
            if self._texts is None:
                self._texts = self._careful()
        return self._texts

    def _fast(self, places: Sequence[int], types: Mapping[int, Any]) -> Any:
        """Read by polars; None if the lines may differ in their number of fields.

        It lets a line with too few fields pass, and one with too many unless it reads all columns. So the
        last column is read too: where every line has it and the separators are as many as they must be, no
        line has too many either. Separators in quotes cannot be told apart so quickly; then all are read.
        """
        import polars as pl

        body = self._data[self._body_start() :] if self.dialect.header else self._data
        quoted = self.dialect.quoted and b'"' in body
        if quoted and not _well_quoted(body, self._delimiter):
            return None
        if b"\r" in body and body.count(b"\r") != body.count(b"\r\n"):
            return None  # a stray one would become a part of a field
        schema = {column_name(place): types.get(place, pl.String) for place in range(self.width)}
        wanted = range(self.width) if quoted else sorted({*places, self.width - 1})
        frame = pl.read_csv(
            body,
            has_header=False,
            separator=self._delimiter,
            quote_char='"' if quoted else None,
            schema=schema,
            columns=[column_name(place) for place in wanted],
        )
        blank = 0
        if b"\n\n" in body or b"\n\r\n" in body or body.startswith((b"\n", b"\r\n")):
            blank = len(frame)
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
            blank -= len(frame)
        ends_with_all = frame.get_column(column_name(self.width - 1)).null_count() == 0
        if quoted:
            return frame if blank == 0 and ends_with_all else None
        separators = len(frame) * (self.width - 1)
        complete = body.count(self._delimiter.encode()) == separators and (
            blank == 0 or blank == body.count(b"\n") - len(_filled(body))
        )
        whole = len(wanted) == self.width or ends_with_all
        return frame if complete and (whole or _even(body, self._delimiter, self.width - 1)) else None

    def _body_start(self) -> int:
        """Return where the first record after the header starts."""
        start, data = 0, self._single or self._text.start
        _, end, _ = next(self._records(data))
        for _ in range(end):
            start = data.find(b"\n", start) + 1 or len(data)
        return start

    def check_first(self) -> None:
        """Refuse a table whose first record is not as long as most: a heading above the table, mostly."""
        first, end, record = next(self._records(self._single or self._text.start))
        if len(record) != self.width:
            error = self._ragged(first, end, len(record))
            error.hint = f"mend or remove that line; or separator=... if it is not {self.dialect.separator!r}"
            raise error

    def _careful(self) -> Any:
        """Read record by record, which is slow, and meet those that have too many or too few fields."""
        import polars as pl

        records = self._records()
        if self.dialect.header:
            next(records)
        rows: list[list[str]] = []
        kept: list[int] = []
        ragged: list[tuple[int, int, int, int]] = []
        for row, (first, end, record) in enumerate(records):
            if len(record) == self.width:
                rows.append(record)
                kept.append(row)
                continue
            if not self.sieve.skip:
                raise self._ragged(first, end, len(record))
            ragged.append((row, first, end, len(record)))
        if ragged:
            self._records_of_texts = np.array(kept, np.int64)
            self._meet_ragged(ragged)
        columns = list(zip(*rows, strict=True)) if rows else [()] * self.width
        return pl.DataFrame(
            {column_name(place): [cell or None for cell in cells] for place, cells in enumerate(columns)},
            schema={column_name(place): pl.String for place in range(self.width)},
        )

    def _meet_ragged(self, ragged: Sequence[tuple[int, int, int, int]]) -> None:
        _, first, end, fields = ragged[0]
        error = self._ragged(first, end, fields)
        self.sieve.meet(
            Fault(
                "ragged",
                _fields_said(fields, self.width),
                error.where or "",
                error.hint or "",
                np.array([row for row, *_ in ragged], np.int64),
                tuple(f"line {first + 1:,}" for _, first, _, _ in ragged[:_LINES_SHOWN]),
            )
        )

    def _ragged(self, first: int, end: int, fields: int) -> BadData:
        separator = self.dialect.separator
        hint = f'on_error="skip" leaves such lines out; or separator=... if it is not {separator!r}'
        if end - first > 1 and '"' in self._text_of(first, end):
            hint = "a quote on that line is probably never closed; mend that line"
        return BadData(
            f"{self.name}, line {first + 1:,}: {_fields_said(fields, self.width)}",
            where=self._shown(first, end),
            hint=hint,
        )

    def _records(self, data: bytes | None = None) -> Iterator[tuple[int, int, list[str]]]:
        """Yield each record that is not blank with its first line and the line after its last, from 0."""
        text = io.TextIOWrapper(
            io.BytesIO(data or self._data), "utf-8", newline="\n"
        )  # decodes as far as it is read
        if self.dialect.quoted:
            reader = csv.reader(text, delimiter=self._delimiter)
        else:
            reader = csv.reader(text, delimiter=self._delimiter, quoting=csv.QUOTE_NONE)
        first = 0
        try:
            for record in reader:
                if record and (len(record) > 1 or record[0].strip()):
                    yield first, reader.line_num, record
                first = reader.line_num
        except csv.Error as error:
            hint = "a quote on that line is probably never closed; mend that line"
            if "new-line" in str(error):
                hint = f"line ends are mixed; make them one kind: tr '\\r' '\\n' < {self.name}"
            raise BadData(
                f"{self.name}, line {first + 1:,}: this record cannot be read ({error})", hint=hint
            ) from None

    def _line_numbers(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """Return the first line of each row and the line after its last, from 0."""
        if not self.dialect.quoted or b'"' not in self._data:
            filled = _filled(self._data)[int(self.dialect.header) :]
            return [(int(filled[row]), int(filled[row]) + 1) for row in rows]
        wanted, found = set(rows), {}
        for row, (first, end, _) in enumerate(self._records(), start=-int(self.dialect.header)):
            if row in wanted:
                found[row] = (first, end)
        return [found[row] for row in rows]

    def _text_of(self, first: int, end: int) -> str:
        start = 0
        for _ in range(first):
            start = self._data.index(b"\n", start) + 1
        lines = self._data[start : start + 100_000].split(b"\n")[: end - first]
        text = b"\n".join(lines).decode(errors="replace").rstrip("\r\n")
        return (
            text
            if self.dialect.separator == SPACES
            else text.replace(self._delimiter, self.dialect.separator)
        )

    def _shown(self, first: int, end: int) -> str:
        text = self._text_of(first, end)
        head = text.splitlines()[0] if text else ""
        return f"{first + 1} | {head[:200]}{'...' if len(head) > 200 or head != text else ''}"

    def filter(self, kept: npt.NDArray[np.bool_]) -> None:
        """Let only some of the rows at hand count from now on; lines stay those of the file."""
        self._at_hand = np.flatnonzero(kept) if self._at_hand is None else self._at_hand[kept]

    def cells(self, place: int) -> Any:
        """Return a column of the rows at hand as a polars series of text."""
        texts = self.texts().get_column(column_name(place))
        return texts if self._at_hand is None else texts.gather(self._at_hand)

    def _original(self, rows: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        rows = np.asarray(rows, np.int64)
        rows = rows if self._at_hand is None else self._at_hand[rows]
        return rows if self._records_of_texts is None else self._records_of_texts[rows]

    def place(self, row: int) -> str:
        """Say where a row stands: ``line 48,213``."""
        first, _ = self._line_numbers(self._original(np.array([row])).tolist())[0]
        return f"line {first + 1:,}"

    def fault(self, kind: str, rows: npt.NDArray[Any], problem: str, hint: str) -> Fault:
        """Make the fault of some rows at hand: the first shown, a few named, all kept."""
        original = self._original(rows)
        lines = self._line_numbers(original[:_LINES_SHOWN].tolist())
        places = tuple(f"line {first + 1:,}" for first, _ in lines)
        return Fault(kind, problem, self._shown(*lines[0]), hint, original, places)

    def refusal(self, rows: npt.NDArray[Any], problem: str, hint: str) -> BadData:
        """Make the error for some rows that cannot be used: the first shown, the others counted."""
        return self.fault("missing_id", rows, problem, hint).error(self.name)


def _fields_said(fields: int, width: int) -> str:
    return f"{fields} field{'s' * (fields != 1)}, most lines have {width}"


def _filled(data: bytes) -> npt.NDArray[np.int64]:
    """Return which lines of a text without quotes are not blank, from 0."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    starts = np.append(0, ends[:-1] + 1)
    carriage = (ends > starts) & (codes[np.maximum(ends, 1) - 1] == ord("\r"))
    return np.flatnonzero(ends - starts - carriage > 0)


def _even(data: bytes, delimiter: str, separators: int) -> bool:
    """Whether every line that is not blank has so many separators."""
    codes = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(codes == ord("\n"))
    found = np.diff(np.searchsorted(np.flatnonzero(codes == ord(delimiter)), ends), prepend=0)
    return bool((found[_filled(data)] == separators).all())


def _well_quoted(data: bytes, delimiter: str) -> bool:
    """Whether every quote opens or closes a field, or is one of two inside a quoted field."""
    codes = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(codes == ord('"'))
    if len(quotes) % 2:
        return False
    opens, closes = quotes[0::2], quotes[1::2]
    doubled = closes[:-1] + 1 == opens[1:]
    borders = np.frombuffer(f"\n{delimiter}".encode(), np.uint8)
    before = (opens == 0) | np.isin(codes[np.maximum(opens, 1) - 1], borders)
    ends = np.append(borders, ord("\r"))
    after = (closes == len(codes) - 1) | np.isin(codes[np.minimum(closes + 1, len(codes) - 1)], ends)
    return bool((before | np.append(False, doubled)).all() and (after | np.append(doubled, False)).all())


def _single_byte(data: bytes, separator: str) -> tuple[bytes, str]:
    """Return the text with a separator of one byte, which is all that the fast reader takes."""
    if separator == SPACES:
        if (
            b"\t" in data
            or b"  " in data
            or b" \n" in data
            or b" \r" in data
            or b"\n " in data
            or data[:1] == b" "
        ):
            data = re.sub(rb"[ \t]*(\r?\n)[ \t]*", rb"\1", re.sub(rb"[ \t]+", b" ", data).strip(b" "))
        return data, " "
    if len(separator.encode()) == 1:
        return data, separator
    for code in (*range(31, 13, -1), *range(8, 0, -1), 127):  # control characters, which texts do without
        if bytes([code]) not in data:
            return data.replace(separator.encode(), bytes([code])), chr(code)
    raise BadData("the text holds every control character there is", hint="convert it to CSV first")
