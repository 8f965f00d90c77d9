"""Loads the bytes of a source and normalizes text: UTF-8, no byte order mark, line batches."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from foretaste.errors import (
    DataError,
    Hint,
    InvalidParameterError,
)
from foretaste.io.archive import SourceBytes, unpack

_UTF8_HINT = Hint({"encoding": "utf-8"})
_NON_FILE_CODECS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
_TRAILING_BLANK_LINES = re.compile(rb"(\n[ \t\r]*)+\Z")  # which editors leave


@dataclass(frozen=True)
class TextSizes:
    """How text is read in batches.

    Parameters
    ----------
    large_file : int
        Bytes from which on a file is read in batches.
    start : int
        Bytes of a large file that its dialect is detected from.
    batch : int
        Bytes of a batch.
    """

    large_file: int = 1 << 23
    start: int = 1 << 18
    batch: int = 1 << 24


DEFAULT_SIZES = TextSizes()


def load_source(source: str | Path | BinaryIO, member: str | None) -> SourceBytes:
    """Return the decompressed content of a file, standard input (``-``) or an open file.

    Raises
    ------
    NotFoundError
        If the file, or the member of an archive, does not exist.
    DataError
        If it cannot be read or decompressed.
    InvalidParameterError
        If a file is opened in text mode.
    """
    if not isinstance(source, str | Path):
        data = source.read()
        if not isinstance(data, bytes):
            raise InvalidParameterError(
                "source is opened in text mode; open it in binary mode", hint='open(path, "rb")'
            )
        return unpack(data, Path(str(getattr(source, "name", "the open file"))), member)
    if str(source) == "-":
        return unpack(sys.stdin.buffer.read(), Path("standard input"), member)
    path = Path(source)
    if path.is_dir():
        files = sorted(entry.name for entry in path.iterdir() if entry.is_file())
        likely = next((name for name in files if "rating" in name.lower()), (files or [""])[0])
        listing = ", ".join(files[:10]) + (", ..." if len(files) > 10 else "")
        raise DataError(
            f"{path} is a folder, not a file",
            where=f"it contains: {listing}" if files else "it contains no files",
            hint=f"name one of its files: {path / likely}" if files else f"ls {path}",
            replacement=(source, path / likely) if files else None,
        )
    return unpack(path, path, member)


class TextSource:
    """Normalized text: UTF-8 without byte order mark, ending in one line end.

    A large file is read in batches, and as a whole only on demand.

    Parameters
    ----------
    name : str
        Name for errors.
    read_all : callable
        Returns the whole text.
    file : Path, optional
        Its path, if it is a UTF-8 file to read in batches; else ``read_all`` is called at once.
    sizes : TextSizes
    """

    def __init__(
        self,
        name: str,
        read_all: Callable[[], bytes],
        file: Path | None = None,
        sizes: TextSizes = DEFAULT_SIZES,
    ) -> None:
        self.batch_size = sizes.batch
        self._read_all = read_all
        self._data: bytes | None = None
        self._file = file
        self._bom_length = 0
        if file is None:
            self._data = self.start = read_all()
            return
        with file.open("rb") as handle:
            start = handle.read(sizes.start)
        self._bom_length = _bom_length(start)
        start = start[self._bom_length : start.rfind(b"\n") + 1]
        if not start.strip() or b"\0" in start or not _is_utf8(start):
            self._file, self._data = None, read_all()  # raises if the text is invalid
            start = self._data
        self.start = start

    def all_bytes(self) -> bytes:
        """Return the whole text."""
        if self._data is None:
            self._data = self._read_all()
        return self._data

    def is_complete(self) -> bool:
        """Whether ``start`` is the whole text."""
        return self.start is self._data

    def iter_batches(self, offset: int) -> Iterator[bytes | memoryview]:
        """Yield the text from ``offset`` on in batches of whole lines."""
        if self._file is None or self._data is not None:
            yield from split_batches(self.all_bytes(), offset, self.batch_size)
        else:
            yield from self._iter_file_batches(self._file, offset)

    def _iter_file_batches(self, file: Path, offset: int) -> Iterator[bytes | memoryview]:
        end = _find_text_end(file)
        with file.open("rb", buffering=0) as handle:
            handle.seek(self._bom_length + offset)
            remaining, batch = end - self._bom_length - offset, bytearray(self.batch_size + 1)
            n_buffered = 0
            while remaining > 0:
                n_read = handle.readinto(
                    memoryview(batch)[n_buffered : min(n_buffered + remaining, len(batch) - 1)]
                )
                if not n_read:
                    return
                remaining -= n_read
                n_buffered += n_read
                if remaining == 0:
                    batch[n_buffered : n_buffered + 1] = b"\n"
                    yield memoryview(batch)[: n_buffered + 1]
                    return
                complete_size = batch.rfind(b"\n", 0, n_buffered) + 1
                if complete_size == 0:  # a line longer than a batch
                    batch = batch + bytes(self.batch_size)  # a new buffer: the last batch may still be in use
                    continue
                yield memoryview(batch)[:complete_size]
                batch[: n_buffered - complete_size] = batch[complete_size:n_buffered]
                n_buffered -= complete_size


def _bom_length(data: bytes) -> int:
    """Return the length in bytes of leading byte order marks; concatenated files can have two."""
    position = 0
    while data.startswith(codecs.BOM_UTF8, position):
        position += len(codecs.BOM_UTF8)
    return position


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _find_text_end(file: Path) -> int:
    """Return the offset of the end of the last non-blank line, without its line end."""
    size = file.stat().st_size
    with file.open("rb") as handle:
        handle.seek(max(0, size - 4096))
        tail = handle.read()
    return size - len(tail) + len(_TRAILING_BLANK_LINES.sub(b"", tail))


def split_batches(data: bytes, offset: int, size: int) -> Iterator[memoryview]:
    """Yield a text from ``offset`` on in batches of whole lines."""
    view = memoryview(data)
    while offset < len(data):
        end = data.rfind(b"\n", offset, offset + size) + 1 or data.find(b"\n", offset) + 1 or len(data)
        yield view[offset:end]
        offset = end


def normalize_text(data: bytes, path: str, encoding: str) -> bytes:
    """Return a text as UTF-8 without byte order mark, ending in one line end.

    Parameters
    ----------
    data : bytes
        Decompressed.
    path : str
        Name for errors.
    encoding : str

    Raises
    ------
    DataError
        If it is empty, not text, or not in this encoding.
    InvalidParameterError
        If the encoding is unknown.
    """
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8") and data.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        raise DataError(f"{path} is UTF-16 text, not UTF-8", hint=Hint({"encoding": "utf-16"}))
    data = _to_utf8(data, encoding, path)
    if b"\0" in data:
        raise DataError(f"{path} is not a text file: it contains zero bytes", hint=f"file {path}")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    # polars ignores a surplus field in a last line without line end.
    tail = _TRAILING_BLANK_LINES.sub(b"", data[-4096:]) + b"\n"
    if tail != data[-4096:]:
        data = data[:-4096] + tail
    if not data.strip():
        raise DataError(f"{path} is empty", hint=f"ls -l {path}")
    return data


def _to_utf8(data: bytes, encoding: str, path: str) -> bytes:
    try:
        name = codecs.lookup(encoding).name
        if name in _NON_FILE_CODECS or not " ".encode(encoding):  # hex and such are not text encodings
            raise LookupError(name)
    except (LookupError, TypeError, ValueError):
        known = ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030"]
        raise InvalidParameterError(
            f"unknown encoding {encoding!r}",
            misspelled=(encoding, known),
            hint=Hint({"encoding": "utf-8"}, '(or "latin-1")'),
        ) from None
    if (
        name.startswith(("utf-16", "utf-32")) and b"\0" not in data[:1000]
    ):  # every digit has one in these encodings
        raise DataError(f"{path} is not {encoding} text: it contains no zero bytes", hint=_UTF8_HINT)
    if name not in ("utf-8", "utf-8-sig", "ascii"):
        return _encode(_decode(data, encoding, path).lstrip("\ufeff"), encoding, path)
    if not data.isascii():  # most files are, and need no decoding
        _decode(data, encoding, path)
    return data[_bom_length(data) :]


def _decode(data: bytes, encoding: str, path: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        suggestion = "utf-8" if _is_utf8(data) else "latin-1"
        raise DataError(
            f"{path}, line {line:,}: byte {data[error.start]:#04x} is not {encoding} text",
            hint=Hint({"encoding": suggestion}),
        ) from None


def _encode(text: str, encoding: str, path: str) -> bytes:
    """Return a text as UTF-8; some encodings can decode to lone surrogates, which are invalid."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line:,}: lone surrogate; this is not {encoding} text",
            hint=Hint({"encoding": "utf-8"}),
        ) from None
