"""The fast CSV reader against its Python reference: what it reads, and what it declines."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foretaste._native import PlainLines, text_marks
from foretaste.ids import is_plain_integer

REAL = re.compile(rb"-?(\d+)(?:\.(\d{1,7}))?")
WHOLE = re.compile(rb"-?\d{1,18}")
KINDS = ["id", "real", "whole", ""]


def nearest_float(text):
    """Return the float32 that lies nearest to a decimal, found with exact fractions."""
    exact, guess = Fraction(text), np.float32(text)
    around = (guess, np.nextafter(guess, np.float32(-np.inf)), np.nextafter(guess, np.float32(np.inf)))
    return min(around, key=lambda number: abs(Fraction(float(number)) - exact))


def rows_of(text, separator, quotes, width):
    """Return the fields of plain lines, or None if the lines are not plain."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return None
    if b"\0" in text or (quotes and b'"' in text):
        return None
    *lines, rest = text.split(b"\n")
    if b"\r" in text:
        if text.count(b"\r") != len(lines) or not all(line.endswith(b"\r") for line in lines):
            return None
        lines = [line[:-1] for line in lines]
    rows = [line.split(separator) for line in lines]
    plain = not rest and all(lines) and all(len(row) == width for row in rows)
    return rows if plain else None


def parse_numbers(kind, cells):
    """Return a column of numbers, or None if one is written in another way than the plain one."""
    if kind == "whole":
        return [int(cell) for cell in cells] if all(map(WHOLE.fullmatch, cells)) else None
    found = [REAL.fullmatch(cell) for cell in cells]
    if not all(match and len(match[1]) + len(match[2] or b"") <= 15 for match in found):
        return None
    return [float(nearest_float(cell.decode())) for cell in cells]


def encode_ids(cells):
    texts = [cell.decode() for cell in cells]
    ids = {text for text in texts if text}
    numbers = all(map(is_plain_integer, ids))
    order = sorted(ids, key=int) if numbers else sorted(ids)
    place = {text: code for code, text in enumerate(order)}
    return [int(text) if numbers else text for text in order], [place.get(text, -1) for text in texts]


def read_all(batches, separator, quotes, kinds, threads):
    """Return the columns, or None as soon as a batch is not plain."""
    reader = PlainLines(separator.decode(), quotes, kinds, threads)
    for batch in batches:
        if not reader.feed(batch):
            with pytest.raises(ValueError, match="was interrupted"):  # there are no half results
                reader.finish()
            return None
    columns = reader.finish()
    return [
        column if column is None
        else (list(column[0]), column[1].tolist()) if kind == "id"
        else column.tolist()
        for kind, column in zip(kinds, columns, strict=True)
    ]  # fmt: skip


def read_by_python(text, separator, quotes, kinds):
    rows = rows_of(text, separator, quotes, len(kinds))
    if rows is None:
        return None
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    found = []
    for kind, cells in zip(kinds, columns, strict=True):
        found.append(
            None if kind == "" else encode_ids(cells) if kind == "id" else parse_numbers(kind, cells)
        )
        if kind in ("real", "whole") and found[-1] is None:
            return None
    return found


IDS = st.integers(0, 10**19).map(str) | st.text("ab7é€𐍈 '", max_size=20)
REALS = (
    st.decimals(-1000, 1000, places=2).map(str)
    | st.integers(-(10**8), 10**8).map(lambda n: f"{n / 10**7:.7f}")
    | st.integers(-(10**14), 10**14).map(str)
    | st.sampled_from(["3.5", "-0", "007.50", "16777217", "0.1", "8388608.5", "99999999.9999999"])
)
ODD_REALS = ["", "1e3", "nan", "inf", "+1", ".5", "5.", "1.2.3", "-", "1:5", " 1", "1" * 16, "0.12345678"]
WHOLES = st.integers(-(10**18) + 1, 10**18 - 1).map(str) | st.sampled_from(["-0", "0000", "12345678"])
ODD_WHOLES = ["", "-", "1.0", "+1", "9" * 19, "1234567x", "12345678x", "x2345678", "12:45678", "1234567/"]


