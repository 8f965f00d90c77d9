"""Fuzzing: minimal inputs that once broke an invariant, each with a note."""

from __future__ import annotations

import corrupt_files as files
import corrupt_models as models
from fuzzing import Case

from foretaste.models import MODELS

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

TABLE = b"user,item,rating\n1,2,3\n2,2,4\n"


def _sheet(row: str) -> bytes:
    """Return an .xlsx whose sheet has one more row, in XML."""
    return files.with_part(files.workbooks()[0], "sheet1.xml", "</sheetData>", f"{row}</sheetData>")


def _circle() -> bytes:
    """Return an .xls whose directory is a chain of sectors that runs in a circle."""
    data = bytearray(files.workbooks()[1])
    table = int.from_bytes(data[0x4C:0x50], "little")
    directory = int.from_bytes(data[0x30:0x34], "little")
    place = 512 * (table + 1) + 4 * directory
    data[place : place + 4] = directory.to_bytes(4, "little")
    return bytes(data)


REGRESSIONS: dict[str, Case] = {
    "a line too long and one too short, behind the columns that are read": Case(
        "survey", b"user,item,rating,note\n1,10,3,x\n2,10,4,y,z\n3,30,5\n", {}
    ),
    "a line too long beside quotes": Case(
        "survey", b'user,item,rating,title,genre\n1,2,3,"a",x\n1,3,4,b,c,y\n1,4,5,c,z\n', {}
    ),
    "stray carriage returns, which became parts of ids": Case(
        "ways", b"1\t10\t3\n\r2\t10\t4\n\r1\t20\t2\n", {}
    ),
    "two byte order marks, of which one became part of an id": Case(
        "ways", b"\xef\xbb\xbf\xef\xbb\xbf1::10::3\n1::20::4\n", {}
    ),
    "an id above 2**63 in the wide layout": Case(
        "file", files.tables()[9], {"layout": "wide"}, "ratings.parquet"
    ),
    "digits of another script, in a condition": Case(
        "ratings", "user,item,rating\n1,2,2.5９\n2,2,4\n".encode(), {"where": "rating > 3"}
    ),
    "a learned number of twenty-two digits": Case(
        "model",
        models.with_learned(models.models()[0], "high_", 2**70),
        {},
        "model.foretaste",
    ),
    "a learned number without its point": Case(
        "model",
        models.with_learned(models.models()[list(MODELS).index("GlobalEffects")], "mean_", 3),
        {},
        "model.foretaste",
    ),
    "a learned flag with a point": Case(
        "model",
        models.with_learned(models.models()[list(MODELS).index("GlobalEffects")], "has_timestamps_", 1.0),
        {},
        "model.foretaste",
    ),
    "one column for two roles": Case("ratings", TABLE, {"rating": 1, "timestamp": "item", "decimal": "."}),
    "a codec that decodes no text": Case("ratings", TABLE, {"encoding": "hex"}),
    "a codec that always fails": Case("items", TABLE, {"encoding": "undefined"}),
    "a codec for names of hosts": Case("pairs", TABLE, {"encoding": "punycode"}),
    "a codec with a zero in its name": Case("pairs", TABLE, {"encoding": "utf-8\0"}),
    "escapes in a text, which warned": Case("items", TABLE + b"\\q\n", {"encoding": "unicode_escape"}),
    "half a character": Case("ratings", TABLE + b"+2AA-,2,3\n", {"encoding": "utf-7"}),
    "a scale in letters": Case("ratings", TABLE, {"scale": "15"}),
    "a member without a name": Case("packed", files.zipped([("", TABLE)]), {}, "ratings.zip"),
    "a condition on an array": Case("file", files.arrays()[0], {"where": "rating > 3"}, "ratings.npy"),
    "a sheet without a header, with text": Case("file", _sheet(""), {"header": False}, "ratings.xlsx"),
    "a stray cell in a row near by": Case(
        "workbook", _sheet('<row r="6"><c r="XFD1048576"><v>1</v></c></row>'), {}, "ratings.xlsx"
    ),
    "a stray cell, in single quotes": Case(
        "workbook", _sheet("<row r='6'><c r='XFD1048576'><v>1</v></c></row>"), {}, "ratings.xlsx"
    ),
    "a stray cell, in small letters": Case(
        "workbook", _sheet('<row r="6"><c r = "xfd1048576"><v>1</v></c></row>'), {}, "ratings.xlsx"
    ),
    "a cell that does not say where it is, far down": Case(
        "workbook",
        _sheet('<row r="1048576"><c><v>1</v></c></row><row r="7"><c r="XFD7"><v>1</v></c></row>'),
        {},
        "ratings.xlsx",
    ),
    "a row beyond the last, which took long": Case(
        "workbook", _sheet('<row r="6"><c r="D16777217"><v>1</v></c></row>'), {}, "ratings.xlsx"
    ),
    "a cell repeated for ever": Case(
        "workbook",
        files.opendocument(
            '<table:table-row><table:table-cell table:number-columns-repeated="200000000" '
            'office:value-type="float" office:value="1"><text:p>1</text:p></table:table-cell>'
            "</table:table-row>"
        ),
        {},
        "ratings.ods",
    ),
    "a sheet without an end, for which its reader looked for ever": Case(
        "workbook",
        files.with_part(files.workbooks()[2], "content.xml", "</table:table>", ""),
        {},
        "ratings.ods",
    ),
    "sectors in a circle, which took all memory": Case("workbook", _circle(), {}, "ratings.xls"),
    "an old workbook cut off, on which its reader panics": Case(
        "workbook", files.workbooks()[1][:4400], {}, "ratings.xls"
    ),
    "an old workbook of eight bytes": Case("workbook", MAGIC, {}, "ratings.xls"),
    "no sheet, asked for by name": Case(
        "workbook",
        files.with_part(files.workbooks()[2], "content.xml", "table:table ", "table:other "),
        {"sheet": "Ratings"},
        "ratings.ods",
    ),
    "a zip archive of version 25.5": Case(
        "workbook",
        files.workbooks()[0].replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\xff"),
        {},
        "a.xlsx",
    ),
    "a table of texts in numpy": Case("file", files.arrays()[4], {}, "ratings.npy"),
}
