"""Reading ratings, pairs and items: accepted input, logged inferences, errors and their fixes."""

from __future__ import annotations

import csv
import gzip
import io
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from foretaste.column_roles import column_role
from foretaste.errors import DataError, ForetasteError, InvalidParameterError, NotFoundError
from foretaste.ids import IdIndex
from foretaste.io import encode_file_pairs, read_items, read_pairs, read_ratings

HEAD = "userId,movieId,rating\n"


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "ratings.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, logger="foretaste")
    return lambda level=None: [r.getMessage() for r in caplog.records if level in (None, r.levelname)]


def rows(ratings) -> list[tuple]:
    return list(
        zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), ratings.value.tolist(), strict=True)
    )


def refusal(path: Path, kind: type[ForetasteError] = DataError, **options) -> ForetasteError:
    with pytest.raises(kind) as caught:
        read_ratings(path, **options)
    return caught.value


THREE = [(1, 10, 3.5), (2, 10, 0.0), (1, 20, -4.25)]


# Layouts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", "\t", "::", "|", ";", ", ", "~"])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_headers_and_line_ends(file, separator, header, end):
    lines = [separator.join(map(str, row)) for row in THREE]
    lines = [separator.join(("user", "item", "rating")), *lines] if header else lines
    told = {"separator": separator} if separator == "~" else {}
    assert rows(read_ratings(file(end.join(lines) + end), **told)) == THREE


@pytest.mark.parametrize(
    "text", ["1 10 3.5\n2 10 0\n1 20 -4.25", "  1   10\t3.5 \n\t2 10  0\n1 20 -4.25\t\n\n"]
)
def test_whitespace_is_stripped(file, text):
    assert rows(read_ratings(file(text))) == THREE


def test_gzip_is_detected_by_its_first_bytes(file):
    plain = (HEAD + "1,2,3\n").encode()
    assert rows(read_ratings(file(gzip.compress(plain), "packed.csv"))) == [(1, 2, 3)]
    assert rows(read_ratings(file(plain, "plain.csv.gz"))) == [(1, 2, 3)]


def test_byte_order_mark_blank_lines_and_spare_columns(file):
    text = "\ufeffrating,age,item,user\n\n3.5,,10,1\n\n0,31,10,2\n-4.25,8,20,1\n\n \n"
    assert rows(read_ratings(file(text))) == THREE


def test_encodings(file):
    text = HEAD + "é,2,3\n"
    for encoding in ("utf-8", "latin-1", "utf-16", "cp1252"):
        assert rows(read_ratings(file(text.encode(encoding)), encoding=encoding)) == [("é", 2, 3)]


def test_quoted_fields(file):
    text = 'user,item,rating\n"a,b","say ""x""",1\n"two\nlines",y,2\n'
    assert rows(read_ratings(file(text))) == [("a,b", 'say "x"', 1), ("two\nlines", "y", 2)]


def test_quotes_inside_fields_are_literal(file):
    text = 'user,item,rating\nx,5" pipe,3\ny,6" pipe 7" x,4\nz,d,3\n'
    assert read_ratings(file(text)).items.ids.tolist() == ['5" pipe', '6" pipe 7" x', "d"]
    assert rows(read_ratings(file('a::"b::1\nc::d::2\n'))) == [("a", '"b', 1), ("c", "d", 2)]


# Columns -------------------------------------------------------------------------------------------


def test_inferences_are_logged(file, said):
    read_ratings(file(HEAD + "1,2,3\n"))
    assert said("INFO") == [
        "ratings.csv: separator comma, a header   (override: separator=..., header=...)",
        "columns: user=userId item=movieId rating=rating   (override: user=..., item=..., rating=...)",
    ]
    assert said("WARNING") == []


def test_explicit_options_log_nothing(file, said):
    read_ratings(
        file(HEAD + "1,2,3\n"), user="userId", item="movieId", rating="rating", separator=",", header=True
    )
    read_ratings(file("1,2,3\n"), user=0, item=1, rating=2, separator=",", header=False)
    assert said() == []


