"""From what a caller names to bytes, and from bytes to a text: found, unpacked, decoded."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from foretaste.errors import DataError, InvalidParameterError, did_you_mean
from foretaste.io.archive import SourceBytes, unpack

_NON_FILE_CODECS = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
_START_SIZE = 1 << 18  # of a large file; enough to find out how it is written
_BATCH_SIZE = 1 << 24
_TRAILING_BLANK_LINES = re.compile(rb"(\n[ \t\r]*)+\Z")  # blank lines at the end, which editors leave


def load_source(source: str | Path | BinaryIO, member: str | None) -> SourceBytes:
    """Return what a file, standard input (``-``) or an open file holds, unpacked.

    Raises
    ------
    NotFoundError
        If there is no such file, or no such member in an archive.
    DataError
        If it cannot be read or unpacked.
    InvalidParameterError
        If an open file is one of text.
    """
    if not isinstance(source, str | Path):
        data = source.read()
        if not isinstance(data, bytes):
            raise InvalidParameterError(
                "source is a file opened as text; open it as bytes", hint='open(path, "rb")'
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
            where=f"in it are: {listing}" if files else "there is no file in it",
            hint=f"name one of its files: {path / likely}" if files else f"ls {path}",
            replacement=(source, path / likely) if files else None,
        )
    return unpack(path, path, member)


class TextSource:
    """A text: UTF-8 with one line end at its end, and no byte order mark.

    One that lies in a large file is read in parts, and as a whole only when that is asked for.

    Parameters
    ----------
    name : str
        What it is called, for errors.
    whole : function
        Gives all of it.
    file : Path, optional
        Where it lies as UTF-8; else ``whole`` is called at once.
    """

    def __init__(self, name: str, read_all: Callable[[], bytes], file: Path | None = None) -> None:
        self._read_all = read_all
        self._data: bytes | None = None
        self._file = file
        self._bom_length = 0
        if file is None:
            self._data = self.start = read_all()
            return
        with file.open("rb") as handle:
            start = handle.read(_START_SIZE)
        self._bom_length = _bom_length(start)
        start = start[self._bom_length : start.rfind(b"\n") + 1]
        if not start.strip() or b"\0" in start or not _is_utf8(start):
            self._file, self._data = None, read_all()  # which says what is wrong with it, if anything is
            start = self._data
        self.start = start

    def all_bytes(self) -> bytes:
        """Return all of it."""
        if self._data is None:
            self._data = self._read_all()
        return self._data

    def is_complete(self) -> bool:
        """Whether ``start`` is all of it."""
        return self.start is self._data

    def iter_batches(self, offset: int) -> Iterator[bytes | memoryview]:
        """Yield all but the first ``offset`` bytes in batches of whole lines."""
        if self._file is None or self._data is not None:
            yield from split_batches(self.all_bytes(), offset)
        else:
            yield from self._iter_file_batches(self._file, offset)

    def _iter_file_batches(self, file: Path, offset: int) -> Iterator[bytes | memoryview]:
        end = _find_text_end(file)
        with file.open("rb", buffering=0) as handle:
            handle.seek(self._bom_length + offset)
            remaining, batch = end - self._bom_length - offset, bytearray(_BATCH_SIZE + 1)
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
                    batch = batch + bytes(_BATCH_SIZE)  # a new one: whoever has the last may still look at it
                    continue
                yield memoryview(batch)[:complete_size]
                batch[: n_buffered - complete_size] = batch[complete_size:n_buffered]
                n_buffered -= complete_size


def _bom_length(data: bytes) -> int:
    """Return how many bytes of byte order marks a text begins with; joined files begin with two."""
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
    """Return where the last line of a file ends that is not blank, without its line end."""
    size = file.stat().st_size
    with file.open("rb") as handle:
        handle.seek(max(0, size - 4096))
        tail = handle.read()
    return size - len(tail) + len(_TRAILING_BLANK_LINES.sub(b"", tail))


def split_batches(data: bytes, offset: int) -> Iterator[memoryview]:
    """Yield a text but for its first ``offset`` bytes in batches of whole lines."""
    view = memoryview(data)
    while offset < len(data):
        end = data.rfind(b"\n", offset, offset + _BATCH_SIZE) + 1 or data.find(b"\n", offset) + 1 or len(data)
        yield view[offset:end]
        offset = end


def normalize_text(data: bytes, path: str, encoding: str) -> bytes:
    """Return a text as UTF-8 without a byte order mark, with one line end at its end.

    Parameters
    ----------
    data : bytes
        Unpacked.
    path : str
        What it is called, for errors.
    encoding : str

    Raises
    ------
    DataError
        If it is empty, no text, or not of this encoding.
    InvalidParameterError
        If there is no such encoding.
    """
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8") and data.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        raise DataError(f"{path} is a text in UTF-16, not UTF-8", hint='encoding="utf-16"')
    data = _to_utf8(data, encoding, path)
    if b"\0" in data:
        raise DataError(f"{path} is not a text file: it has zero bytes in it", hint=f"file {path}")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    # One line end at the end: polars passes over a field too many in a last line without it.
    tail = _TRAILING_BLANK_LINES.sub(b"", data[-4096:]) + b"\n"
    if tail != data[-4096:]:
        data = data[:-4096] + tail
    if not data.strip():
        raise DataError(f"{path} is empty", hint=f"ls -l {path}")
    return data


def _to_utf8(data: bytes, encoding: str, path: str) -> bytes:
    try:
        name = codecs.lookup(encoding).name
        if name in _NON_FILE_CODECS or not " ".encode(
            encoding
        ):  # hex and the like are codecs, but not of text
            raise LookupError(name)
    except (LookupError, TypeError, ValueError):
        known = ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030"]
        raise InvalidParameterError(
            f"there is no encoding {encoding!r}{did_you_mean(encoding, known)}",
            hint='encoding="utf-8" or "latin-1"',
        ) from None
    if name.startswith(("utf-16", "utf-32")) and b"\0" not in data[:1000]:  # every digit has one in these
        raise DataError(f"{path} is no text in {encoding}: it has no zero bytes", hint='encoding="utf-8"')
    if name not in ("utf-8", "utf-8-sig", "ascii"):
        return _encode(_decode(data, encoding, path).lstrip("\ufeff"), encoding, path)
    if not data.isascii():  # the usual file is, and needs no decoding
        _decode(data, encoding, path)
    return data[_bom_length(data) :]


def _decode(data: bytes, encoding: str, path: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        suggestion = "utf-8" if _is_utf8(data) else "latin-1"
        raise DataError(
            f"{path}, line {line:,}: byte {data[error.start]:#04x} is no text in {encoding}",
            hint=f'encoding="{suggestion}"',
        ) from None


def _encode(text: str, encoding: str, path: str) -> bytes:
    """Return a text as UTF-8; some encodings can spell halves of characters, which are no text."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line:,}: half a character; this is no text in {encoding}", hint='encoding="utf-8"'
        ) from None
