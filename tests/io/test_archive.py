"""Archives: detection, members, refused content, and limits of decompression."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_data import data_file

from foretaste.errors import DataError, ForetasteError, NotEnoughMemoryError, NotFoundError
from foretaste.io import archive, read_ratings
from foretaste.io.archive import FILE_FORMATS, detect_kind, unpack

HERE = Path("folder/ratings.zip")
TEXT = b"user,item,rating\n1,10,3\n2,10,4\n"


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as opened:
        for name, data in files.items():
            opened.writestr(name, data)
    return target.getvalue()


def refused(data: bytes, kind: type[ForetasteError] = DataError, **options) -> ForetasteError:
    with pytest.raises(kind) as caught:
        unpack(data, HERE, **options)
    assert str(HERE) in caught.value.message or "member" in caught.value.message
    return caught.value


def test_uncompressed_bytes_are_unchanged():
    assert unpack(TEXT, HERE) == (TEXT, "text", "ratings.zip")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_of_one_file(method):
    packed = zipped({"data/": b"", "data/u.data": TEXT}, method)
    assert unpack(packed, HERE) == (TEXT, "text", "ratings.zip: data/u.data")


def test_operating_system_files_are_ignored():
    junk = [
        "__MACOSX/._a.csv",
        "__MACOSX/x/b",
        ".DS_Store",
        "d/.DS_Store",
        "d/Thumbs.db",
        "desktop.ini",
        "d/._a",
    ]
    assert unpack(zipped(dict.fromkeys(junk, b"junk") | {"a.csv": TEXT}), HERE).data == TEXT
    error = refused(zipped(dict.fromkeys(junk, b"junk")))
    assert "without files" in error.message


def test_several_members_are_listed_and_one_suggested():
    files = {"ml/README": b"x" * 9000, "ml/u.data": TEXT, "ml/u.item": b"1|x\n" * 900, "ml/small.csv": b"1"}
    error = refused(zipped(files))
    assert "contains 4 files" in error.message
    assert "ml/README   9.0 kB" in error.where
    assert error.hint == 'member="ml/u.data"'
    ratings = {"x/movies.csv": b"1" * 5000, "x/ratings.csv": TEXT, "x/about-ratings.txt": b"2" * 9000}
    assert refused(zipped(ratings)).hint == 'member="x/ratings.csv"'
    many = refused(zipped({f"{n}.txt": b"1" for n in range(14)}))
    assert "9.txt" in many.where
    assert "10.txt" not in many.where
    assert many.where.endswith("and 4 files more")


def test_suggested_member_works():
    packed = zipped({"ml/README": b"x" * 9000, "ml/u.data": TEXT})
    member = refused(packed).hint.split('"')[1]
    assert unpack(packed, HERE, member=member).data == TEXT


def test_members_by_full_and_by_base_name():
    packed = zipped({"a/r.csv": TEXT, "b/r.csv": b"other", "b/s.csv": b"third"})
    assert unpack(packed, HERE, member="b/r.csv").data == b"other"
    assert unpack(packed, HERE, member="s.csv").name == "ratings.zip: b/s.csv"
    error = refused(packed, member="r.csv")
    assert "2 files called 'r.csv'" in error.message
    assert error.hint in ('member="a/r.csv"', 'member="b/r.csv"')
    assert 'did you mean "b/s.csv"?' in refused(packed, NotFoundError, member="b/z.csv").message
    deep = zipped({"a/long/way/down/ratings.csv": TEXT, "b": b""})
    assert 'did you mean "ratings.csv"?' in refused(deep, NotFoundError, member="rating.csv").message


def test_a_full_name_wins_over_base_names():
    packed = zipped({"d/r.csv": b"deep", "r.csv": TEXT})
    assert unpack(packed, HERE, member="r.csv").data == TEXT


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile warns about this; it is intended
def test_two_files_of_the_same_full_name():
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        opened.writestr("r.csv", TEXT)
        opened.writestr("r.csv", b"other")
    assert "2 files called 'r.csv'" in refused(target.getvalue(), member="r.csv").message


def test_member_of_a_non_zip_raises():
    assert "is not one" in refused(TEXT, member="r.csv").message
    assert "is not one" in refused(gzip.compress(TEXT), member="r.csv").message


def test_names_never_touch_the_disk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    packed = zipped({"../../evil.csv": TEXT})
    assert unpack(packed, HERE).data == TEXT
    assert list(tmp_path.iterdir()) == []
    assert not (tmp_path.parent.parent / "evil.csv").exists()


@pytest.mark.parametrize("inner", [gzip.compress(TEXT), zipped({"r.csv": TEXT})], ids=["gzip", "zip"])
@pytest.mark.parametrize("outer", [gzip.compress, lambda data: zipped({"inner": data})])
def test_one_level_of_nesting(inner, outer):
    assert unpack(outer(inner), HERE)[:2] == (TEXT, "text")
    assert "compressed more than twice" in refused(outer(outer(inner))).message


def test_several_files_in_an_inner_archive():
    error = refused(zipped({"inner.zip": zipped({"a.csv": TEXT, "b.csv": TEXT})}))
    assert "inner.zip contains 2 files in a nested archive" in error.message
    assert error.hint == f"unzip {HERE}: inner.zip, and read one of its files"


def test_concatenated_gzip_streams():
    assert unpack(gzip.compress(TEXT) + gzip.compress(b"more") + b"\0" * 20, HERE).data == TEXT + b"more"


def test_corrupt_archive_names_the_command_to_test_it():
    packed = zipped({"r.csv": TEXT * 300})
    broken = bytearray(packed)
    broken[60] ^= 0xFF
    stored = bytearray(zipped({"r.csv": TEXT}, zipfile.ZIP_STORED))
    stored[stored.index(b"1,10")] = ord("7")
    for data in (packed[:40], packed[:-30], bytes(broken), bytes(stored), b"PK\x03\x04", b"PK\x03\x04 etc."):
        error = refused(data)
        assert "zip archive that is truncated or damaged" in error.message
        assert error.hint == f"download it again; test it with: unzip -t {HERE}"


@given(st.data())
def test_any_corruption_raises_or_gives_the_right_bytes(data):
    packed = bytearray(
        zipped({"r.csv": TEXT * 9}) if data.draw(st.booleans()) else gzip.compress(TEXT * 9, mtime=0)
    )
    for _ in range(data.draw(st.integers(1, 3))):
        packed[data.draw(st.integers(4, len(packed) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(packed)))
    try:
        result = unpack(bytes(packed[:cut]), HERE)
    except ForetasteError:
        return
    assert result.data == TEXT * 9


def test_encrypted_archive_raises():
    packed = bytearray(zipped({"r.csv": TEXT}))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    error = refused(bytes(packed))
    assert "r.csv is encrypted" in error.message
    assert "password" in error.hint


@pytest.mark.parametrize(("method", "name"), [(zipfile.ZIP_BZIP2, "bzip2"), (zipfile.ZIP_LZMA, "lzma")])
def test_other_compression_methods_raise(method, name):
    assert f"compressed with {name}" in refused(zipped({"r.csv": TEXT}, method)).message


# Bombs ---------------------------------------------------------------------------------------------


@pytest.fixture
def low(monkeypatch):
    """Lower the limit, so that a bomb need not be large."""
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 1_000_000)
    monkeypatch.setattr(archive, "CHUNK_SIZE", 1 << 16)


class Counted(io.BytesIO):
    most = 0

    def write(self, piece):
        size = super().write(piece)
        Counted.most = max(Counted.most, self.tell())
        return size


@pytest.mark.parametrize("lie", [False, True])
def test_zip_bombs_are_refused_before_decompression(low, monkeypatch, lie):
    zeros = b"0" * 20_000_000
    packed = bytearray(zipped({"r.csv": zeros}))
    if lie:
        entry = packed.index(b"PK\x01\x02")
        assert struct.unpack_from("<I", packed, entry + 24) == (len(zeros),)
        struct.pack_into("<I", packed, entry + 24, 700_000)
    monkeypatch.setattr(archive.io, "BytesIO", Counted)
    Counted.most = 0
    error = refused(bytes(packed))
    if lie:  # it is decompressed up to its declared size only, and then its checksum does not match
        assert "damaged" in error.message
        assert Counted.most <= 700_000
    else:
        assert "to 20.0 MB" in error.message
        assert Counted.most == 0


def test_gzip_bomb_is_stopped_while_decompressing(low, monkeypatch):
    packed = gzip.compress(b"0" * 20_000_000)
    monkeypatch.setattr(archive.io, "BytesIO", Counted)
    Counted.most = 0
    assert "to more than" in refused(packed).message
    assert Counted.most < 200 * len(packed) + 2 * archive.CHUNK_SIZE


def test_high_but_plausible_compression_is_read(low):
    rows = b"".join(b"%d,%d,%d\n" % (n, n * 7, n % 5) for n in range(100_000))
    assert len(rows) > archive.MAX_UNPACKED_BYTES
    assert unpack(gzip.compress(rows), HERE).data == rows
    assert unpack(zipped({"r.csv": rows}), HERE).data == rows


@pytest.mark.parametrize("pack", [gzip.compress, lambda data: zipped({"r.csv": data})])
def test_archive_beyond_memory_raises(monkeypatch, pack):
    monkeypatch.setattr("foretaste._utils.memory.available_bytes", lambda: 1_000_000)
    rows = b"".join(b"%d,%d\n" % (n, n * 7919 % 10007) for n in range(200_000))
    assert "1.0 MB are available" in refused(pack(rows), NotEnoughMemoryError).message


# Kinds ---------------------------------------------------------------------------------------------


def test_kinds_are_detected_by_first_bytes():
    workbook = zipped({"xl/worksheets/sheet1.xml": b"", "xl/workbook.xml": b"", "[Content_Types].xml": b""})
    document = zipped({"mimetype": b"application/vnd.oasis.opendocument.spreadsheet", "content.xml": b""})
    letter = zipped({"mimetype": b"application/vnd.oasis.opendocument.text", "content.xml": b""})
    assert detect_kind(workbook) == "xlsx"
    assert detect_kind(document) == "ods"
    assert detect_kind(letter) == "zip"
    assert detect_kind(zipped({"[Content_Types].xml": b"", "word/document.xml": b""})) == "zip"
    assert detect_kind(zipped({})) == "zip"
    assert detect_kind(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") == "xls"
    assert detect_kind(b"SQLite format 3\0...") == "sqlite"
    assert detect_kind(b"x" * 257 + b"ustar\0") == "tar"
    for data in (TEXT, b"", b"PK", b"Players,item\n", b"\xef\xbb\xbfuser,item"):
        assert detect_kind(data) == "text"


def test_a_workbook_in_an_archive_keeps_its_kind():
    workbook = zipped({"xl/workbook.xml": b"", "[Content_Types].xml": b""})
    assert unpack(zipped({"ratings.xlsx": workbook}), HERE) == (
        workbook,
        "xlsx",
        "ratings.zip: ratings.xlsx",
    )


def test_every_kind_has_a_description_and_a_hint():
    for kind in {*archive._MAGIC.values(), "xlsx", "ods", "tar"}:
        what, hint = FILE_FORMATS[kind]
        assert what.startswith(("a", "compressed"))
        assert hint.format(name="x")


# Read as ratings -----------------------------------------------------------------------------------


def test_a_zipped_text_is_read_as_ratings(tmp_path):
    path = tmp_path / "ratings.csv"  # whatever its name
    path.write_bytes(zipped({"r.csv": TEXT}))
    assert read_ratings(path).value.tolist() == [3, 4]
    path.write_bytes(zipped({"r.pdf": b"%PDF-1.4"}))
    with pytest.raises(DataError, match=r"ratings\.csv: r\.pdf is a PDF document,"):
        read_ratings(path)


@pytest.mark.dataset
def test_jester_archives():
    path = data_file("jester1/jester_dataset_1_1.zip")
    data, kind, name = unpack(path, path)
    assert (len(data), kind, name) == (16_086_528, "xls", "jester_dataset_1_1.zip: jester-data-1.xls")
    path = data_file("jester1/jester_dataset_1_joke_texts.zip")
    with pytest.raises(DataError, match="contains 100 files"):
        unpack(path, path)
    assert unpack(path, path, member="init7.html").kind == "text"
    path = data_file("jester4/jester_dataset_4_ratings.xlsx")
    assert unpack(path, path)[1:] == ("xlsx", path.name)