def test_missing_header_is_logged(file, said):
    ratings = read_ratings(file("1\t2\t3\t881250949\n"))
    assert ratings.timestamp.tolist() == [881250949]
    assert said("WARNING") == [
        "ratings.csv: no header; columns are read by position: user=1st item=2nd rating=3rd timestamp=4th   "
        "(override: user=0, item=1, rating=2, timestamp=3, or header=True)"
    ]


def test_unusual_names_are_read_by_position_and_logged(file, said):
    assert rows(read_ratings(file("klant,artikel,cijfer\n1,2,3\n"))) == [(1, 2, 3)]
    assert said("WARNING")[0].startswith(
        "ratings.csv: no usual column name for user, item, rating; "
        "read by position: user=klant item=artikel rating=cijfer"
    )
    assert rows(read_ratings(file("user,thing,rating\n1,2,3\n"))) == [(1, 2, 3)]
    assert "item=thing" in said("WARNING")[1]
    assert read_ratings(file("a,b,c,d\n1,2,3,2020-01-02\n")).timestamp.tolist() == [1577923200]
    assert read_ratings(file("a,b,c,d\n1,2,3,x\n")).timestamp is None


def test_five_columns_with_unusual_names_raise(file):
    error = refusal(file("a,b,c,d,e\n1,2,3,4,5\n"))
    assert error.where == "columns are: a, b, c, d, e"
    assert error.hint == 'name the column: user="a", item="b", rating="c"'
    assert refusal(file("a,user,c,d,e\n1,2,3,4,5\n")).hint == 'name the column: item="a", rating="c"'


@pytest.mark.parametrize(
    "text",
    ["Bob,Time,4\nAnn,Game,3\n", "5,6,N/A\n5,7,3\n", "u1;j1;3,5\nu2;j1;2,5\n"],
    ids=["a usual name", "no number as rating", "decimal comma"],
)
def test_data_rows_are_not_mistaken_for_a_header(file, text, said):
    try:
        found = f"{len(read_ratings(file(text)))} rows"
    except DataError as error:
        found = error.message
    assert found == "2 rows" or "line 1:" in found
    assert "no header" in said("WARNING")[0]


def test_columns_by_name_and_position(file):
    text = "rating,x,y,z\n1,2,3,4\n"
    assert rows(read_ratings(file(text), user="y", item="z")) == [(3, 4, 1)]
    assert rows(read_ratings(file(text), user=1, item=2, rating=3)) == [(2, 3, 4)]
    assert rows(read_ratings(file("5;1;9\n4;2;9\n"), user=1, rating=0)) == [(1, 9, 5), (2, 9, 4)]
    ratings = read_ratings(file("user,item,rating,w\n1,2,3,0.5\n"), weight="w")
    assert ratings.weight.tolist() == [0.5]


def test_invalid_column_options_raise(file):
    path = file(HEAD + "1,2,3\n")
    error = refusal(path, rating="raiting")
    assert error.message == 'no column "raiting" (requested as rating); did you mean "rating"?'
    assert error.where == "columns are: userId, movieId, rating"
    assert "no column at position 3" in refusal(path, user=3).message
    assert "neither a column name nor a position" in refusal(path, InvalidParameterError, user=1.5).message
    assert refusal(file("1,2,3\n"), user="u").hint == "header=True (or a position from 0, such as 0)"
    error = refusal(file("user,item,rating,rating\n1,2,3,4\n"))
    assert 'columns are called "rating"' in error.message
    assert rows(read_ratings(file("user,item,rating,rating\n1,2,3,4\n"), rating=3)) == [(1, 2, 4)]


@pytest.mark.parametrize(
    ("options", "name"),
    [({"separator": ""}, "separator"), ({"separator": "\n"}, "separator"), ({"header": 1}, "header")],
)
def test_arguments_are_validated(file, options, name):
    assert name in refusal(file(HEAD + "1,2,3\n"), InvalidParameterError, **options).message