@st.composite
def tables(draw):
    """Draw a table, mostly a plain one: its bytes, how it is written, and what its columns are."""
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    separator = draw(st.sampled_from([b",", b"\t", b";", b" ", b"\x1f"]))
    spoilt = draw(st.integers(0, 3)) == 0
    cells = {
        "id": IDS,
        "": IDS,
        "real": REALS | st.sampled_from(ODD_REALS) if spoilt else REALS,
        "whole": WHOLES | st.sampled_from(ODD_WHOLES) if spoilt else WHOLES,
    }
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    rows = draw(st.lists(st.tuples(*(cells[kind] for kind in kinds)), max_size=12))
    batches = [b""]
    for row in rows:
        batches[-1] += separator.join(cell.encode() for cell in row) + end
        if draw(st.booleans()):
            batches.append(b"")
    if batches[0] and draw(st.integers(0, 2)) == 0:  # one byte too many somewhere
        place = draw(st.integers(0, len(batches[0])))
        byte = draw(st.sampled_from([b"\r", b"\n", b"\0", b'"', b"\xff", b"\xe2\x82", separator, b"x"]))
        batches[0] = batches[0][:place] + byte + batches[0][place:]
    return batches, separator, draw(st.booleans()), kinds


@settings(max_examples=500)
@given(table=tables(), threads=st.sampled_from([1, 2, 5]))
@example(table=([b"1,2\n\n3,4\n"], b",", True, ["id", "id"]), threads=1)
@example(table=([b"1,2\r\n3,4\n"], b",", True, ["id", "whole"]), threads=1)
@example(table=([b"1,2\r\n3,4\r\n"], b",", True, ["id", "whole"]), threads=1)
@example(table=([b"1,2\n3"], b",", True, ["id", "id"]), threads=1)
@example(table=([b"1,2\n3,4,5\n6\n"], b",", True, ["id", "id"]), threads=1)
@example(table=([b"\r\n"], b",", True, ["id"]), threads=1)
@example(table=([b"1\n2,3\n"], b",", True, ["id", "id", "id"]), threads=1)
def test_plain_lines_are_read_and_others_declined(table, threads):
    batches, separator, quotes, kinds = table
    # Each batch must be plain by itself: carriage returns in all of its lines, or in none.
    wanted = read_by_python(b"".join(batches), separator, quotes, kinds)
    if any(rows_of(batch, separator, quotes, len(kinds)) is None for batch in batches):
        wanted = None
    elif wanted is None and b"\r" in b"".join(batches):
        wanted = read_by_python(b"".join(batches).replace(b"\r\n", b"\n"), separator, quotes, kinds)
    assert read_all(batches, separator, quotes, kinds, threads) == wanted


@pytest.mark.parametrize(
    ("kind", "cell"), [("real", cell) for cell in ODD_REALS] + [("whole", cell) for cell in ODD_WHOLES]
)
def test_unusual_number_formats_are_declined(kind, cell):
    assert PlainLines(",", True, ["id", kind], 1).feed(b"a,1\n")
    assert not PlainLines(",", True, ["id", kind], 1).feed(f"a,1\nb,{cell}\n".encode())


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_many_lines_in_several_batches(threads, end):
    """Lines of every length, so that pieces and blocks of 64 bytes end everywhere in a line."""
    rng = np.random.default_rng(0)
    rows = 60_000
    user = rng.integers(0, 10 ** rng.integers(1, 12, rows))
    item = np.array([f"{'ö' * (k % 9)}{k % 1000}" for k in rng.integers(0, 4000, rows)], dtype=object)
    value, when = np.round(rng.normal(size=rows), 3), rng.integers(-(10**9), 10**9, rows)
    lines = [
        f"{u};{i};-;{v:.3f};{w}".encode() + end for u, i, v, w in zip(user, item, value, when, strict=True)
    ]
    reader = PlainLines(";", True, ["id", "id", "", "real", "whole"], threads)
    for first, until in ((0, 25_000), (25_000, 25_001), (25_001, rows)):
        assert reader.feed(memoryview(bytearray(b"".join(lines[first:until]))))
    (users, user_codes), (items, item_codes), nothing, values, times = reader.finish()
    assert nothing is None
    assert np.array_equal(users, np.unique(user))
    assert np.array_equal(users[user_codes], user)
    assert items == sorted(set(item))
    assert np.array_equal(np.array(items, dtype=object)[item_codes], item)
    assert values.dtype == np.float32
    assert np.array_equal(values, np.array([f"{v:.3f}" for v in value], np.float64).astype(np.float32))
    assert times.dtype == np.int64
    assert np.array_equal(times, when)


