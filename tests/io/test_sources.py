"""Sources: archives, workbooks, wide tables, arrays, standard input, open files."""

from __future__ import annotations

import gzip
import io
import logging
import sqlite3
import sys
import zipfile

import numpy as np
import openpyxl
import polars as pl
import pytest

from foretaste.errors import DataError, InvalidParameterError, MissingDependencyError, NotFoundError
from foretaste.io import read_items, read_pairs, read_ratings, read_ratings_with_report

TEXT = b"userId,movieId,rating\n1,a,3\n2,b,4.5\n"
ROWS = [(1, "a", 3.0), (2, "b", 4.5)]


def rows(ratings) -> list[tuple]:
    columns = (ratings.user_ids, ratings.item_ids, ratings.value)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return packed.getvalue()


def workbook(table, title="Ratings", *more: str) -> bytes:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in table:
        book.active.append(row)
    for other in more:
        book.create_sheet(other)
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


# Packed ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [lambda data: data, gzip.compress, lambda data: archive({"r.csv": data})])
@pytest.mark.parametrize("way", ["path", "open file", "standard input"])
def test_every_source_and_compression(tmp_path, monkeypatch, pack, way):
    path = tmp_path / "whatever.bin"
    path.write_bytes(pack(TEXT))
    if way == "path":
        assert rows(read_ratings(path)) == ROWS
    elif way == "open file":
        with path.open("rb") as file:
            assert rows(read_ratings(file)) == ROWS
    else:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(pack(TEXT))))
        assert rows(read_ratings("-")) == ROWS


def test_text_mode_file_raises(tmp_path):
    path = tmp_path / "r.csv"
    path.write_bytes(TEXT)
    with path.open() as file, pytest.raises(InvalidParameterError, match="opened in text mode"):
        read_ratings(file)