def test_source_is_a_path_or_a_frame():
    with pytest.raises(InvalidParameterError, match="source=int"):
        read_ratings(5)


# Ids and times -------------------------------------------------------------------------------------


def test_ids_are_numbers_only_if_all_are_canonical(file, said):
    assert read_ratings(file(HEAD + "10,2,3\n9,2,4\n")).users.ids.tolist() == [9, 10]
    for odd in ("007", "+7", "-7", "7.0", " 7", "1_0", "９", "x", "9" * 19):
        assert read_ratings(file(HEAD + f"10,2,3\n{odd},2,4\n")).users.ids.tolist() == sorted(["10", odd])
    assert "user ids are read as text: 1 of 2 are not plain integers (first: '007' in line 3)" in said("INFO")


def test_a_text_id_in_the_last_of_many_rows(file):
    text = HEAD + "".join(f"{row},1,3\n" for row in range(3000)) + "x7,1,3\n"
    ratings = read_ratings(file(text))
    assert ratings.users.dtype == "str"
    assert ratings.items.dtype == "int"
    assert ratings.user_ids[[0, 2999, 3000]].tolist() == ["0", "2999", "x7"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("86400", 86400),
        ("1577934245.0", 1577934245),
        ("2020-01-02", 1577923200),
        ("2020-01-02 03:04", 1577934240),
        ("2020-01-02T03:04:05", 1577934245),
        ("2020-01-02T03:04:05.75Z", 1577934245),
        ("2020-01-02 04:04:05+01:00", 1577934245),
        ("1969-12-31", -86400),
    ],
)
def test_timestamp_formats(file, text, seconds):
    ratings = read_ratings(file(f"user,item,rating,time\n1,2,3,{text}\n1,3,3,{text}\n"))
    assert ratings.timestamp.tolist() == [seconds, seconds]


def test_inferred_timestamps_that_are_none_are_dropped_and_logged(file, said):
    text = "user,item,rating,date\n1,2,3,2020-01-02\n1,3,3,yesterday\n"
    assert read_ratings(file(text)).timestamp is None
    assert said("WARNING")[0].startswith('ratings.csv, line 3: date is "yesterday", neither integer seconds')
    assert refusal(file(text), timestamp="date").where == "3 | 1,3,3,yesterday"


def test_milliseconds_are_logged(file, said):
    read_ratings(file("user,item,rating,time\n1,2,3,1577934245000\n"))
    assert said("WARNING") == ["ratings.csv: time is read as seconds since 1970, but looks like milliseconds"]


# Refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "message", "where", "hint"),
    [
        ("1,2,3\n1,3,N/A\n", 'line 3: rating is "N/A", not a number', "3 | 1,3,N/A", "rating <> 'N/A'"),
        ("1,2,3\n1,3,\n", "line 3: the rating is missing", "3 | 1,3,", "rating IS NOT NULL"),
        (
            "1,2,NaN\n1,3,4\n",
            'line 2: rating is "NaN", not a finite number',
            "2 | 1,2,NaN",
            "rating <> 'NaN'",
        ),
        ("1,2,4\n\n1,3,-inf\n", 'line 4: rating is "-inf", not a finite', "4 | 1,3,-inf", "rating <> '-inf'"),
        ("1,2,it's\n1,3,4\n", """line 2: rating is "it's", not a""", "2 | 1,2,it's", "rating <> 'it''s'"),
        ("1,2,4\n,3,4\n", "line 3: the user id is missing", "3 | ,3,4", "userId IS NOT NULL"),
        ('1,2,4\n"",3,4\n', "line 3: the user id is missing", '3 | "",3,4', "userId IS NOT NULL"),
        ("1,2,4\n1,,4\n", "line 3: the item id is missing", "3 | 1,,4", "movieId IS NOT NULL"),
    ],
)
def test_invalid_cells_are_located_and_the_hint_works(file, lines, message, where, hint):
    path = file(HEAD + lines)
    error = refusal(path)
    assert error.message.startswith(f"ratings.csv, {message}")
    assert error.where == where
    assert error.hint == f'where="{hint}" leaves such lines out'
    assert len(read_ratings(path, where=hint)) == 1