@pytest.mark.parametrize("place", [0, 40_000, -1])
def test_one_non_plain_line_declines_the_batch(place):
    lines = [b"%d,%d,3.5\n" % (k, k % 7) for k in range(80_000)]
    for spoilt in (b"1,2\n", b"1,2,3,4\n", b"1,2,x\n", b"\n", b'1,"2",3\n', b"1,\xff,3\n"):
        changed = list(lines)
        changed[place] = spoilt
        assert not PlainLines(",", True, ["id", "id", "real"], 2).feed(b"".join(changed))
    assert PlainLines(",", True, ["id", "id", "real"], 2).feed(b"".join(lines))


@settings(max_examples=300)
@given(st.binary(max_size=12))
@example(b"\xed\xa0\x80")  # half of a pair of code units
@example(b"\xc0\x80")  # a zero byte written too long
@example(b"\xf4\x90\x80\x80")  # beyond the last character
@example(b"\xe2\x82")
@example("é€𐍈\U0010ffff".encode())
@example(b"\xf0\x8f\xbf\xbf")
@example(b"\xe0\x9f\xbf")
def test_invalid_utf8_is_declined(cell):
    cell = cell.translate(None, b"\0\n\r,")
    try:
        cell.decode()
        valid = True
    except UnicodeDecodeError:
        valid = False
    for shift in range(3):  # eight bytes at once are looked at
        assert PlainLines(",", False, ["id", "id"], 1).feed(b"x" * shift + cell + b",y\n") == valid


@given(st.binary(min_size=64, max_size=64), st.sampled_from([b",", b"\n", b"\0", b"\x80", b"\xff"]))
@example(bytes(range(64)), b"\x01")
@example(b"\x01\x00" * 32, b"\x00")  # where a borrow from the byte before would be seen
def test_both_byte_searches_find_the_same_positions(text, wanted):
    marks = sum(1 << k for k in range(64) if text[k : k + 1] == wanted)
    not_ascii = sum(1 << k for k in range(64) if text[k] > 127)
    assert text_marks(text, wanted, portable=True) == (marks, not_ascii)
    assert text_marks(text, wanted, portable=False) == (marks, not_ascii)


def test_empty_input_gives_empty_columns():
    reader = PlainLines(",", True, ["id", "real", "whole"], 2)
    assert reader.feed(b"")
    (ids, codes), values, times = reader.finish()
    assert [len(ids), len(codes), len(values), len(times)] == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="has given its columns"):
        reader.feed(b"1,2,3\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("::", True, ["id"], 1), "one byte"),
        (("\n", True, ["id"], 1), "one byte"),
        ((",", True, [], 1), "at least one field"),
        ((",", True, ["number"], 1), "id, real, whole or empty"),
        ((",", True, ["id"], 0), "threads must be at least 1"),
    ],
)
def test_invalid_arguments_raise(arguments, words):
    with pytest.raises(ValueError, match=words):
        PlainLines(*arguments)
    with pytest.raises(TypeError):
        PlainLines(",", True, ["id"], 1).feed("text")
