"""Workbooks: cell values, their locations, and refused content."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import logging
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import polars as pl
import pytest
import xlwt
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from real_data import data_file

from foretaste.errors import (
    DataError,
    ForetasteError,
    InvalidParameterError,
    MissingDependencyError,
    NotEnoughMemoryError,
    NotFoundError,
)
from foretaste.io import excel_xls
from foretaste.io.archive import unpack
from foretaste.io.excel import column_letters, read_sheet

pytest.importorskip("python_calamine", reason='needs pip install "foretaste[excel]"')


def xlsx(rows=(), top: int = 1, left: int = 1, **more) -> bytes:
    book = openpyxl.Workbook()
    for name, cells in {"Ratings": rows, **more}.items():
        sheet = book.active if name == "Ratings" else book.create_sheet()
        sheet.title = name
        for row, values in enumerate(cells, start=top):
            for column, value in enumerate(values, start=left):
                sheet.cell(row, column, value)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def xls(rows, top: int = 0, left: int = 0) -> bytes:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Ratings")
    for row, values in enumerate(rows, start=top):
        for column, value in enumerate(values, start=left):
            if isinstance(value, dt.date):
                sheet.write(row, column, value, xlwt.easyxf(num_format_str="YYYY-MM-DD hh:mm:ss"))
            elif value is not None:
                sheet.write(row, column, value)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def patched(data: bytes, part: str, old: bytes, new: bytes) -> bytes:
    """Return a workbook with some bytes of one part replaced."""
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as opened:
        for name in source.namelist():
            content = source.read(name)
            if name == part:
                assert old in content
                content = content.replace(old, new)
            opened.writestr(name, content)
    return target.getvalue()


def refused(data: bytes, kind: type[ForetasteError] = DataError, **options) -> ForetasteError:
    with pytest.raises(kind) as caught:
        read_sheet(data, "book.xlsx", **options)
    return caught.value


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="foretaste")
    return lambda level="INFO": [r.getMessage() for r in caplog.records if r.levelname == level]


HEAD = ["userId", "item", "rating"]
TABLE = [HEAD, [1, "007", 3.5], [2, "8", 4], [7, "x", -1.25]]


@pytest.mark.parametrize("write", [xlsx, xls])
def test_columns_have_their_own_types(write):
    moment = dt.datetime(2020, 1, 2, 3, 4, 5)
    rows = [
        [*HEAD, "when", "flag"],
        [1, "007", 3.5, moment, True],
        [2, "8", None, dt.datetime(2021, 5, 6), False],
    ]
    sheet = read_sheet(write(rows), "book")
    expected = pl.DataFrame(
        {
            "userId": [1, 2],
            "item": ["007", "8"],
            "rating": [3.5, None],
            "when": pl.Series([moment, dt.datetime(2021, 5, 6)], dtype=pl.Datetime("us")),
            "flag": [True, False],
        }
    )
    assert_frame_equal(sheet.frame, expected)
    assert sheet.has_header
    assert sheet.titles == ("userId", "item", "rating", "when", "flag")


@pytest.mark.parametrize("write", [xlsx, xls])
def test_mixed_columns_are_text_as_displayed(write):
    column = [1, "1", 2.5, "N/A", True, 0.1 + 0.2, "NULL", 1e-12, 1e20, "007", " x "]
    frame = read_sheet(write([["item"], *([cell] for cell in column)]), "book").frame
    seen = ["1", "1", "2.5", "N/A", "TRUE", None, "NULL", None, None, "007", " x "]
    cells = frame["item"].to_list()
    assert [cell for cell, text in zip(cells, seen, strict=True) if text] == [text for text in seen if text]
    # openpyxl writes fifteen digits, xlwt all: what was written comes back
    assert [float(cells[place]) for place in (5, 7, 8)] == pytest.approx([0.1 + 0.2, 1e-12, 1e20], rel=1e-15)


def test_numbers_in_a_mixed_column_are_exact():
    data = patched(xlsx([["v"], [2.5], ["q"]]), "xl/worksheets/sheet1.xml", b"2.5", b"-7.815999984741211")
    assert read_sheet(data, "book").frame["v"].to_list() == ["-7.815999984741211", "q"]


def test_na_text_in_a_numeric_column_is_preserved():
    frame = read_sheet(xlsx([HEAD, [1, 2, 3.5], [1, 3, "N/A"], [1, 4, True]]), "book").frame
    assert frame["rating"].to_list() == ["3.5", "N/A", "TRUE"]


def test_error_cells_are_not_blank():
    data = xlsx([HEAD, [1, 2, 3.5], [1, 3, "#N/A"], [1, 4, "#DIV/0!"], [2, 4, 1.0]], top=3, left=2)
    sheet = read_sheet(data, "book")
    assert sheet.frame["rating"].to_list() == ["3.5", "#N/A", "#DIV/0!", "1"]
    assert sheet.frame["item"].to_list() == [2, 3, 4, 4]


def test_error_cells_outside_the_table_or_without_a_value():
    rows = [HEAD, [1, 2, 3.5], [None, None, None, None, "#REF!"]]
    assert read_sheet(xlsx(rows), "b").frame["column_5"].to_list() == [None, "#REF!"]
    sheet = "xl/worksheets/sheet1.xml"
    empty = patched(xlsx(rows), sheet, b"<v>#REF!</v>", b"")
    assert refused(empty).message == 'book.xlsx: sheet "Ratings", cell E3 holds the error #ERROR'
    nameless = patched(xlsx(rows), sheet, b'r="E3" ', b"")
    assert refused(nameless).message == "book.xlsx: a cell holds the error #REF!"


@pytest.mark.parametrize("write", [xlsx, xls])
def test_locations_count_from_the_top_of_the_sheet(write):
    start = 3 if write is xlsx else 2
    rows = [TABLE[0], TABLE[1], [None] * 3, TABLE[2], [None] * 3, TABLE[3]]
    sheet = read_sheet(write(rows, top=start, left=start), "book")
    assert sheet.row_numbers.tolist() == [4, 6, 8]
    assert sheet.row_label(1) == 'sheet "Ratings", row 6'
    assert sheet.cell_label(1, 2) == 'sheet "Ratings", cell E6'
    assert sheet.frame["item"].to_list() == ["007", "8", "x"]


@given(st.integers(0, 18_277))
def test_column_letters(place):
    assert column_letters(place) == openpyxl.utils.get_column_letter(place + 1)


@pytest.mark.parametrize(
    ("rows", "header"),
    [
        (TABLE, True),
        ([["a", "b", "c"], [1, "x", 3]], True),  # text above a number
        ([["a", "b", "c"], ["d", "e", "f"]], False),
        ([[1, 10, 3.5], [2, 10, 4]], False),
        ([["x", 10, 3.5], ["y", 10, 4]], False),
        ([["name", *range(1, 7)], ["x", *range(6)]], True),  # names of items are 1, 2, 3, ...
        ([["", 1, 2, 3], ["x", 4, 5, 6]], False),  # too few to tell from ratings
        ([["user", 4, 9], ["x", 4, 5]], True),
    ],
)
def test_header_is_inferred_and_logged(rows, header, said):
    assert read_sheet(xlsx(rows), "b.xlsx").has_header is header
    assert said() == [f"b.xlsx: {'with a header' if header else 'no header'}   (override: header=...)"]


@pytest.mark.parametrize("header", [True, False])
def test_explicit_header_option(header, said):
    sheet = read_sheet(xlsx(TABLE), "b.xlsx", header=header)
    assert sheet.has_header is header
    assert len(sheet.frame) == 3 + (not header)
    assert sheet.frame.columns == (HEAD if header else ["column_1", "column_2", "column_3"])
    assert said() == []


def test_number_titles_are_names_and_titles_may_repeat():
    sheet = read_sheet(xlsx([["userId", 1, 1, None], [5, 2.5, 3, 4]]), "b.xlsx")
    assert sheet.titles == ("userId", "1", "1", "")
    assert sheet.frame.columns == ["userId", "1", "1_3", "column_4"]


def test_sheets_by_name_position_and_default(said):
    data = xlsx(TABLE, Notes=[["hello", "x"]], More=[[1, 2, 3]])
    assert read_sheet(data, "b.xlsx").name == "Ratings"
    assert said() == [
        "b.xlsx: sheet \"Ratings\" of 'Ratings', 'Notes', 'More', with a header   "
        "(override: sheet=..., header=...)"
    ]
    assert read_sheet(data, "b.xlsx", "More").frame.row(0) == (1, 2, 3)
    assert read_sheet(data, "b.xlsx", 2).name == "More"
    error = refused(data, NotFoundError, sheet="Note")
    assert 'did you mean "Notes"?' in error.message
    assert '"More"' in error.where
    assert refused(data, NotFoundError, sheet=3).hint == "0 to 2"
    assert refused(data, InvalidParameterError, sheet=True).hint == "sheet=0"
    assert refused(data, InvalidParameterError, header="yes")


def test_a_hidden_sheet_is_not_the_first():
    book = openpyxl.load_workbook(io.BytesIO(xlsx([["old"]], Shown=TABLE)))
    book["Ratings"].sheet_state = "hidden"
    book.active = 1
    target = io.BytesIO()
    book.save(target)
    assert read_sheet(target.getvalue(), "b.xlsx").name == "Shown"


def test_empty_sheets():
    error = refused(xlsx([], Other=TABLE))
    assert error.message == 'book.xlsx: sheet "Ratings" is empty'
    assert error.hint == 'sheet="Other"'
    assert "is empty" in refused(xlsx([["", None]])).message


def test_header_without_rows():
    sheet = read_sheet(xlsx([HEAD]), "b.xlsx")
    assert sheet.frame.shape == (0, 3)
    assert sheet.frame.columns == HEAD


@pytest.mark.parametrize("data", [xlsx(TABLE), xls(TABLE)])
def test_corrupt_workbooks_raise(data):
    for damaged in (
        data[: len(data) // 2],
        data[:600],
        data[:100] + bytes(800) + data[900:],
        data[:-600] + bytes(600),
        b"PK\x03\x04 etc.",
    ):
        assert "truncated or damaged" in refused(damaged).message


@given(st.data())
def test_any_corruption_of_an_xls_raises_or_gives_cells(data):
    damaged = bytearray(xls(TABLE))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(8, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ForetasteError):
        read_sheet(bytes(damaged[: data.draw(st.integers(8, len(damaged)))]), "b.xls")


def record(data: bytes, kind: int, after: int = 512) -> int:
    """Return where the content of a record of an .xls starts."""
    while True:
        found, size = struct.unpack_from("<HH", data, after)
        after += 4
        if found == kind:
            return after
        after += size


EXTENT, STRINGS, NUMBER, SHEET = 0x0200, 0x00FC, 0x0203, 0x0085


@pytest.mark.parametrize(
    ("kind", "at", "form", "value", "what"),
    [
        (EXTENT, 0, "<I", 2**31, "ends before it starts"),  # each of these made the reader ask for
        (EXTENT, 4, "<I", 2**31, "a sheet of 2,147,483,648 rows"),  # hundreds of gigabytes, and end
        (EXTENT, 10, "<H", 2**15, "columns"),  # the process where there were none
        (STRINGS, 4, "<I", 2**31, "more strings"),
        (SHEET, 0, "<I", 2**31, "damaged"),
        (EXTENT, -2, "<H", 2**15, "unexpected end"),
    ],
)
def test_xls_with_false_declared_sizes_raises(kind, at, form, value, what):
    damaged = bytearray(xls(TABLE))
    struct.pack_into(form, damaged, record(damaged, kind) + at, value)
    assert what in refused(bytes(damaged)).message


def test_xls_cell_out_of_bounds_raises():
    damaged = bytearray(xls([[0.1234567, "x"]]))
    struct.pack_into("<H", damaged, record(damaged, NUMBER) + 2, 300)
    assert "a sheet of 1 rows and 301 columns" in refused(bytes(damaged)).message


def test_xls_with_cyclic_sectors_raises():
    damaged = bytearray(xls(TABLE))
    (table,) = struct.unpack_from("<I", damaged, 76)
    struct.pack_into("<I", damaged, 512 * (table + 1) + 4 * 3, 0)
    assert "cycle of sectors" in refused(bytes(damaged)).message


def test_xls_error_cells():
    book = xlwt.Workbook()
    sheet = book.add_sheet("Ratings")
    for column, title in enumerate(HEAD):
        sheet.write(2, column, title)
    for row in range(3, 6):
        for column in range(3):
            sheet.write(row, column, row + column)
    sheet.row(6).set_cell_error(0, 0x2A)
    sheet.row(6).set_cell_error(2, 0x07)
    sheet.row(6).set_cell_boolean(1, True)  # of the same kind of record
    sheet.write(7, 1, xlwt.Formula("1/0"))
    target = io.BytesIO()
    book.save(target)
    data = bytearray(target.getvalue())
    formula = record(data, 0x0006)
    data[formula + 6 : formula + 14] = b"\x02\0\x17\0\0\0\xff\xff"  # its result: #REF!
    frame = read_sheet(bytes(data), "b.xls").frame
    assert frame["userId"].to_list() == ["3", "4", "5", "#N/A", None]
    assert frame["item"].to_list() == ["4", "5", "6", "TRUE", "#REF!"]
    assert frame["rating"].to_list() == ["5", "6", "7", "#DIV/0!", None]


def test_small_xls_in_mini_sectors():
    stream = excel_xls.read_workbook_stream(xls(TABLE))
    stream = stream[: stream.rindex(b"\x0a\0\0\0") + 4]
    assert len(stream) < 4096
    free, end, sectors = 0xFFFFFFFF, 0xFFFFFFFE, -(-len(stream) // 512)

    def chain(first, count):
        return [*range(first + 1, first + count), end]

    def entry(name, kind, first, size, child=free):
        title = f"{name}\0".encode("utf-16-le")
        head = title.ljust(64, b"\0") + struct.pack("<HBBIII", len(title), kind, 1, free, free, child)
        return head + bytes(36) + struct.pack("<III", first, size, 0)

    header = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(76, b"\0"))
    struct.pack_into("<HHHHH", header, 24, 0x3E, 3, 0xFFFE, 9, 6)
    struct.pack_into("<8I", header, 44, 1, 1, 0, 4096, 2, 1, end, 0)
    table = [0xFFFFFFFD, end, end, *chain(3, sectors)]
    small = chain(0, -(-len(stream) // 64))

    def numbers(values):
        return struct.pack("<128I", *values, *[free] * (128 - len(values)))

    folder = (
        entry("Root Entry", 5, 3, sectors * 512, child=1) + entry("Workbook", 2, 0, len(stream)) + bytes(256)
    )
    header += struct.pack("<109I", 0, *[free] * 108)
    data = bytes(header) + numbers(table) + folder + numbers(small) + stream.ljust(sectors * 512, b"\0")
    assert read_sheet(data, "b.xls").frame["item"].to_list() == ["007", "8", "x"]


def test_changed_byte_in_a_sheet_raises():
    data = bytearray(patched(xlsx(TABLE), "xl/workbook.xml", b"Ratings", b"Ratings"))
    sheet = zipfile.ZipFile(io.BytesIO(bytes(data))).getinfo("xl/worksheets/sheet1.xml")
    data[sheet.header_offset + 120] ^= 0x10
    assert "truncated or damaged" in refused(bytes(data)).message


@pytest.mark.parametrize("old", [True, False])
def test_encrypted_workbooks_raise(old):
    data = bytearray(xls(TABLE))
    if old:  # a record of the encryption scheme, over one without meaning
        struct.pack_into("<H", data, record(data, 0x0042) - 4, 0x002F)
    else:  # a newer workbook, encrypted, lies in a file like the older ones
        place = data.index("Workbook".encode("utf-16-le"))
        data[place : place + 64] = "EncryptedPackage\0".encode("utf-16-le").ljust(64, b"\0")
        struct.pack_into("<H", data, place + 64, 34)
    error = refused(bytes(data))
    assert error.message == "book.xlsx is a workbook with a password"
    assert "remove the password" in error.hint


def test_distant_stray_cell_raises_before_allocation():
    book = openpyxl.load_workbook(io.BytesIO(xlsx(TABLE)))
    book.active.cell(1_048_576, 16_384, "stray")
    target = io.BytesIO()
    book.save(target)
    error = refused(target.getvalue(), NotEnoughMemoryError)
    assert "1,048,576 rows and 16,384 columns" in error.message
    assert "stray cell" in error.hint


def test_xlsx_member_bomb_raises(monkeypatch):
    monkeypatch.setattr("foretaste.io.archive.MAX_UNPACKED_BYTES", 1_000_000)
    data = patched(
        xlsx(TABLE), "xl/worksheets/sheet1.xml", b"</sheetData>", b" " * 9_000_000 + b"</sheetData>"
    )
    assert "sheet1.xml would decompress" in refused(data).message


def test_numbers_with_more_digits_than_excel_keeps(said):
    sheet = read_sheet(xlsx([HEAD, [10**15 + 1, 2**54, 3]]), "b.xlsx", header=True)
    assert [sheet.frame[name].dtype for name in HEAD] == [pl.Int64, pl.Float64, pl.Int64]
    assert said("WARNING") == [
        "b.xlsx: numbers in column userId, item have more than fifteen digits, of which Excel keeps fifteen; "
        "format such ids as text"
    ]


def test_ods_is_read():
    cells = "".join(
        f'<table:table-cell office:value-type="float" office:value="{number}"/>' for number in (1, 2, 3.5)
    )
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    content = (
        f"<office:document-content {namespaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="R"><table:table-row>{cells}</table:table-row></table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        opened.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        opened.writestr("META-INF/manifest.xml", "<manifest/>")
        opened.writestr("content.xml", content)
    data = target.getvalue()
    assert unpack(data, Path("r.ods")).kind == "ods"
    assert read_sheet(data, "r.ods").frame.row(0) == (1, 2, 3.5)


def test_missing_calamine_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    error = refused(xlsx(TABLE), MissingDependencyError)
    assert error.hint == 'pip install "foretaste[excel]"'


CELL = st.one_of(
    st.none(),
    st.integers(-(10**9), 10**9),
    st.floats(-1e6, 1e6, allow_nan=False, width=32),
    st.text("abc019", min_size=1, max_size=4),
    st.booleans(),
)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8))
def test_xlwt_files_are_read(rows):
    sheet = read_sheet(xls([["userId", "item"], *rows]), "b.xls")
    kept = [row for row in rows if row != (None, None)]
    assert len(sheet.frame) == len(kept)
    for place in range(2):
        cells = [row[place] for row in kept]
        kinds = {
            bool if isinstance(c, bool) else str if isinstance(c, str) else float
            for c in cells
            if c is not None
        }
        texts = [
            None
            if c is None
            else str(c).upper()
            if isinstance(c, bool)
            else c
            if isinstance(c, str)
            else float(c)
            for c in cells
        ]
        got = sheet.frame.to_series(place).to_list()
        if kinds == {float}:
            assert got == texts
        elif kinds == {bool}:
            assert got == cells
        else:
            number = [
                None if g is None else float(g) if isinstance(t, float) else g
                for g, t in zip(got, texts, strict=True)
            ]
            assert number == texts


@pytest.mark.dataset
@pytest.mark.parametrize(
    ("name", "shape", "ratings"),
    [
        ("jester1/jester_dataset_1_1.zip", (24_983, 101), 1_810_455),
        ("jester1/jester_dataset_1_2.zip", (23_500, 101), 1_708_993),
        ("jester1/jester_dataset_1_3.zip", (24_938, 101), 616_912),
        ("jester4/jester_dataset_4_ratings.xlsx", (7_699, 159), 106_489),
    ],
)
def test_jester_sheets(name, shape, ratings):
    path = data_file(name)
    data, _, title = unpack(path, path)
    sheet = read_sheet(data, title)
    assert sheet.frame.shape == shape
    assert not sheet.has_header
    assert sheet.frame.to_series(0).dtype == pl.Int64
    assert sheet.frame.to_series(0).sum() == ratings
    assert np.array_equal(sheet.row_numbers, np.arange(1, shape[0] + 1))