def test_many_invalid_cells_are_counted(file):
    error = refusal(file(HEAD + "1,2,3\n1,3,N/A\n2,2,-\n2,3,\n3,3,N/A\n"))
    assert error.where == "3 | 1,3,N/A\n  4 lines are like this (first: 3, 4, 5)"
    assert error.hint == "where=\"rating NOT IN ('N/A', '-')\" leaves such lines out"


def test_lines_after_a_record_of_several_lines(file):
    error = refusal(file('user,item,rating\n"a\nb",x,1\n\nc,y,oh\n'))
    assert error.message.startswith("ratings.csv, line 5:")
    assert error.where == "5 | c,y,oh"


@pytest.mark.parametrize(
    "text",
    ["a;b;3,5\nc;d;4,5\n", 'user,item,rating\na,b,"3,5"\nc,d,"4,5"\n', "a b 3,5\nc d 4,5\n"],
)
def test_decimal_commas_raise_and_the_hint_works(file, text):
    path = file(text)
    error = refusal(path)
    assert "with a decimal comma" in error.message
    assert error.hint == 'decimal=","'
    assert rows(read_ratings(path, decimal=",")) == [("a", "b", 3.5), ("c", "d", 4.5)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + "1,2,3\n1,3,4,5\n", "ratings.csv, line 3: 4 fields, most lines have 3"),
        (HEAD + "1,2,3\n\n1,3\n", "ratings.csv, line 4: 2 fields, most lines have 3"),
        ("1::2::3\n1::3\n", "ratings.csv, line 2: 2 fields, most lines have 3"),
        ("1 2 3\n1 3 4 5\n", "ratings.csv, line 2: 4 fields, most lines have 3"),
        ('user,item,rating,x\n"a",b,3,y\n"c",d,3\n', "ratings.csv, line 3: 3 fields, most lines have 4"),
        ("user,item,rating,x\na,b,3,y\nc,d,3\n", "ratings.csv, line 3: 3 fields, most lines have 4"),
        (HEAD + '1,"2,3\n1,3,4\n', "ratings.csv, line 2: 2 fields, most lines have 3"),
    ],
)
def test_ragged_lines_raise(file, text, message):
    assert refusal(file(text)).message == message


@pytest.mark.parametrize("header", [None, True, False])
def test_title_line_above_the_table(file, header):
    path = file("Exported on Monday\n1,2,3\n1,3,4\n")
    assert refusal(path, header=header).message == "ratings.csv, line 1: 1 field, most lines have 3"


def test_ragged_lines_that_balance_each_other(file):
    assert "line 2: 4 fields" in refusal(file("1,2,3\n1,3,4,5\n1,9\n")).message


def test_unclosed_quote_is_suggested(file):
    assert "never closed" in refusal(file(HEAD + '1,"2,3\n1,3,4\n')).hint
    endless = HEAD + '1,"2,3\n' + "1,2,3\n" * 40_000
    error = refusal(file(endless))
    assert "line 2" in error.message
    assert "never closed" in error.hint


def test_duplicate_and_scale_errors_name_their_lines(file):
    path = file(HEAD + "1,2,3\n\n1,2,4\n5,5,9\n")
    error = refusal(path)
    assert error.message.startswith(
        "ratings.csv: user 1 rated item 2 more than once: 3 in line 2, 4 in line 4 "
    )
    assert rows(read_ratings(path, duplicates="last")) == [(1, 2, 4), (5, 5, 9)]
    assert "(first: 9 in line 5)" in refusal(path, duplicates="last", scale=(1, 5)).message
    assert read_ratings(path, duplicates="last", scale=(1, 9)).scale == (1, 9)
    weighted = file("user,item,rating,w\n1,2,3,1\n2,2,3,-1\n")
    assert "weight in line 3 is -1" in refusal(weighted, weight="w").message


