"""The id encoder and duplicate detection, against numpy and Python's own sorting."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foretaste._native import IdEncoder, count_repeats
from foretaste.ids import IdIndex, finish_encoding, is_plain_integer

BLOCK = 32768  # rows of a task of the kernel

# Short numbers and long ones, zeros before them, signs; texts around the lengths at which the kernel
# changes its way of keeping them (8, 12 and 15 bytes), with shared beginnings, zero bytes and letters of 1
# to 4 bytes.
CANONICAL = st.integers(0, 10**18 - 1).map(str) | st.integers(0, 40).map(str)
NEARLY = st.sampled_from(["", "00", "007", "-1", "+1", " 1", "1 ", "1.0", "9" * 18, "9" * 19, "1" + "0" * 18])
TEXTS = (
    st.text("ab\0é€𐍈", max_size=6)
    | st.text("ab", min_size=7, max_size=18).map(lambda text: "a" * 6 + text)
    | st.text(max_size=40)
)
CELLS = CANONICAL | NEARLY | TEXTS
THREADS = st.sampled_from([1, 2, 3, 5])


def encode_by_python(cells, *, empty_is_missing, texts_may_be_numbers):
    """Return the ids and codes by the definition: distinct, sorted, and looked up."""
    ids = {cell for cell in cells if cell is not None and not (cell == "" and empty_is_missing)}
    numbers = texts_may_be_numbers and all(map(is_plain_integer, ids))
    ids = sorted(ids, key=int) if numbers else sorted(ids)
    place = {text: code for code, text in enumerate(ids)}
    return [int(text) if numbers else text for text in ids], [place.get(cell, -1) for cell in cells]


def columns_of(cells):
    """Return the same cells in each way that Arrow has for texts, some from the middle of an array."""
    padded = pa.array(["x", None, "y" * 20, *cells, "z"], pa.string())
    return [
        pl.Series(cells, dtype=pl.String),
        pa.chunked_array([pa.array(cells, pa.string_view())]),
        pa.chunked_array([pa.array(cells, pa.large_string())]),
        pa.chunked_array([padded.slice(3, len(cells))]),
        pa.chunked_array([padded.cast(pa.string_view()).slice(3, len(cells))]),
    ]


@given(
    chunks=st.lists(st.lists(CELLS | st.none(), max_size=20), max_size=4),
    threads=THREADS,
    empty_is_missing=st.booleans(),
    texts_may_be_numbers=st.booleans(),
    data=st.data(),
)
def test_texts_are_encoded_like_the_python_reference(
    chunks, threads, empty_is_missing, texts_may_be_numbers, data
):
    encoder = IdEncoder(threads, empty_is_missing)
    encoder.feed_texts(pl.Series([], dtype=pl.String))
    for cells in chunks:
        encoder.feed_texts(data.draw(st.sampled_from(columns_of(cells))))
    ids, codes = finish_encoding(encoder, texts_may_be_numbers=texts_may_be_numbers)
    cells = [cell for chunk in chunks for cell in chunk]
    wanted = encode_by_python(
        cells, empty_is_missing=empty_is_missing, texts_may_be_numbers=texts_may_be_numbers
    )
    assert (ids.tolist(), codes.tolist()) == wanted
    assert codes.dtype == np.int32
    if cells and texts_may_be_numbers:
        assert (ids.dtype == np.int64) == all(isinstance(id_, int) for id_ in wanted[0])


@given(chunks=st.lists(st.lists(CANONICAL | st.just(""), max_size=20), max_size=4), threads=THREADS)
@example(chunks=[["9" * 18, "10"], ["9", "999999999999999998"]], threads=2)
def test_canonical_numbers_sort_as_numbers(chunks, threads):
    encoder = IdEncoder(threads, True)
    for cells in chunks:
        encoder.feed_texts(pl.Series(cells, dtype=pl.String))
    ids, codes = finish_encoding(encoder, texts_may_be_numbers=True)
    cells = [cell for chunk in chunks for cell in chunk]
    assert (ids.tolist(), codes.tolist()) == encode_by_python(
        cells, empty_is_missing=True, texts_may_be_numbers=True
    )
    assert ids.dtype == np.int64 or not chunks


@given(
    chunks=st.lists(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 9), max_size=20), max_size=4),
    threads=THREADS,
)
def test_numbers_are_encoded_as_by_numpy(chunks, threads):
    encoder = IdEncoder(threads, False)
    for numbers in chunks:
        encoder.feed_numbers(np.array(numbers, np.int64))
    ids, codes = finish_encoding(encoder, texts_may_be_numbers=False)
    cells = np.array([number for chunk in chunks for number in chunk], np.int64)
    wanted, places = np.unique(cells, return_inverse=True)
    if chunks:
        assert ids.dtype == np.int64
    assert (ids.tolist(), codes.tolist()) == (wanted.tolist(), places.tolist())


@pytest.mark.parametrize("threads", [1, 2, 3, 8])
@pytest.mark.parametrize("rows", [BLOCK - 1, BLOCK, BLOCK + 1, 7 * BLOCK + 5])
def test_rows_are_split_over_threads(rows, threads):
    """More distinct ids than one part of the sort holds, of every length, most of them several times."""
    rng = np.random.default_rng(rows)
    texts = np.array([f"{'é' * (k % 7)}{k}" for k in range(rows // 2)], dtype=object)
    cells = texts[rng.integers(len(texts), size=rows)]
    encoder = IdEncoder(threads, False)
    for part in np.array_split(cells, 2):
        encoder.feed_texts(pl.Series(part.tolist(), dtype=pl.String))
    ids, codes = finish_encoding(encoder, texts_may_be_numbers=True)
    wanted, places = np.unique(cells, return_inverse=True)
    assert ids.tolist() == wanted.tolist()
    assert np.array_equal(codes, places)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_text_in_the_last_row_makes_all_ids_text(threads):
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3 * 10**5, 2 * 10**5)
    encoder = IdEncoder(threads, False)
    encoder.feed_texts(pl.Series(numbers).cast(pl.String))
    encoder.feed_texts(pl.Series(["007"]))
    ids, codes = finish_encoding(encoder, texts_may_be_numbers=True)
    wanted, places = np.unique(np.r_[numbers.astype(str).astype(object), ["007"]], return_inverse=True)
    assert ids.tolist() == wanted.tolist()
    assert np.array_equal(codes, places)


@pytest.mark.parametrize("text", ["9" * 19, "1" + "0" * 18, "00", "01", "-1", "+1", " 1", "1.0", "١", "1e3"])
def test_one_non_canonical_number_makes_all_ids_text(text):
    for cells in ([text, "10", "9"], ["10", "9", text]):
        encoder = IdEncoder(1, False)
        encoder.feed_texts(pl.Series(cells))
        assert encoder.finish(True)[0] == sorted(cells)
        encoder = IdEncoder(1, False)
        encoder.feed_texts(pl.Series(cells))
        encoder.feed_texts(pl.Series(["9" * 18]))
        assert encoder.finish(True)[0] == sorted([*cells, "9" * 18])


def test_hash_collisions_are_resolved():
    cells = [
        "a",
        "a\0",
        "a\0\0",
        "",
        "\0",
        "aaaaaaaa",
        "aaaaaaaab",
        "aaaaaaaa\0",
        "a" * 15,
        "a" * 16,
        "a" * 17,
    ]
    ids, codes = IdIndex.from_column(pl.Series(cells), "user")
    assert ids.ids.tolist() == sorted(cells)
    assert ids.ids[codes].tolist() == cells


def test_many_long_texts_are_encoded():
    cells = [f"https://example.org/{'x' * (k % 300)}/{k}" for k in range(5000)]
    cells.append("y" * 1_000_000)  # larger than a page of the dictionary
    ids, codes = IdIndex.from_column(pl.Series(cells + cells[::-1]), "item")
    assert ids.ids.tolist() == sorted(cells)
    assert ids.ids[codes].tolist() == cells + cells[::-1]


# What the encoder refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "column", [pl.Series([1, 2]), pl.Series([b"a"]), pl.Series(["a"], dtype=pl.Categorical)]
)
def test_non_text_columns_raise(column):
    with pytest.raises(ValueError, match="must be of text"):
        IdEncoder(1, False).feed_texts(column)


def test_column_without_arrow_interface_raises():
    with pytest.raises(AttributeError, match="__arrow_c_stream__"):
        IdEncoder(1, False).feed_texts(["a"])


class Stream(ctypes.Structure):
    """The first fields of Arrow's ArrowArrayStream."""

    _fields_ = (
        ("get_schema", ctypes.c_void_p),
        ("get_next", ctypes.c_void_p),
        ("get_last_error", ctypes.c_void_p),
    )


