"""Delimited text tables: read natively, by polars or by the csv module; errors name the line."""

from __future__ import annotations

import contextlib
import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from foretaste._native import PlainLines
from foretaste._utils.threads import resolve_threads
from foretaste.errors import (
    DataError,
    Hint,
)
from foretaste.ids import EncodedIds, IdIndex, as_id_array
from foretaste.io import text_parser
from foretaste.io.delimited_bytes import (
    has_constant_separators,
    is_well_quoted,
    nonblank_lines,
    to_single_byte_separator,
)
from foretaste.io.dialect import WHITESPACE, Dialect
from foretaste.io.row_errors import RowError, RowErrorCollector, format_cell_label
from foretaste.io.text_source import TextSource, split_batches
from foretaste.typing import AnyArray, BoolArray, Float32Array, Int64Array

_MAX_SHOWN_LINES = 3


def default_column_name(index: int) -> str:
    """Return the name of a column in a table without a header, as in polars."""
    return f"column_{index + 1}"


class TextTable:
    """A table of delimited text.

    Parameters
    ----------
    source : TextSource
    name : str
        Name of the source, for errors.
    dialect : Dialect
    sample : list of list of str
        The first records.
    error_collector : RowErrorCollector
        Handles invalid records.
    decimal : str
        Decimal separator.
    """

    allow_positional = True
    empty_hint: Hint | None = Hint({"header": False}, "if its first line is a rating")

    def __init__(
        self,
        source: TextSource,
        name: str,
        dialect: Dialect,
        sample: Sequence[Sequence[str]],
        error_collector: RowErrorCollector,
        decimal: str = ".",
    ) -> None:
        self.decimal = decimal
        self.name = name
        self.dialect = dialect
        self._source, self._single_byte_data = source, b""
        self._delimiter = dialect.separator
        if dialect.separator == WHITESPACE or len(dialect.separator.encode()) > 1:
            self._single_byte_data, self._delimiter = to_single_byte_separator(
                source.all_bytes(), dialect.separator
            )
        self.header = [field.strip() for field in sample[0]] if dialect.has_header else None
        self.sample = sample[1:] if dialect.has_header else sample
        self.width = Counter(map(len, sample)).most_common(1)[0][0]
        self.error_collector = error_collector
        self._text_frame: Any = None
        self._source_records: Int64Array | None = None  # set if records were skipped
        self._selection: Int64Array | None = None  # selected rows of the text frame, if filtered

    @property
    def _data(self) -> bytes:
        """The whole text, with a one-byte separator."""
        return self._single_byte_data or self._source.all_bytes()

    def read_native(self, kinds: Mapping[int, str]) -> dict[int, Any] | None:
        """Read some columns by the native reader, in batches.

        Parameters
        ----------
        kinds : mapping of int to str
            ``"id"``, ``"real"`` or ``"whole"`` by column position.

        Returns
        -------
        dict of int to EncodedIds, float32 or int64 array, or None
            None if a line needs another reader: it has a quote, an empty id, an unusual number, ...
        """
        columns = [kinds.get(index, "") for index in range(self.width)]
        reader = PlainLines(self._delimiter, self.dialect.allows_quotes, columns, resolve_threads())
        offset = self._body_offset() if self.dialect.has_header else 0
        for batch in (
            split_batches(self._single_byte_data, offset, self._source.batch_size)
            if self._single_byte_data
            else self._source.iter_batches(offset)
        ):
            if not reader.feed(batch):
                return None
        arrays = dict(enumerate(reader.finish()))
        for index, kind in kinds.items():
            if kind == "id":
                ids, codes = as_id_array(*arrays[index])
                if len(codes) and codes.min() < 0:
                    return None
                arrays[index] = EncodedIds(IdIndex(ids), codes)
        return {index: arrays[index] for index in kinds}

    def default_names(self) -> list[str]:
        """Return the column names to use without a header."""
        return [default_column_name(index) for index in range(self.width)]

    def read_columns(self, indices: Sequence[int], types: Mapping[int, Any]) -> dict[int, Any]:
        """Read some columns.

        Parameters
        ----------
        indices : sequence of int
            Column positions, from 0.
        types : mapping of int to polars type
            Types of numeric columns; the others are text. If a cell is not a number, all columns are text.

        Returns
        -------
        dict of int to polars Series
            By column position, without blank lines; a missing cell is null.

        Raises
        ------
        DataError
            If a line has not as many fields as most of the first hundred.
        """
        import polars as pl

        if self._text_frame is None:
            frame = None
            with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
                frame = self.read_polars(indices, types)
            if frame is not None:
                return {index: frame.get_column(default_column_name(index)) for index in indices}
        texts = self.as_text_frame()
        return {index: texts.get_column(default_column_name(index)) for index in indices}

    def as_text_frame(self) -> Any:
        """Return all columns as a polars frame of text, named by ``default_column_name``."""
        import polars as pl

        if self._text_frame is None:
            with contextlib.suppress(pl.exceptions.PolarsError, pl.exceptions.PanicException):
                self._text_frame = self.read_polars(range(self.width), {})
            if self._text_frame is None:
                self._text_frame = self._read_csv_module()
        return self._text_frame

    def read_polars(self, indices: Sequence[int], types: Mapping[int, Any]) -> Any:
        """Read by polars; None if lines may differ in their number of fields.

        Polars accepts a line with too few fields, and one with too many unless it reads all columns. So the
        last column is read, too: if every line has it and the total number of separators is right, no line
        has too many. Separators in quotes cannot be counted so quickly; then all columns are read.
        """
        import polars as pl

        body = self._data[self._body_offset() :] if self.dialect.has_header else self._data
        has_quotes = self.dialect.allows_quotes and b'"' in body
        if has_quotes and not is_well_quoted(body, self._delimiter):
            return None
        if b"\r" in body and body.count(b"\r") != body.count(b"\r\n"):
            return None  # a stray one would become part of a field
        schema = {default_column_name(index): types.get(index, pl.String) for index in range(self.width)}
        selected = range(self.width) if has_quotes else sorted({*indices, self.width - 1})
        frame = pl.read_csv(
            body,
            has_header=False,
            separator=self._delimiter,
            quote_char='"' if has_quotes else None,
            schema=schema,
            columns=[default_column_name(index) for index in selected],
        )
        n_blank = 0
        if b"\n\n" in body or b"\n\r\n" in body or body.startswith((b"\n", b"\r\n")):
            n_blank = len(frame)
            frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
            n_blank -= len(frame)
        ends_with_all = frame.get_column(default_column_name(self.width - 1)).null_count() == 0
        if has_quotes:
            return frame if n_blank == 0 and ends_with_all else None
        n_separators = len(frame) * (self.width - 1)
        is_complete = body.count(self._delimiter.encode()) == n_separators and (
            n_blank == 0 or n_blank == body.count(b"\n") - len(nonblank_lines(body))
        )
        is_full_width = len(selected) == self.width or ends_with_all
        return (
            frame
            if is_complete
            and (is_full_width or has_constant_separators(body, self._delimiter, self.width - 1))
            else None
        )

    def _body_offset(self) -> int:
        """Return the offset of the first record after the header."""
        start, data = 0, self._single_byte_data or self._source.start
        _, end, _ = next(self._iter_records(data))
        for _ in range(end):
            start = data.find(b"\n", start) + 1 or len(data)
        return start

    def check_first_record(self) -> None:
        """Raise if the first record has another length than most: usually a heading above the table."""
        first, end, record = next(self._iter_records(self._single_byte_data or self._source.start))
        if len(record) != self.width:
            error = self._ragged_error(first, end, len(record))
            error.hint = Hint(
                {"separator": ...},
                f"if it is not {self.dialect.separator!r}",
                lead="fix or remove that line; or",
            )
            raise error

    def _read_csv_module(self) -> Any:
        """Read record by record, which is slow; record those with too many or too few fields."""
        import polars as pl

        records = self._iter_records()
        if self.dialect.has_header:
            next(records)
        rows: list[list[str]] = []
        row_numbers: list[int] = []
        ragged: list[tuple[int, int, int, int]] = []
        for row, (first, end, record) in enumerate(records):
            if len(record) == self.width:
                rows.append(record)
                row_numbers.append(row)
                continue
            if not self.error_collector.skip:
                raise self._ragged_error(first, end, len(record))
            ragged.append((row, first, end, len(record)))
        if ragged:
            self._source_records = np.array(row_numbers, np.int64)
            self._record_ragged(ragged)
        columns = list(zip(*rows, strict=True)) if rows else [()] * self.width
        return pl.DataFrame(
            {
                default_column_name(index): [cell or None for cell in cells]
                for index, cells in enumerate(columns)
            },
            schema={default_column_name(index): pl.String for index in range(self.width)},
        )

    def _record_ragged(self, ragged: Sequence[tuple[int, int, int, int]]) -> None:
        _, first, end, n_fields = ragged[0]
        error = self._ragged_error(first, end, n_fields)
        self.error_collector.record(
            RowError(
                "ragged",
                _field_count_message(n_fields, self.width),
                error.where or "",
                error.fix or error.hint or "",
                np.array([row for row, *_ in ragged], np.int64),
                tuple(f"line {first + 1:,}" for _, first, _, _ in ragged[:_MAX_SHOWN_LINES]),
            )
        )

    def _ragged_error(self, first: int, end: int, n_fields: int) -> DataError:
        separator = self.dialect.separator
        hint: Hint | str = Hint(
            {"on_error": "skip"}, f"leaves such lines out; or name the separator if it is not {separator!r}"
        )
        if end - first > 1 and '"' in self._lines_text(first, end):
            hint = "a quote on that line is probably never closed; fix that line"
        return DataError(
            f"{self.name}, line {first + 1:,}: {_field_count_message(n_fields, self.width)}",
            where=self._excerpt(first, end),
            hint=hint,
        )

    def _iter_records(self, data: bytes | None = None) -> Iterator[tuple[int, int, list[str]]]:
        """Yield each non-blank record with its first line and the line after its last, from 0."""
        text = io.TextIOWrapper(io.BytesIO(data or self._data), "utf-8", newline="\n")  # decodes lazily
        if self.dialect.allows_quotes:
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
            hint = "a quote on that line is probably never closed; fix that line"
            if "new-line" in str(error):
                hint = f"line ends are mixed; make them uniform: tr '\\r' '\\n' < {self.name}"
            raise DataError(
                f"{self.name}, line {first + 1:,}: this record cannot be read ({error})", hint=hint
            ) from None

    def _line_numbers(self, rows: Sequence[int]) -> list[tuple[int, int]]:
        """Return the first line of each row and the line after its last, from 0."""
        if not self.dialect.allows_quotes or b'"' not in self._data:
            nonblank = nonblank_lines(self._data)[int(self.dialect.has_header) :]
            return [(int(nonblank[row]), int(nonblank[row]) + 1) for row in rows]
        requested, lines = set(rows), {}
        for row, (first, end, _) in enumerate(self._iter_records(), start=-int(self.dialect.has_header)):
            if row in requested:
                lines[row] = (first, end)
        return [lines[row] for row in rows]

    def _lines_text(self, first: int, end: int) -> str:
        start = 0
        for _ in range(first):
            start = self._data.index(b"\n", start) + 1
        lines = self._data[start : start + 100_000].split(b"\n")[: end - first]
        text = b"\n".join(lines).decode(errors="replace").rstrip("\r\n")
        return (
            text
            if self.dialect.separator == WHITESPACE
            else text.replace(self._delimiter, self.dialect.separator)
        )

    def _excerpt(self, first: int, end: int) -> str:
        text = self._lines_text(first, end)
        head = text.splitlines()[0] if text else ""
        return f"{first + 1} | {head[:200]}{'...' if len(head) > 200 or head != text else ''}"

    def filter(self, mask: BoolArray) -> None:
        """Keep only some of the selected rows; line numbers still refer to the file."""
        self._selection = np.flatnonzero(mask) if self._selection is None else self._selection[mask]

    def column_text(self, index: int) -> Any:
        """Return a column of the selected rows as a polars Series of text."""
        texts = self.as_text_frame().get_column(default_column_name(index))
        return texts if self._selection is None else texts.gather(self._selection)

    column = column_text

    def to_frame(self) -> Any:
        """Return the whole table as a polars frame of text, with decimal points."""
        import polars as pl

        frame = self.as_text_frame()
        if self.decimal == ".":
            return frame
        return frame.with_columns(pl.all().str.replace(self.decimal, ".", literal=True))

    def column_titles(self) -> list[str] | None:
        """Return the header."""
        return self.header

    def cell_label(self, row: int, column: int) -> str:
        """Return where a cell is: ``line 12, column "j7"``."""
        return format_cell_label(self, row, column)

    def read_ids(self, index: int, role: str, column: str) -> Any:
        """Return a column as ids that are all there; records or raises missing ones."""
        cells = self.column_text(index)
        text_parser.check_ids(self, cells, role, column, f"give the {role} an id, or drop the line")
        return self.parse_ids(cells, role)

    def _source_rows(self, rows: AnyArray) -> Int64Array:
        rows = np.asarray(rows, np.int64)
        rows = rows if self._selection is None else self._selection[rows]
        return rows if self._source_records is None else self._source_records[rows]

    def row_label(self, row: int) -> str:
        """Return the label of a selected row: ``line 48,213``."""
        first, _ = self._line_numbers(self._source_rows(np.array([row])).tolist())[0]
        return f"line {first + 1:,}"

    def make_row_error(self, kind: str, rows: AnyArray, problem: str, hint: Hint | str) -> RowError:
        """Return the error of some selected rows: text of the first, labels of a few, numbers of all."""
        source_rows = self._source_rows(rows)
        lines = self._line_numbers(source_rows[:_MAX_SHOWN_LINES].tolist())
        row_labels = tuple(f"line {first + 1:,}" for first, _ in lines)
        return RowError(kind, problem, self._excerpt(*lines[0]), hint, source_rows, row_labels)

    def make_data_error(self, rows: AnyArray, problem: str, hint: Hint | str) -> DataError:
        """Return the exception for some invalid rows."""
        return self.make_row_error("missing_id", rows, problem, hint).to_exception(self.name)

    def check_ids(self, cells: Any, role: str, column: str) -> None:
        """Record the rows without an id."""
        text_parser.check_ids(self, cells, role, column)

    def parse_ids(self, cells: Any, role: str) -> Any:
        """Return ids as int64 if all are plain integers, else as text."""
        return text_parser.parse_ids(self, cells, role)

    def parse_numbers(self, cells: Any, index: int, role: str, column: str) -> Float32Array:
        """Return numbers as float32; record what is not a finite number."""
        return text_parser.parse_numbers(self, cells, index, role, column)

    def parse_timestamps(self, cells: Any, column: str) -> Int64Array:
        """Return seconds since 1970; record what is neither seconds nor a date."""
        return text_parser.parse_timestamps(self, cells, column)


def _field_count_message(n_fields: int, width: int) -> str:
    return f"{n_fields} field{'s' * (n_fields != 1)}, most lines have {width}"