@pytest.mark.parametrize("content", ["", "\n \n\t\n", gzip.compress(b"")], ids=["empty", "blank", "gzip"])
def test_empty_files_raise(file, content):
    assert "is empty" in refusal(file(content)).message


def test_header_without_rows_raises(file):
    error = refusal(file(HEAD))
    assert error.message == "ratings.csv has a header but no ratings"


def test_corrupt_gzip_raises(file):
    packed = gzip.compress((HEAD + "".join(f"{n},{n},3\n" for n in range(5000))).encode())
    for damaged in (packed[:-20], packed[:100], packed[:60] + b"oops" + packed[64:]):
        assert "gzip file that is truncated or damaged" in refusal(file(damaged)).message


def test_wrong_encoding_raises(file):
    error = refusal(file((HEAD + "1,2,3\né,2,3\n").encode("latin-1")))
    assert "line 3: byte 0xe9 is not utf-8 text" in error.message
    assert error.hint == 'encoding="latin-1"'
    assert refusal(file(HEAD.encode("utf-16"))).hint == 'encoding="utf-16"'
    assert 'did you mean "utf-8"?' in refusal(file(HEAD), InvalidParameterError, encoding="utf8x").message


@pytest.mark.parametrize(
    ("start", "what"),
    [(b"PK\x03\x04", "zip"), (b"PAR1", "Parquet"), (b"SQLite format 3\0", "SQLite"), (b"1,2\0,3", "zero")],
)
def test_binary_files_raise(file, start, what):
    assert what in refusal(file(start + b" etc.")).message


def test_missing_files_and_folders_raise(file, tmp_path):
    file("x", "ratings.csv")
    error = refusal(tmp_path / "raitings.csv", NotFoundError)
    assert 'did you mean "ratings.csv"?' in error.message
    assert refusal(tmp_path / "no" / "such.csv", NotFoundError).hint == f"ls {tmp_path / 'no'}"
    error = refusal(tmp_path)
    assert "is a folder, not a file" in error.message
    assert error.where == "it contains: ratings.csv"


def test_missing_separator_raises(file):
    error = refusal(file("hello\nworld\n"))
    assert "no separator was recognized" in error.message
    assert error.where == "1 | hello"


# Conditions ----------------------------------------------------------------------------------------


def test_conditions_see_all_columns_with_their_types(file):
    text = "userId,itemId,rating,age,town\n9,a,3,30,Ghent\n10,a,4,,Delft\n11,b,0.5,8,Delft\n"
    path = file(text)
    for condition, expected in [
        ("userId >= 10", [10, 11]),
        ("user >= 10", [10, 11]),
        ("rating < 1 or town = 'Ghent'", [9, 11]),
        ("age > 8", [9]),
        ("age IS NULL", [10]),
        ("town <> 'user' and User < 11", [9, 10]),
        ("item = 'a'", [9, 10]),
    ]:
        assert read_ratings(path, where=condition).users.ids.tolist() == expected, condition


def test_conditions_on_a_file_without_header(file):
    assert rows(read_ratings(file("1::2::3\n2::2::4\n"), where="userId > 1")) == [(2, 2, 4)]


def test_id_type_is_inferred_after_the_condition(file):
    path = file(HEAD + "7,1,3\nx,1,3\n")
    assert read_ratings(path, where="userId <> 'x'").users.dtype == "int"


def test_invalid_conditions_raise(file):
    path = file(HEAD + "1,2,3\n")
    assert 'did you mean "userId"?' in refusal(path, InvalidParameterError, where="usrId > 3").message
    assert "cannot be parsed" in refusal(path, InvalidParameterError, where="userId >").message
    assert "no row satisfies" in refusal(path, where="userId > 3").message


