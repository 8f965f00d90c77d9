"""Fuzzing: corrupt archives, workbooks and binary tables."""

from __future__ import annotations

import functools
import gzip
import io
import struct
import zipfile
from random import Random
from typing import Any

import corrupt_texts as texts
import numpy as np

# Archives ------------------------------------------------------------------------------------------------

_NAMES = (
    "ratings.csv", "ml-100k/u.data", "ratings.dat", "movies.csv", "../up.csv", "/abs.csv",
    "a" * 300, "é/日本.csv",
    "__MACOSX/._ratings.csv", ".DS_Store", "folder/", "", "ratings.csv.gz", "inner.zip",
    "mimetype", "content.xml",
    "[Content_Types].xml", "xl/workbook.xml", "x\0y.csv", "C:\\ratings.csv",
)  # fmt: skip


def zipped(files: list[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of files, with names that may stand twice."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as opened:
        for name, data in files:
            opened.writestr(zipfile.ZipInfo(name), data, compress_type=method)
    return target.getvalue()


def packed(rng: Random, data: bytes) -> bytes:
    """Return data in a gzip file or a zip archive, in two of them now and then."""
    if rng.random() < 0.4:
        return gzip.compress(data, rng.choice([0, 1, 9]), mtime=0)
    name = rng.choice(_NAMES[:3]) if rng.random() < 0.7 else rng.choice(_NAMES)
    files = [(name, data)]
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        files.insert(
            rng.randint(0, len(files)), (rng.choice(_NAMES), rng.choice([data, b"", b"junk", data[:9]]))
        )
    method = rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
    done = _zipped_quietly(files, method)
    return packed(rng, done) if rng.random() < 0.1 else done


def _zipped_quietly(files: list[tuple[str, bytes]], method: int) -> bytes:
    """Return a zip archive; a name that stands twice, which the library warns of, stands in it twice."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return zipped(files, method)


def patched_zip(rng: Random, data: bytes) -> bytes:
    """Overwrite a field of a header in a zip archive: a size, a checksum, a method, a flag, an offset."""
    marks = [b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"]
    mark = rng.choice(marks)
    start = data.find(mark)
    if start < 0:
        return data
    place = start + rng.randrange(4, {b"PK\x03\x04": 30, b"PK\x01\x02": 46, b"PK\x05\x06": 22}[mark])
    value = rng.choice(
        [
            b"\0",
            b"\xff",
            b"\x01",
            b"\x08",
            b"\0\0\0\0",
            b"\xff\xff\xff\xff",
            b"\xff\xff",
            b"\x0c\0",
            b"\x63\0",
        ]
    )
    return data[:place] + value + data[place + len(value) :]


def make_packed(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    """Return a table in an archive; the table or the archive, or both, spoilt."""
    data = rng.choice(texts.RATINGS).encode()
    if rng.random() < 0.4:
        data = texts.spoilt(rng, data)
    data = packed(rng, data)
    if rng.random() < 0.7:
        data = texts.spoilt(rng, data, (*texts.BYTES, patched_zip, patched_zip), 2)
    options: dict[str, Any] = texts.written(rng) if rng.random() < 0.2 else {}
    if rng.random() < 0.3:
        options["member"] = rng.choice([*_NAMES, "rating", 5])
    return data, options, rng.choice(["ratings.zip", "ratings.csv.gz", "ratings.csv"])


# Workbooks -----------------------------------------------------------------------------------------------

_ROWS = (
    ["userId", "movieId", "rating", "timestamp"],
    [1, 10, 3.5, "2020-01-02"],
    [2, 10, 4, "2020-01-03"],
    [1, 20, None, "2020-01-04"],
    ["x", 20, "N/A", True],
)
_ODS_CONTENT = """<?xml version="1.0" encoding="UTF-8"?>
<office:document-content xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 office:version="1.2"><office:body><office:spreadsheet><table:table table:name="Ratings">{rows}</table:table>
</office:spreadsheet></office:body></office:document-content>"""
_XML = (
    "<", ">", "</c>", "<c/>", '<c r="XFD1048576"><v>1</v></c>', '<c r="A1" t="e"><v>#N/A</v></c>',
    "&amp;", "&", "]]>",
    "<!DOCTYPE x [<!ENTITY a 'b'>]>", '<row r="99999999">', "1048576", "-1", "NaN", "1e400",
    't="s"', 't="b"', 't="d"',
    't="inlineStr"', 'r="A0"', 'r="ZZZZ1"', "<v>9999999999</v>", 's="99"', "", "\0", "\ufffd", "</sheetData>",
    'table:number-columns-repeated="3"', 'table:number-rows-repeated="3"', 'office:value-type="float"',
)  # fmt: skip


@functools.cache
def workbooks() -> tuple[bytes, ...]:
    """Return an .xlsx of two sheets, an .xls and an .ods."""
    import openpyxl
    import xlwt

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Ratings"
    for row in _ROWS:
        sheet.append(row)
    book.create_sheet("Notes").append(["nothing"])
    modern, old = io.BytesIO(), io.BytesIO()
    book.save(modern)
    with zipfile.ZipFile(modern) as archive:  # again, without the time of day in it
        parts_of = [(name, archive.read(name)) for name in archive.namelist() if "docProps" not in name]
    former = xlwt.Workbook()
    page = former.add_sheet("Ratings")
    for y, row in enumerate(_ROWS):
        for x, cell in enumerate(row):
            page.write(y, x, cell)
    former.save(old)
    rows = "".join(f"<table:table-row>{''.join(map(_ods_cell, row))}</table:table-row>" for row in _ROWS)
    return zipped(parts_of), old.getvalue(), opendocument(rows)


def opendocument(rows: str) -> bytes:
    """Return an .ods of one sheet with these rows, in XML."""
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    manifest = (
        '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
        f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    )
    content = _ODS_CONTENT.format(rows=rows)
    named = {"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content}
    return zipped([(name, text.encode()) for name, text in named.items()])


def with_part(data: bytes, name: str, old: str, new: str) -> bytes:
    """Return a workbook with some text replaced in the part whose name ends so."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [(part, archive.read(part)) for part in archive.namelist()]
    return zipped(
        [
            (part, text.replace(old.encode(), new.encode()) if part.endswith(name) else text)
            for part, text in files
        ]
    )


def _ods_cell(cell: object) -> str:
    if isinstance(cell, bool):
        return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(cell).lower()}"/>'
    if isinstance(cell, int | float):
        kind, shown = f'"float" office:value="{cell}"', f"<text:p>{cell}</text:p>"
        return f"<table:table-cell office:value-type={kind}>{shown}</table:table-cell>"
    return f'<table:table-cell office:value-type="string"><text:p>{cell or ""}</text:p></table:table-cell>'


def _spoilt_xml(rng: Random, data: bytes) -> bytes:
    """Spoil one part of a workbook that is a zip archive, and pack it again, with sound checksums."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = [(name, archive.read(name)) for name in archive.namelist()]
    tables = [place for place, (name, _) in enumerate(files) if "sheet" in name or "content" in name]
    place = rng.choice(tables) if tables and rng.random() < 0.6 else rng.randrange(len(files))
    name, xml = files[place]
    what = rng.randrange(6)
    if what == 0:
        xml = texts.spoilt(rng, xml)
    elif what == 1 and rng.random() < 0.3:
        del files[place]
        return zipped(files)
    elif what <= 3:
        tags = [end + 1 for end in range(len(xml)) if xml[end] == ord(">")] or [0]
        at, end = sorted((rng.choice(tags), rng.choice(tags)))
        cut = rng.choice([at, at, end])
        xml = xml[:at] + rng.choice(_XML).encode() * rng.choice([1, 1, 3]) + xml[cut:]
    else:
        numbers = [at for at in range(len(xml)) if xml[at : at + 1].isdigit()] or [0]
        at = rng.choice(numbers)
        xml = xml[:at] + rng.choice([*texts.TOKENS, *_XML]).encode() + xml[at + 1 :]
    files[place] = (name, xml[:50_000])
    return zipped(files)


def make_workbook(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    """Return a spoilt workbook."""
    place = rng.choice([0, 0, 1, 2, 2])
    data = workbooks()[place]
    if place != 1 and rng.random() < 0.8:
        for _ in range(rng.randint(1, 2)):
            data = _spoilt_xml(rng, data)
    elif rng.random() < 0.95:
        spoilt = (*texts.BYTES, patched_zip) if place != 1 else (*texts.BYTES[:3], _records)
        for _ in range(rng.randint(1, 3)):
            data = rng.choice(spoilt)(rng, data)
    options: dict[str, Any] = {}
    if rng.random() < 0.3:
        options["sheet"] = rng.choice(["Ratings", "Notes", "ratings", "", 0, 1, 2, -1, True, 1.5])
    if rng.random() < 0.2:
        options["header"] = rng.choice([True, False, 1])
    return data, options, ("ratings.xlsx", "ratings.xls", "ratings.ods")[place]


def _records(rng: Random, data: bytes) -> bytes:
    """Overwrite two bytes of the first records of an old workbook: types, lengths, rows, columns."""
    if len(data) < 600:
        return data
    start = rng.choice([0, 512]) + 2 * rng.randrange(min(1200, len(data) // 2 - 256))
    return (
        data[:start]
        + struct.pack("<H", rng.choice([0, 1, 0xFF, 0xFFFF, rng.randrange(65536)]))
        + data[start + 2 :]
    )


def make_file(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    """Return a spoilt file of any kind, in an archive now and then, as ``read_ratings`` takes it."""
    kind = rng.randrange(6)
    if kind == 0:
        data, options, name = make_wide(rng)
        options["layout"] = "wide"
    elif kind == 1:
        data, options, name = make_workbook(rng)
    elif kind == 2:
        data, options, name = make_packed(rng)
    elif kind == 3:
        data, options, name = rng.choice(arrays()), {}, "ratings.npy"
        if rng.random() < 0.9:
            data = texts.spoilt(rng, data[:100], texts.BYTES, 2) + data[100:]
    else:
        data, options, name = _make_table(rng)
    if rng.random() < 0.1:
        data = packed(rng, data)
    if rng.random() < 0.1:
        options["layout"] = rng.choice(["wide", "wide", "long", "tall", None])
    if rng.random() < 0.1:
        options[rng.choice(["missing", "first_column_is_count"])] = rng.choice([99, True, "NA", None])
    if rng.random() < 0.1:
        options["sheet"] = rng.choice(["Ratings", 1, -1])
    return data, options | texts.columns(rng, ("user", "rating")) | texts.checks(rng), name


def _make_table(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    """Return a spoilt table of a Parquet or Arrow file or a database, its types those of any table."""
    place = rng.randrange(len(tables()))
    data = tables()[place]
    if rng.random() < 0.8:
        half = len(data) // 2 if rng.random() < 0.5 else 0  # these files describe their content at the end
        data = data[:half] + texts.spoilt(rng, data[half:], texts.BYTES[:3], 2)
    options: dict[str, Any] = {}
    if rng.random() < 0.2:
        options[rng.choice(["table", "query"])] = rng.choice(
            ["ratings", "nope", "SELECT 1", "SELECT * FROM ratings", "", 5]
        )
    return data, options, rng.choice(["ratings.parquet", "ratings.csv"])


@functools.cache
def tables() -> tuple[bytes, ...]:
    """Return Parquet files, Arrow files and databases of many types."""
    import datetime
    import sqlite3

    import polars as pl

    rows = {"user": [1, 2, 1, None], "item": ["a", "b", "c", ""], "rating": [3.5, 4.0, float("nan"), 2.0]}
    when = [
        datetime.datetime(2020, 1, 2, 3),
        None,
        datetime.datetime(1960, 1, 1),
        datetime.datetime(9999, 1, 1),
    ]
    odd = {"user": [[1], [2]], "item": [True, False], "rating": [datetime.date(2020, 1, 1), None]}
    big = {"user": [2**63, 1], "item": [0.5, 2.0], "rating": ["3", "4,5"], "time": [b"x", b"y"]}
    frames = [
        pl.DataFrame(rows),
        pl.DataFrame(rows | {"time": when}),
        pl.DataFrame(odd),
        pl.DataFrame(big, strict=False),
    ]
    frames.append(
        pl.DataFrame({"user": ["x", "y"], "item": ["a", "b"], "rating": [1, 2]}).cast(
            {"user": pl.Categorical}
        )
    )
    kept = []
    for frame in frames:
        for write in ("write_parquet", "write_ipc", "write_ipc_stream"):
            target = io.BytesIO()
            getattr(frame, write)(target)
            kept.append(target.getvalue())
    for statements in (
        "CREATE TABLE ratings (user INTEGER, item TEXT, rating REAL);"
        "INSERT INTO ratings VALUES (1, 'a', 3), (2, 'b', 4.5)",
        "CREATE TABLE ratings (user, item, rating);"
        "INSERT INTO ratings VALUES (1, 'a', 'x'), ('u', x'00', NULL)",
        "CREATE VIEW v AS SELECT 1 AS user, 2 AS item, 3 AS rating; CREATE TABLE t (x)",
    ):
        connection = sqlite3.connect(":memory:")
        connection.executescript(statements)
        kept.append(connection.serialize())
        connection.close()
    return tuple(kept)


@functools.cache
def arrays() -> tuple[bytes, ...]:
    """Return npy and npz tables."""
    table = np.array([[1, 10, 3.5], [2, 10, 4], [1, 20, 2.5]])
    kept = []
    for array in (
        table,
        table.astype(np.int32),
        np.asfortranarray(table),
        table.astype(">f4"),
        table.astype(str),
    ):
        target = io.BytesIO()
        np.save(target, array)
        kept.append(target.getvalue())
    target = io.BytesIO()
    np.savez(target, ratings=table)
    return (*kept, target.getvalue())


# The wide layout -----------------------------------------------------------------------------------------

WIDE = [
    "user,101,102,103\n1,5,3,\n2,,4,1\n3,2,99,99\n",
    "2,5,3,99\n1,99,4,99\n3,2,1,4\n2,99,2,3\n0,99,99,99\n1,5,99,99\n",
    ",Heat,Alien,Up\nann,5,3,\nbob,,4,NA\ncat,2,-,1\n",
    "5,4\n3,2\n",
]


def make_wide(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    """Return a spoilt table in the wide layout."""
    data = texts.spoilt(rng, rng.choice(WIDE).encode())
    options: dict[str, Any] = {"header": rng.random() < 0.6}
    if rng.random() < 0.4:
        options["missing"] = rng.choice(
            [99, "99", "NA", [], ["NA", "-"], True, None, float("nan"), [None], "", 1e400]
        )
    if rng.random() < 0.3:
        options["user"] = rng.choice([0, 1, 9, -1, True, "user", "nope", "", 1.5])
    if rng.random() < 0.3:
        options["first_column_is_count"] = rng.choice([True, False])
    return data, options, "wide.csv"
