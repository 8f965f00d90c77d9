"""Fuzzing of all readers: corrupt inputs by number, and the invariant that each must satisfy.

The invariant: a foretaste error or a valid result; no other exception, no warning, no hang. A case depends
only on the name of its reader and its number: ``PYTHONPATH=tests python tests/fuzz/fuzzing.py ratings 17``.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import corrupt_files as files
import corrupt_models as models
import corrupt_texts as texts
import numpy as np
from invariants import must, same, sound, sound_index

from foretaste.errors import DataError, ForetasteError, ModelFileError
from foretaste.ids import IdIndex
from foretaste.io import (
    encode_file_pairs,
    read_items,
    read_pairs,
    read_ratings,
    read_ratings_with_report,
)
from foretaste.io.archive import unpack
from foretaste.io.column_mapping import deduplicate_names
from foretaste.io.excel import read_sheet
from foretaste.io.ratings_reader import read_source
from foretaste.io.text_source import DEFAULT_SIZES, TextSizes, TextSource
from foretaste.io.text_table import TextTable
from foretaste.io.wide import melt
from foretaste.models import MODELS
from foretaste.persistence import inspect, load
from foretaste.read_options import ReadOptions

SECONDS = 5.0  # of work, for one input; a usual one takes some thousandths


class Hang(BaseException):
    """An input took too long; no ``except Exception`` may swallow it."""


@dataclass(frozen=True)
class Case:
    """One input.

    Parameters
    ----------
    reader : str
        A key of ``READERS``.
    data : bytes
        The file.
    options : dict
        For the reader.
    name : str
        Of the file.
    """

    reader: str
    data: bytes
    options: dict[str, Any]
    name: str = "ratings.csv"


def case(reader: str, seed: int) -> Case:
    """Return the case of a number, always the same."""
    rng = Random(f"{reader} {seed}")
    return Case(reader, *READERS[reader].make(rng))


def problem(case: Case, folder: Path) -> str | None:
    """Run a case; return how it violates the invariant, or None."""
    path = folder / case.name
    path.write_bytes(case.data)
    try:
        with _limited(), warnings.catch_warnings():
            warnings.simplefilter("error")
            READERS[case.reader].read(path, dict(case.options))
    except ForetasteError as error:
        return _told(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the panics of native readers are no Exception
        return f"{type(error).__name__}: {error}"
    return None


def _told(error: ForetasteError) -> str | None:
    """Return what is wrong with an error of ours: one that is empty, or too long to be read."""
    if not error.message.strip():
        return "an error without a message"
    if len(str(error)) > 4000:
        return f"an error of {len(str(error)):,} characters: {str(error)[:100]}"
    return None


class _Formatting(logging.Handler):
    """Formats log records and discards them: a message that cannot be formatted is an error, too."""

    def emit(self, record: logging.LogRecord) -> None:
        record.getMessage().encode()


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def late(*_: object) -> None:
        raise Hang(f"not done after {SECONDS:g} s")

    log, handler = logging.getLogger("foretaste"), _Formatting()
    log.addHandler(handler)
    state = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False
    before = signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        log.removeHandler(handler)
        log.level, log.propagate = state


# What each reader is given, and what must be true of what it returns ---------------------------------------


@dataclass(frozen=True)
class Reader:
    """A reader under test.

    Parameters
    ----------
    make : function of Random
        Returns data, options and the file's name.
    read : function of a path and options
        Reads, and checks what was read.
    """

    make: Callable[[Random], tuple[bytes, dict[str, Any], str]]
    read: Callable[[Path, dict[str, Any]], object]


def _read_ratings(path: Path, options: dict[str, Any]) -> None:
    sound(read_ratings(path, **options))


def _read_packed(path: Path, options: dict[str, Any]) -> None:
    inside = unpack(path, path, options.get("member"))
    must(inside.kind not in ("gzip", "zip"), "still packed")
    sound(read_ratings(path, **options))


def _survey(path: Path, options: dict[str, Any]) -> None:
    """Read twice, refusing and leaving out; both must agree on whether anything is wrong, and on the rows."""
    refused = kept = None
    try:
        kept = read_ratings(path, **options)
    except DataError as error:
        refused = error
    found = read_ratings_with_report(path, **options)
    sound(found.ratings)
    left_out = sorted({int(row) for fault in found.row_errors for row in fault.rows})
    merged = options.get("duplicates", "raise") != "raise"
    must(
        merged or len(found.ratings) + len(left_out) == found.n_rows,
        "rows kept and left out are not all rows",
    )
    must(
        all(len(fault.rows) and fault.row_labels and str(fault) for fault in found.row_errors),
        "a fault without rows",
    )
    must("where" in options or not left_out or left_out[0] >= 0, "a row before the first")
    # A column that is only guessed to hold times is left out as a whole where rows are not to be skipped.
    guessed = options.get("timestamp") is None and {fault.kind for fault in found.row_errors} == {"bad_time"}
    must(guessed or (refused is None) == (not found.row_errors), f"refused: {refused}; left out: {left_out}")
    if kept is not None and not guessed:
        must(same(kept, found.ratings), "another result where nothing is left out")
    plain = not {"separator", "encoding", "where"} & set(options)
    if plain and not merged and path.read_bytes().isascii() and b'"' not in path.read_bytes():
        lines = path.read_bytes().replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        filled = sum(bool(line.decode().strip()) for line in lines)
        must(found.n_rows in (filled, filled - 1), f"{found.n_rows} rows of {filled} lines")


# The same text read in other ways: in parts, without the native reader, record by record.
_WAYS: tuple[tuple[TextSizes, tuple[tuple[Any, str, Any], ...]], ...] = (
    (DEFAULT_SIZES, ()),
    (TextSizes(large_file=0, batch=24), ((TextSource, "is_complete", lambda _: True),)),
    (DEFAULT_SIZES, ((TextTable, "read_native", lambda *_: None),)),
    (
        DEFAULT_SIZES,
        ((TextTable, "read_native", lambda *_: None), (TextTable, "read_polars", lambda *_: None)),
    ),
)


def _read_in_all_ways(path: Path, options: dict[str, Any]) -> None:
    """Read a text in every way that there is in the code; all must come to the same."""
    found: list[Any] = []
    path.write_bytes(
        path.read_bytes().rstrip(b"\r\n \t") + b"\n"
    )  # the dialect of a large text is detected from whole lines
    for sizes, changes in _WAYS:
        with contextlib.ExitStack() as changed:
            for where, name, value in changes:
                changed.enter_context(mock.patch.object(where, name, value))
            try:
                found.append(read_source(path, ReadOptions(**options), sizes).ratings)
            except ForetasteError as error:
                found.append(error)
    first = found[0]
    for other in found[1:]:
        if isinstance(first, ForetasteError) or isinstance(other, ForetasteError):
            must(str(first) == str(other), f"one way: {first}; another: {other}")
        else:
            must(same(first, other), "ratings differ with the way that they are read in")
    if isinstance(first, ForetasteError):
        raise first
    sound(first)


def _read_items(path: Path, options: dict[str, Any]) -> None:
    catalogue = read_items(path, **options)
    sound_index(catalogue.items)
    titles = catalogue.titles(catalogue.items.ids)
    must(len(titles) == len(catalogue.items), "titles and items do not match")
    for name, column in catalogue.columns.items():
        must(len(column) == len(catalogue.items), f"{name} is too short")
        must(all(type(cell) is str for cell in column), f"{name} holds something that is no text")


NUMBERS = IdIndex(np.array([1, 2, 3, 10, 20, 30], np.int64))
NAMES = IdIndex(np.array(["1", "10", "2", "ann", "heat", "matrix"], dtype=object))


def _read_pairs(path: Path, options: dict[str, Any]) -> None:
    pairs = read_pairs(path, **options)
    must(len(pairs) == len(pairs.frame), "pairs and their table do not match")
    for index in (NUMBERS, NAMES):
        encoded = encode_file_pairs(pairs, index, index)
        for codes in (encoded.user, encoded.item):
            must(len(codes) == len(pairs), "codes and pairs do not match")
            must(bool(((codes >= -1) & (codes < len(index))).all()), "a code outside the index")
        must(
            encoded.timestamp is None or len(encoded.timestamp) == len(pairs), "times and pairs do not match"
        )


def _load_model(path: Path, _: dict[str, Any]) -> None:
    try:
        inspect(path)
        model = load(path)
    except ModelFileError as error:
        must(str(path) in error.message and bool(error.hint), "a refusal without the file or the mend")
        return
    must(type(model) in MODELS.values(), "a model of a foreign class")
    ends = [(model.users_.ids[end], model.items_.ids[end]) for end in (0, -1)]
    must(model.predict(ends).shape == (2,), "a model that does not predict")


def _read_workbook(path: Path, options: dict[str, Any]) -> None:
    sheet = read_sheet(path.read_bytes(), path.name, **options)
    n, width = sheet.frame.shape
    must(len(sheet.row_numbers) == n, "rows and their places do not match")
    must(
        bool((np.diff(sheet.row_numbers) > 0).all()) and bool((sheet.row_numbers > 0).all()),
        "places are out of order",
    )
    must(len(sheet.titles) == (width if sheet.has_header else 0), "titles and columns do not match")
    must(len(set(sheet.frame.columns)) == width, "a column stands twice")
    for row, column in ((0, 0), (n - 1, width - 1)):
        must(
            n == 0 or width == 0 or str(sheet.row_numbers[row]) in sheet.cell_label(row, column),
            "a cell elsewhere",
        )


def _read_wide(path: Path, options: dict[str, Any]) -> None:
    import polars as pl

    header = options.pop("header")
    rows = [line.split(",") for line in path.read_bytes().decode("utf-8", "replace").splitlines()] or [[""]]
    width = max(map(len, rows))
    rows = [row + [""] * (width - len(row)) for row in rows]
    titles = rows.pop(0) if header else [""] * width
    columns = [[cell or None for cell in column] for column in zip(*rows, strict=True)] or [[]] * width
    frame = pl.DataFrame(dict(zip(deduplicate_names(titles), columns, strict=True)), schema_overrides=None)
    frame = frame.cast(pl.String)
    told = {"titles": titles} if header else {}
    found = melt(frame, name="wide.csv", header=header, **told, **options)
    n = len(found.value)
    must(len(found.user) == len(found.item) == len(found.row) == len(found.column) == n, "columns differ")
    must(bool(np.isfinite(found.value).all()), "a value is not finite")
    must(len(found.bad_row) == len(found.bad_column) == len(found.bad_text), "bad columns differ")
    cells = [*zip(found.row.tolist(), found.column.tolist(), strict=True)]
    cells += zip(found.bad_row.tolist(), found.bad_column.tolist(), strict=True)
    must(len(set(cells)) == len(cells), "a cell counts twice")
    for row, column in cells:
        must(bool((frame.to_series(column)[row] or "").strip()), "a rating out of a blank cell")


_ROLES = ("user", "item", "rating", "timestamp", "weight")


def _table(rng: Random, tables: list[str]) -> tuple[bytes, str]:
    data = texts.spoilt(rng, rng.choice(tables).encode())
    return data, rng.choice(["ratings.csv", "u.data", "ratings.dat", "r.tsv", "a b.csv"])


def _make_ratings(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    data, name = _table(rng, texts.RATINGS)
    options = texts.written(rng) | texts.columns(rng, _ROLES) | texts.checks(rng)
    if rng.random() < 0.3:
        options["on_error"] = rng.choice(["skip", "skip", "raise", "ignore"])
    return data, options, name


def _make_survey(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    data, name = _table(rng, texts.RATINGS)
    options = texts.written(rng) | texts.columns(rng, _ROLES) | texts.checks(rng)
    options.pop("on_error", None)
    return data, options, name


def _make_items(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    data, name = _table(rng, texts.ITEMS)
    return data, texts.written(rng) | texts.columns(rng, ("item", "title")), name


def _make_pairs(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    data, name = _table(rng, texts.PAIRS)
    return data, texts.written(rng) | texts.columns(rng, ("user", "item")), name


READERS: dict[str, Reader] = {
    "ratings": Reader(_make_ratings, _read_ratings),
    "survey": Reader(_make_survey, _survey),
    "ways": Reader(_make_ratings, _read_in_all_ways),
    "items": Reader(_make_items, _read_items),
    "pairs": Reader(_make_pairs, _read_pairs),
    "packed": Reader(files.make_packed, _read_packed),
    "workbook": Reader(files.make_workbook, _read_workbook),
    "file": Reader(files.make_file, _read_ratings),
    "wide": Reader(files.make_wide, _read_wide),
    "model": Reader(models.make_model, _load_model),
}


def main(reader: str, *seeds: str) -> None:
    """Show cases and what comes of them."""
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            made = case(reader, int(seed))
            print(f"{made.name} {made.options}\n{made.data!r}\n-> {problem(made, Path(folder)) or 'ok'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