def test_line_numbers_are_of_the_file_despite_conditions(file):
    path = file(HEAD + "1,2,3\n2,2,3\n3,2,N/A\n")
    assert "line 4" in refusal(path, where="userId >= 2").message


# Frames --------------------------------------------------------------------------------------------

COLUMNS = {"userId": [7, 8, 7], "movieId": ["a", "b", "b"], "rating": [1.5, 0.0, -3.0]}


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, lambda c: pl.DataFrame(c).to_arrow()])
def test_frames_are_read(make):
    frame = make(COLUMNS)
    expected = [(7, "a", 1.5), (8, "b", 0), (7, "b", -3)]
    assert rows(read_ratings(frame)) == expected
    assert rows(read_ratings(frame, user=0, item="movieId")) == expected
    assert rows(read_ratings(frame, where="user = 7 and movieId <> 'a'")) == [(7, "b", -3)]


def test_frames_keep_their_types():
    frame = pl.DataFrame(
        {"user": ["1", "2"], "item": pl.Series(["x", "y"], dtype=pl.Categorical), "rating": [1, 2]}
    )
    assert rows(read_ratings(frame)) == [("1", "x", 1), ("2", "y", 2)]
    frame = pd.DataFrame(
        {"user": [1, 2], "item": [3, 4], "rating": [1, 2], "when": pd.to_datetime(["1970-01-02"] * 2)}
    )
    assert read_ratings(frame).timestamp.tolist() == [86400, 86400]


def test_invalid_frames_raise():
    with pytest.raises(DataError, match="mixes numbers and text"):
        read_ratings(pd.DataFrame({"user": [1, "1"], "item": [1, 2], "rating": [1, 2]}))
    with pytest.raises(DataError, match="row 1: the user id is missing"):
        read_ratings(pl.DataFrame({"user": ["a", None], "item": [1, 2], "rating": [1, 2]}))
    with pytest.raises(DataError, match="no column for the rating"):
        read_ratings(pd.DataFrame({"user": [1], "item": [1]}))
    with pytest.raises(DataError, match="no ratings"):
        read_ratings(
            pl.DataFrame(
                {"user": [], "item": [], "rating": []},
                schema=dict.fromkeys(("user", "item", "rating"), pl.Int64),
            )
        )


# Items ---------------------------------------------------------------------------------------------


def test_read_items_reads_titles_and_features(file):
    catalogue = read_items(file('jokeId,jokeText,year\n10,"Two\nlines, ""quoted""",\n9,Nine,2020\n'))
    assert catalogue.items.ids.tolist() == [9, 10]
    assert catalogue.title == "jokeText"
    assert catalogue.columns["jokeText"].tolist() == ["Nine", 'Two\nlines, "quoted"']
    assert catalogue.columns["year"].tolist() == ["2020", ""]


@pytest.mark.parametrize(
    ("text", "item", "title"),
    [
        ("id,naam\n1,a\n2,b\n", "id", "naam"),
        ("joke,jokeId\na,1\nb,2\n", "jokeId", "joke"),
        ("genre,title,movieId\nx,a,1\nx,b,2\n", "movieId", "title"),
        ("1|a|x\n2|b|y\n", "column_1", "column_2"),
        ("code;Bezeichnung\n1;a\n2;b\n", "code", "Bezeichnung"),
    ],
)
def test_item_columns_are_inferred(file, text, item, title, said):
    catalogue = read_items(file(text))
    assert catalogue.items.ids.tolist() == [1, 2]
    assert catalogue.columns[catalogue.title].tolist() == ["a", "b"]
    assert f"item={item} title={title}" in said()[-1]


def test_item_column_options(file):
    path = file("a,b,c\n1,2,3\n4,5,6\n")
    catalogue = read_items(path, item="b", title=2)
    assert (catalogue.items.ids.tolist(), catalogue.titles(catalogue.items.ids)) == ([2, 5], ["3", "6"])
    with pytest.raises(DataError, match="both item and title"):
        read_items(path, item="b", title="b")
    with pytest.raises(DataError, match='no column "d"'):
        read_items(path, title="d")