class Failing:
    """A column of text whose stream breaks off."""

    def __arrow_c_stream__(self, requested: object = None) -> object:
        capsule = pl.Series(["a"]).__arrow_c_stream__()
        address = ctypes.pythonapi.PyCapsule_GetPointer
        address.restype, address.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
        stream = Stream.from_address(address(capsule, b"arrow_array_stream"))
        self.fail = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(lambda *_: 5)
        self.words = ctypes.create_string_buffer(b"the disk is gone")
        self.say = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(lambda _: ctypes.addressof(self.words))
        stream.get_next = ctypes.cast(self.fail, ctypes.c_void_p).value
        stream.get_last_error = ctypes.cast(self.say, ctypes.c_void_p).value
        return capsule


def test_failing_column_raises_and_ends_the_encoder():
    encoder = IdEncoder(1, False)
    with pytest.raises(ValueError, match="cannot be read: the disk is gone"):
        encoder.feed_texts(Failing())
    with pytest.raises(ValueError, match="was interrupted"):
        encoder.finish(True)


def test_table_instead_of_column_raises():
    with pytest.raises(ValueError, match="must be of text"):
        IdEncoder(1, False).feed_texts(pa.table({"user": ["a"]}))


def test_mixed_types_raise():
    encoder = IdEncoder(1, False)
    encoder.feed_texts(pl.Series(["a"]))
    with pytest.raises(ValueError, match="either texts or numbers"):
        encoder.feed_numbers(np.array([1]))
    encoder.feed_texts(pl.Series(["b"]))  # the refusal did no harm
    assert encoder.finish(True)[0] == ["a", "b"]