def test_several_members_require_the_member_option(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(
        archive({"set/readme.txt": b"words", "set/u.data": TEXT, "set/items.csv": b"item,title\na,A\n"})
    )
    with pytest.raises(DataError, match=r"set\.zip") as caught:
        read_ratings(path)
    assert 'member="set/u.data"' in caught.value.hint
    assert rows(read_ratings(path, member="u.data")) == ROWS
    assert read_items(path, member="set/items.csv").titles(np.array(["a"], object)) == ["A"]
    assert len(read_pairs(path, member="u.data")) == 2
    with pytest.raises(NotFoundError, match="did you mean"):
        read_ratings(path, member="u.dat")


def test_row_errors_name_the_member(tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(archive({"r.csv": TEXT + b"3,c,x\n"}))
    with pytest.raises(DataError, match=r'set\.zip: r\.csv, line 4: rating is "x", not a number'):
        read_ratings(path)


# Workbooks -------------------------------------------------------------------------------------------


def test_workbook_in_long_layout(tmp_path, caplog):
    path = tmp_path / "ratings.xlsx"
    path.write_bytes(workbook([["user", "item", "rating"], [7, "007", 3], [8, "x", 2.5]], "Ratings", "Notes"))
    with caplog.at_level(logging.INFO, "foretaste"):
        ratings = read_ratings(path)
    assert rows(ratings) == [(7, "007", 3.0), (8, "x", 2.5)]
    assert any("Ratings" in record.getMessage() for record in caplog.records)
    with pytest.raises(NotFoundError, match='did you mean "Ratings"'):
        read_ratings(path, sheet="Rating")
    with pytest.raises(DataError, match="empty"):
        read_ratings(path, sheet="Notes")


def test_row_errors_in_a_workbook_name_sheet_and_row(tmp_path):
    path = tmp_path / "ratings.xlsx"
    path.write_bytes(workbook([["user", "item", "rating"], [7, "a", 3], [8, None, 2], [9, "b", "N/A"]]))
    with pytest.raises(DataError, match='sheet "Ratings", row 4: rating is "N/A", not a number'):
        read_ratings(path)
    found = read_ratings_with_report(path)
    assert rows(found.ratings) == [(7, "a", 3.0)]
    assert {(f.kind, f.row_labels) for f in found.row_errors} == {
        ("missing_id", ('sheet "Ratings", row 3',)),
        ("not_a_number", ('sheet "Ratings", row 4',)),
    }


def test_integer_texts_in_a_worksheet_are_integers(tmp_path):
    path = tmp_path / "ratings.xlsx"
    path.write_bytes(workbook([["user", "item", "rating"], ["7", "a", 3], ["8", "b", 2]]))
    assert read_ratings(path).users.dtype == "int"
    path.write_bytes(workbook([["user", "item", "rating"], ["7", "a", 3], ["08", "b", 2]]))
    assert read_ratings(path).user_ids.tolist() == ["7", "08"]


def test_a_missing_extra_names_its_command(tmp_path, monkeypatch):
    path = tmp_path / "ratings.xlsx"
    path.write_bytes(workbook([["user", "item", "rating"], [7, "a", 3]]))
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(MissingDependencyError) as caught:
        read_ratings(path)
    assert caught.value.hint == 'pip install "foretaste[excel]"'


def test_sheet_of_titles_gets_numbered_items(tmp_path, caplog):
    path = tmp_path / "titles.xlsx"
    path.write_bytes(workbook([["tea"], ["kettle"]]))
    catalogue = read_items(path, header=False)
    assert catalogue.items.ids.tolist() == [1, 2]
    assert catalogue.titles(catalogue.items.ids) == ["tea", "kettle"]
    assert "items numbered from 1 by row" in caplog.text
    with pytest.raises(DataError, match="only ids"):
        read_items(pl.DataFrame({"itemId": [1, 2]}))


# The wide layout -------------------------------------------------------------------------------------

WIDE = "user,10,11,12\nann,3,,-1.5\nbo,,99,0\n"


def test_wide_text_file(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(WIDE)
    ratings = read_ratings(path, layout="wide", missing=99)
    assert rows(ratings) == [("ann", 10, 3.0), ("ann", 12, -1.5), ("bo", 12, 0.0)]
    assert rows(read_ratings(path, layout="wide", missing=99, where="rating < 0")) == [("ann", 12, -1.5)]


def test_wide_tables_without_names_are_numbered_from_one(tmp_path):
    path = tmp_path / "wide.txt"
    path.write_text("0 3 0\n4 0 5\n")
    assert rows(read_ratings(path, layout="wide", missing=0)) == [(1, 2, 3.0), (2, 1, 4.0), (2, 3, 5.0)]


def test_jester_layout_in_a_zipped_workbook(tmp_path, caplog):
    table = [
        [2, 1.5, 99, -3],
        [3, 4, 5.5, -6],
        [1, 99, 2, 99],
        [0, 99, 99, 99],
        [2, 7, 8, 99],
        [1, 99, 99, -9],
    ]
    path = tmp_path / "jester.zip"
    path.write_bytes(archive({"jester.xlsx": workbook(table)}))
    with caplog.at_level(logging.INFO, "foretaste"):
        ratings = read_ratings(path, layout="wide")
    said = " ".join(record.getMessage() for record in caplog.records)
    assert "counts the ratings of its row" in said
    assert "missing=99" in said
    assert len(ratings) == 9
    assert rows(ratings)[:2] == [(1, 1, 1.5), (1, 3, -3.0)]
    assert ratings.users.ids.tolist() == [1, 2, 3, 5, 6]


def test_row_errors_in_a_wide_table_name_row_and_column(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("user,10,11\nann,3,bad\n,4,5\n")
    with pytest.raises(DataError, match='line 2, column "11": the rating is "bad", not a number') as caught:
        read_ratings(path, layout="wide")
    assert caught.value.hint.startswith('missing="bad"')
    found = read_ratings_with_report(path, layout="wide", scale=(1, 5))
    assert rows(found.ratings) == [("ann", 10, 3.0)]
    assert {(f.kind, len(f.rows)) for f in found.row_errors} == {("not_a_number", 1), ("missing_id", 2)}
    assert found.n_rows == 4


def test_two_wide_rows_of_a_user_are_duplicates(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("user,10\nann,3\nann,4\n")
    with pytest.raises(
        DataError, match='rated item 10 more than once: 3 in line 2, column "10", 4 in line 3'
    ):
        read_ratings(path, layout="wide")
    assert read_ratings(path, layout="wide", duplicates="last").value.tolist() == [4]


def test_wide_scale_error_names_the_cell(tmp_path):
    path = tmp_path / "wide.xlsx"
    path.write_bytes(workbook([["user", "x", "y"], ["ann", 3, 7]]))
    with pytest.raises(DataError, match='first: 7 in sheet "Ratings", cell C2'):
        read_ratings(path, layout="wide", scale=(1, 5))


def test_wide_with_a_decimal_comma(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("user;10;11\nann;3,5;-1,25\n")
    assert read_ratings(path, layout="wide", decimal=",").value.tolist() == [3.5, -1.25]


@pytest.mark.parametrize("head", ["", ",".join(f"j{n}" for n in range(14)) + "\n"], ids=["bare", "named"])
def test_a_wide_table_is_not_read_as_a_long_one(tmp_path, head):
    path = tmp_path / "wide.csv"
    path.write_text(head + (",".join(map(str, range(14))) + "\n") * 3)
    with pytest.raises(DataError, match="has 14 columns, none of them recognized") as caught:
        read_ratings(path)
    assert caught.value.hint.startswith('layout="wide"')
    assert len(read_ratings(path, layout="wide", user=0, duplicates="first")) == 13
    assert len(read_ratings(path, user=0, item=1, rating=2, duplicates="first")) == 1


def test_wide_frame():
    frame = pl.DataFrame({"user": [7, 8], "a": [1.0, None], "b": [None, 2.0]})
    assert rows(read_ratings(frame, layout="wide")) == [(7, "a", 1.0), (8, "b", 2.0)]


@pytest.mark.parametrize(
    "options",
    [{"layout": "tall"}, {"missing": 99}, {"first_column_is_count": True}, {"layout": "wide", "rating": "x"}],
)
def test_options_that_do_not_fit_the_layout(tmp_path, options):
    path = tmp_path / "wide.csv"
    path.write_text(WIDE)
    with pytest.raises(InvalidParameterError):
        read_ratings(path, **options)


# Arrays ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("save", [np.save, lambda path, array: np.savez_compressed(path, ratings=array)])
def test_npy_and_npz_files(tmp_path, save):
    path = tmp_path / "kept"
    with path.open("wb") as file:
        save(file, np.array([[9900, 150], [-325, 9900]], np.int16))
    assert rows(read_ratings(path, layout="wide", missing=9900)) == [(1, 2, 150.0), (2, 1, -325.0)]
    with path.open("wb") as file:
        save(file, np.array([[7, 3, 4.5], [8, 3, 2]]))
    assert rows(read_ratings(path)) == [(7, 3, 4.5), (8, 3, 2.0)]


def test_object_arrays_raise(tmp_path):
    path = tmp_path / "kept.npy"
    np.save(path, np.array([[{}]], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="numpy file"):
        read_ratings(path)


# Databases and columns with types ---------------------------------------------------------------------


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE ratings (user INTEGER, item TEXT, rating REAL, at INTEGER)")
        rated = [(7, "007", 3, 100), (8, "b", 2.5, 101), (8, "007", None, 102)]
        connection.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", rated)
    connection.close()
    return path


def test_a_database_by_path_url_and_connection(database):
    expected = [(7, "007", 3.0), (8, "b", 2.5)]
    query = "SELECT * FROM ratings WHERE rating IS NOT NULL"
    assert rows(read_ratings(database, query=query)) == expected
    assert rows(read_ratings(f"sqlite:///{database}", query=query)) == expected
    connection = sqlite3.connect(database)
    assert rows(read_ratings(connection, table="ratings", where="rating IS NOT NULL")) == expected
    connection.close()
    path = database.with_name("packed.zip")
    path.write_bytes(archive({"shop.db": database.read_bytes()}))
    assert rows(read_ratings(path, query=query)) == expected


def test_row_errors_in_a_database_name_the_row(database):
    with pytest.raises(DataError, match="row 3: the rating is missing") as caught:
        read_ratings(database)
    assert caught.value.hint == 'where="rating IS NOT NULL" leaves such rows out'
    found = read_ratings_with_report(database, timestamp="at")
    assert rows(found.ratings) == [(7, "007", 3.0), (8, "b", 2.5)]
    assert found.ratings.timestamp.tolist() == [100, 101]
    assert [(fault.kind, fault.row_labels) for fault in found.row_errors] == [("not_a_number", ("row 3",))]


def test_several_tables_are_listed(database):
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE titles (item TEXT, title TEXT)")
        connection.execute("INSERT INTO titles VALUES ('007', 'Tea')")
    connection.close()
    with pytest.raises(DataError, match="ratings, titles") as caught:
        read_ratings(database)
    assert caught.value.hint.startswith('table="ratings"')
    assert read_items(database, table="titles").titles(np.array(["007"], object)) == ["Tea"]
    assert len(read_pairs(database, table="ratings")) == 3


@pytest.mark.parametrize("write", ["write_parquet", "write_ipc", "write_ipc_stream"])
def test_typed_columns_keep_their_types(tmp_path, write):
    path = tmp_path / "ratings.bin"
    columns = {"user": ["1", "2"], "item": [7, 8], "rating": [1.5, 2.0], "spare": [[1], [2]]}
    getattr(pl.DataFrame(columns), write)(path)
    ratings = read_ratings(path)
    assert (ratings.users.dtype, ratings.items.dtype) == ("str", "int")
    assert rows(read_ratings(path, where="item > 7")) == [("2", 8, 2.0)]
    with path.open("rb") as file:
        assert rows(read_ratings(file)) == rows(ratings)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="truncated or damaged"):
        read_ratings(path)


def test_nullable_integer_ids_raise_instead_of_becoming_floats(tmp_path):
    path = tmp_path / "ratings.parquet"
    pl.DataFrame({"user": [1, None, 3], "item": [7, 8, 9], "rating": [1, 2, 3]}).write_parquet(path)
    with pytest.raises(DataError, match="row 1: the user id is missing"):
        read_ratings(path)
    assert read_ratings_with_report(path).ratings.user_ids.tolist() == [1, 3]


@pytest.mark.parametrize("option", [{"sheet": "A"}, {"table": "t"}, {"query": "SELECT 1"}])
def test_options_of_other_sources_raise(tmp_path, option):
    path = tmp_path / "r.csv"
    path.write_bytes(TEXT)
    for source in (path, pl.DataFrame({"user": [1], "item": [1], "rating": [1]})):
        with pytest.raises(InvalidParameterError, match=f"{next(iter(option))}=.* is for a"):
            read_ratings(source, **option)


# What is none ----------------------------------------------------------------------------------------


def test_xlsb_raises(tmp_path):
    path = tmp_path / "ratings.xlsb"
    path.write_bytes(archive({"[Content_Types].xml": b"<x/>", "xl/workbook.bin": b"\0"}))
    with pytest.raises(DataError, match="is a binary Excel workbook"):
        read_ratings(path)


def test_unsupported_formats_are_named(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_bytes(b"%PDF-1.7 and so on")
    with pytest.raises(DataError, match="is a PDF document"):
        read_ratings(path)
    with pytest.raises(InvalidParameterError, match="not a path, an open file or a data frame"):
        read_ratings(7)