def test_invalid_items_raise(file):
    with pytest.raises(DataError, match="line 2: item 1 occurs 2 times"):
        read_items(file("id,title\n1,a\n2,b\n1,c\n"))
    with pytest.raises(DataError, match="line 3: the item id is missing"):
        read_items(file("id,title\n1,a\n,c\n"))


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_items_from_frames(make):
    catalogue = read_items(make({"movieId": [2, 1], "title": ["b", "a"], "year": [1990, 2000]}))
    assert catalogue.titles(np.array([1, 2, 3])) == ["a", "b", None]
    assert catalogue.columns["year"].tolist() == ["2000", "1990"]


# Pairs ---------------------------------------------------------------------------------------------

NUMBERS = IdIndex(np.array([7, 10]))
TEXTS = IdIndex(np.array(["07", "a"], dtype=object))


def test_pairs_have_the_id_types_of_the_model(file):
    pairs = read_pairs(file("user,item,note\n7,07,x\n07,7,y\n10,a,z\n"))
    assert (len(pairs), pairs.frame.columns) == (3, ["user", "item", "note"])
    encoded = encode_file_pairs(pairs, NUMBERS, TEXTS)
    assert encoded.user.tolist() == [0, -1, 1]
    assert encoded.item.tolist() == [0, -1, 1]


@pytest.mark.parametrize(
    ("text", "when"),
    [("7,a\n10,a\n", None), ("7,a,3.5\n10,a,2\n", None), ("7,a,881250949\n10,a,881250949\n", 881250949),
     ("7,a,3,881250949\n10,a,2,881250949\n", 881250949), ("klant,zaak\n7,a\n10,a\n", None)],
)  # fmt: skip
def test_pairs_by_position(file, text, when, said):
    encoded = encode_file_pairs(read_pairs(file(text)), NUMBERS, TEXTS)
    assert (encoded.user.tolist(), encoded.item.tolist()) == ([0, 1], [1, 1])
    assert when is None if encoded.timestamp is None else encoded.timestamp.tolist() == [when, when]
    assert "by position" in said("WARNING")[0]


def test_pairs_of_text_ids_without_header_lose_no_row(file, said):
    assert len(read_pairs(file("u1,j2\nu2,j3\n"))) == 2
    assert "no header" in said("WARNING")[0]


def test_pairs_without_known_ids_raise(file):
    pairs = read_pairs(file("user,item\nx,y\n"))
    with pytest.raises(DataError, match="no user and no item is known"):
        encode_file_pairs(pairs, NUMBERS, TEXTS)
    assert encode_file_pairs(read_pairs(file("user,item\nx,a\n")), NUMBERS, TEXTS).item.tolist() == [1]


def test_missing_ids_in_pairs_raise(file):
    with pytest.raises(DataError, match="line 3: the user id is missing"):
        encode_file_pairs(read_pairs(file("user,item\n7,a\n,a\n")), NUMBERS, TEXTS)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame])
def test_pairs_from_frames(make):
    pairs = read_pairs(make({"user": ["7", "x"], "item": ["a", "07"]}))
    encoded = encode_file_pairs(pairs, NUMBERS, TEXTS)
    assert (encoded.user.tolist(), encoded.item.tolist()) == ([0, -1], [1, 0])


# Round trips ---------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1, max_size=8)
VALUE = st.floats(-1e6, 1e6, width=32)


