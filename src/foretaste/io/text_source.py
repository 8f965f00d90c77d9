"""From what a caller names to bytes, and from bytes to a text: found, unpacked, decoded."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from foretaste.errors import BadData, InvalidParameter, did_you_mean
from foretaste.io.archive import Unpacked, unpacked

_NO_FILE = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
_START = 1 << 18  # of a large file; enough to find out how it is written
_BATCH = 1 << 24
_ENDING = re.compile(rb"(\n[ \t\r]*)+\Z")  # blank lines at the end, which editors leave


def load(source: str | Path | BinaryIO, member: str | None) -> Unpacked:
    """Return what a file, standard input (``-``) or an open file holds, unpacked.

    Raises
    ------
    NotFound
        If there is no such file, or no such member in an archive.
    BadData
        If it cannot be read or unpacked.
    InvalidParameter
        If an open file is one of text.
    """
    if not isinstance(source, str | Path):
        data = source.read()
        if not isinstance(data, bytes):
            raise InvalidParameter(
                "source is a file opened as text; open it as bytes", hint='open(path, "rb")'
            )
        return unpacked(data, Path(str(getattr(source, "name", "the open file"))), member)
    if str(source) == "-":
        return unpacked(sys.stdin.buffer.read(), Path("standard input"), member)
    path = Path(source)
    if path.is_dir():
        inside = sorted(other.name for other in path.iterdir() if other.is_file())
        likely = next((name for name in inside if "rating" in name.lower()), (inside or [""])[0])
        shown = ", ".join(inside[:10]) + (", ..." if len(inside) > 10 else "")
        raise BadData(
            f"{path} is a folder, not a file",
            where=f"in it are: {shown}" if inside else "there is no file in it",
            hint=f"name one of its files: {path / likely}" if inside else f"ls {path}",
            instead=(source, path / likely) if inside else None,
        )
    return unpacked(path, path, member)


class Text:
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

    def __init__(self, name: str, whole: Callable[[], bytes], file: Path | None = None) -> None:
        self._whole = whole
        self._data: bytes | None = None
        self._file = file
        self._mark = 0
        if file is None:
            self._data = self.start = whole()
            return
        with file.open("rb") as opened:
            start = opened.read(_START)
        self._mark = _marked(start)
        start = start[self._mark : start.rfind(b"\n") + 1]
        if not start.strip() or b"\0" in start or not _is_utf8(start):
            self._file, self._data = None, whole()  # which says what is wrong with it, if anything is
            start = self._data
        self.start = start

    def data(self) -> bytes:
        """Return all of it."""
        if self._data is None:
            self._data = self._whole()
        return self._data

    def is_whole(self) -> bool:
        """Whether ``start`` is all of it."""
        return self.start is self._data

    def batches(self, skip: int) -> Iterator[bytes | memoryview]:
        """Yield all but the first ``skip`` bytes in batches of whole lines."""
        if self._file is None or self._data is not None:
            yield from in_batches(self.data(), skip)
        else:
            yield from self._read_batches(self._file, skip)

    def _read_batches(self, file: Path, skip: int) -> Iterator[bytes | memoryview]:
        end = _end_of_lines(file)
        with file.open("rb", buffering=0) as opened:
            opened.seek(self._mark + skip)
            left, batch = end - self._mark - skip, bytearray(_BATCH + 1)
            kept = 0
            while left > 0:
                read = opened.readinto(memoryview(batch)[kept : min(kept + left, len(batch) - 1)])
                if not read:
                    return
                left -= read
                kept += read
                if left == 0:
                    batch[kept : kept + 1] = b"\n"
                    yield memoryview(batch)[: kept + 1]
                    return
                whole = batch.rfind(b"\n", 0, kept) + 1
                if whole == 0:  # a line longer than a batch
                    batch = batch + bytes(_BATCH)  # a new one: whoever has the last may still look at it
                    continue
                yield memoryview(batch)[:whole]
                batch[: kept - whole] = batch[whole:kept]
                kept -= whole


def _marked(data: bytes) -> int:
    """Return how many bytes of byte order marks a text begins with; joined files begin with two."""
    place = 0
    while data.startswith(codecs.BOM_UTF8, place):
        place += len(codecs.BOM_UTF8)
    return place


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _end_of_lines(file: Path) -> int:
    """Return where the last line of a file ends that is not blank, without its line end."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        opened.seek(max(0, size - 4096))
        tail = opened.read()
    return size - len(tail) + len(_ENDING.sub(b"", tail))


def in_batches(data: bytes, skip: int) -> Iterator[memoryview]:
    """Yield a text but for its first ``skip`` bytes in batches of whole lines."""
    view = memoryview(data)
    while skip < len(data):
        end = data.rfind(b"\n", skip, skip + _BATCH) + 1 or data.find(b"\n", skip) + 1 or len(data)
        yield view[skip:end]
        skip = end


def as_text(data: bytes, path: str, encoding: str) -> bytes:
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
    BadData
        If it is empty, no text, or not of this encoding.
    InvalidParameter
        If there is no such encoding.
    """
    if encoding.lower().replace("_", "-") in ("utf-8", "utf8") and data.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        raise BadData(f"{path} is a text in UTF-16, not UTF-8", hint='encoding="utf-16"')
    data = _utf8(data, encoding, path)
    if b"\0" in data:
        raise BadData(f"{path} is not a text file: it has zero bytes in it", hint=f"file {path}")
    if b"\r" in data and b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    # One line end at the end: polars passes over a field too many in a last line without it.
    tail = _ENDING.sub(b"", data[-4096:]) + b"\n"
    if tail != data[-4096:]:
        data = data[:-4096] + tail
    if not data.strip():
        raise BadData(f"{path} is empty", hint=f"ls -l {path}")
    return data


def _utf8(data: bytes, encoding: str, path: str) -> bytes:
    try:
        name = codecs.lookup(encoding).name
        if name in _NO_FILE or not " ".encode(encoding):  # hex and the like are codecs, but not of text
            raise LookupError(name)
    except (LookupError, TypeError, ValueError):
        known = ["utf-8", "utf-16", "latin-1", "cp1252", "cp1250", "cp1251", "shift_jis", "gb18030"]
        raise InvalidParameter(
            f"there is no encoding {encoding!r}{did_you_mean(encoding, known)}",
            hint='encoding="utf-8" or "latin-1"',
        ) from None
    if name.startswith(("utf-16", "utf-32")) and b"\0" not in data[:1000]:  # every digit has one in these
        raise BadData(f"{path} is no text in {encoding}: it has no zero bytes", hint='encoding="utf-8"')
    if name not in ("utf-8", "utf-8-sig", "ascii"):
        return _encoded(_decoded(data, encoding, path).lstrip("\ufeff"), encoding, path)
    if not data.isascii():  # the usual file is, and needs no decoding
        _decoded(data, encoding, path)
    return data[_marked(data) :]


def _decoded(data: bytes, encoding: str, path: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        other = "utf-8" if _is_utf8(data) else "latin-1"
        raise BadData(
            f"{path}, line {line:,}: byte {data[error.start]:#04x} is no text in {encoding}",
            hint=f'encoding="{other}"',
        ) from None


def _encoded(text: str, encoding: str, path: str) -> bytes:
    """Return a text as UTF-8; some encodings can spell halves of characters, which are no text."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise BadData(
            f"{path}, line {line:,}: half a character; this is no text in {encoding}", hint='encoding="utf-8"'
        ) from None