def test_codes_are_returned_once():
    encoder = IdEncoder(1, False)
    encoder.finish(True)
    with pytest.raises(ValueError, match="has given its codes"):
        encoder.finish(True)
    with pytest.raises(ValueError, match="has given its codes"):
        encoder.feed_numbers(np.array([1]))
    with pytest.raises(ValueError, match="threads must be at least 1"):
        IdEncoder(0, False)
    with pytest.raises(TypeError):  # never converted in silence
        IdEncoder(1, False).feed_numbers(np.array([1.0]))


# Repeated pairs -------------------------------------------------------------------------------------------


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=60),
    by_user=st.booleans(),
    threads=THREADS,
)
def test_duplicates_are_counted(rows, by_user, threads):
    if by_user:
        rows.sort(key=lambda row: row[0])
    user, item = (np.array([row[k] for row in rows], np.int32) for k in (0, 1))
    assert count_repeats(user, item, 6, 8, threads) == len(rows) - len(set(rows))


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("order", ["by user", "two runs of a user", "shuffled"])
def test_duplicates_are_counted_in_many_rows(order, threads):
    rng = np.random.default_rng(3)
    cells = rng.choice(900 * 700, 200_000, replace=False)
    cells = np.sort(np.r_[cells, cells[:17], cells[:5]])
    if order == "two runs of a user":  # the first user comes back at the end, with a pair it had
        cells = np.r_[cells, cells[:1]]
    elif order == "shuffled":
        cells = rng.permutation(cells)
    user, item = (cells // 700).astype(np.int32), (cells % 700).astype(np.int32)
    assert count_repeats(user, item, 900, 700, threads) == 22 + (order == "two runs of a user")


def test_duplicate_count_validates_indices():
    one, two = np.zeros(1, np.int32), np.array([0, 2], np.int32)
    with pytest.raises(ValueError, match="a user index is out of range"):
        count_repeats(two, two, 2, 3, 1)
    with pytest.raises(ValueError, match="an item index is out of range"):
        count_repeats(two, -two, 3, 3, 1)
    with pytest.raises(ValueError, match="same length"):
        count_repeats(one, two, 3, 3, 1)
    assert count_repeats(one[:0], one[:0], 0, 0, 2) == 0


# Threads and signals --------------------------------------------------------------------------------------


def test_concurrent_use_of_an_encoder_raises():
    encoder, refused = IdEncoder(1, False), []
    series = pl.Series(np.arange(300_000)).cast(pl.String)

    def feed():
        try:
            for _ in range(5):
                encoder.feed_texts(series)
        except ValueError as error:
            refused.append(str(error))

    workers = [threading.Thread(target=feed) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert refused  # at least one met another
    assert all("at work" in words for words in refused)
    ids, codes = encoder.finish(True)
    assert len(ids) == 300_000
    assert len(codes) % 300_000 == 0


INTERRUPTED = """
import sys, threading, time, signal, os
import numpy as np
from foretaste._native import IdEncoder
numbers = np.random.default_rng(0).integers(0, 2**62, 15_000_000)
encoder = IdEncoder(1, False)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    encoder.feed_numbers(numbers)
    encoder.finish(False)
    print("finished")
except KeyboardInterrupt:
    print("interrupted")
try:
    encoder.finish(False)
except ValueError as error:
    print(error)
"""


@pytest.mark.slow
def test_ctrl_c_leaves_no_partial_codes():
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, timeout=60, check=True
    )
    first, second = run.stdout.splitlines()
    assert first == "interrupted"
    assert "was interrupted" in second