@given(
    table=st.lists(st.tuples(TEXT, TEXT, VALUE), min_size=1, max_size=12, unique_by=lambda row: row[:2]),
    separator=st.sampled_from([",", "\t", ";", "|"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_csv_module_output_round_trips(tmp_path_factory, table, separator, end):
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, delimiter=separator, lineterminator=end)
    writer.writerow(["user", "item", "rating"])
    writer.writerows((u, i, repr(float(v))) for u, i, v in table)
    path = tmp_path_factory.mktemp("round") / "table.csv"
    path.write_bytes(buffer.getvalue().encode())
    ratings = read_ratings(path, separator=separator, header=True)

    def plain(column):
        whole = all(t.isascii() and t.isdigit() and str(int(t)) == t and len(t) < 19 for t in column)
        return [int(t) for t in column] if whole else list(column)

    users, items, values = zip(*table, strict=True)
    assert ratings.user_ids.tolist() == plain(users)
    assert ratings.item_ids.tolist() == plain(items)
    assert ratings.value.tolist() == list(values)


WORD = st.text(st.sampled_from("abcxyz019_-.é"), min_size=1, max_size=5)


@given(
    table=st.lists(st.tuples(WORD, WORD, VALUE), min_size=2, max_size=12, unique_by=lambda row: row[:2]),
    separator=st.sampled_from([",", "\t", ";", "|", "::", " ", "  "]),
    header=st.booleans(),
    packed=st.booleans(),
)
def test_layout_is_inferred(tmp_path_factory, table, separator, header, packed):
    assume(not any(column_role(u) or column_role(i) for u, i, _ in table))
    lines = [separator.join((u, i, repr(v))) for u, i, v in table]
    lines = ["user" + separator + "item" + separator + "rating", *lines] if header else lines
    data = "\n".join(lines).encode()
    path = tmp_path_factory.mktemp("guess") / "table"
    path.write_bytes(gzip.compress(data) if packed else data)
    ratings = read_ratings(path)
    assert list(map(str, ratings.user_ids.tolist())) == [u for u, _, _ in table]
    assert list(map(str, ratings.item_ids.tolist())) == [i for _, i, _ in table]
    assert ratings.value.tolist() == [v for _, _, v in table]


def hint_of(read, *arguments, **options) -> str:
    """Read a table and discard it, or return the hint of the error."""
    try:
        read(*arguments, **options)
    except ForetasteError as error:
        return error.hint or ""
    return "nothing to mend"


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_raise(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("any") / "table.csv"
    path.write_bytes(data)
    for read in (read_ratings, read_items, read_pairs):
        for encoding in ("utf-8", "latin-1"):
            assert hint_of(read, path, encoding=encoding)


PIECES = st.sampled_from(
    [
        "1",
        "2",
        "x",
        "3.5",
        "N/A",
        "",
        '"',
        '""',
        ",",
        ";",
        "::",
        "\t",
        " ",
        "\n",
        "\r\n",
        "user",
        "item",
        "rating",
    ]
)


@given(text=st.lists(PIECES, max_size=40).map("".join))
def test_any_text_is_read_or_raises(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("any") / "table.csv"
    path.write_text(text, newline="")
    for read in (read_ratings, read_items, read_pairs):
        assert hint_of(read, path)


CELL = st.lists(st.sampled_from(['"', '""', '"a"', '"b,c"', '"d\ne"', "x", " ", ""]), max_size=2).map("".join)


@given(table=st.lists(st.lists(CELL, min_size=3, max_size=3), min_size=1, max_size=5))
def test_odd_quotes_are_read_as_the_csv_module_reads_them(tmp_path_factory, table):
    text = "user,item,rating,note\n" + "".join(f"u{n},{','.join(cells)}\n" for n, cells in enumerate(table))
    path = tmp_path_factory.mktemp("odd") / "table.csv"
    path.write_text(text, newline="")
    records = list(csv.reader(io.StringIO(text, newline="")))[1:]
    if all(len(record) == 4 for record in records):
        pairs = read_pairs(path, separator=",", header=True)
        assert [tuple(cell or "" for cell in row) for row in pairs.frame.rows()] == list(map(tuple, records))
    else:
        with pytest.raises(DataError, match=r"fields?, most lines have"):
            read_pairs(path, separator=",", header=True)
