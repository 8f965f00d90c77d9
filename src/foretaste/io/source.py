"""From what a caller names to bytes, and from bytes to a text: found, unpacked, decoded."""

from __future__ import annotations

import codecs
import re
import sys
from pathlib import Path
from typing import BinaryIO

from foretaste.errors import BadData, InvalidParameter, did_you_mean
from foretaste.io.archive import Unpacked, unpacked

_NO_FILE = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
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
    data = data[:-4096] + _ENDING.sub(b"", data[-4096:]) + b"\n"
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
        return _encoded(_decoded(data, encoding, path).removeprefix("\ufeff"), encoding, path)
    if not data.isascii():  # the usual file is, and needs no decoding
        _decoded(data, encoding, path)
    return data.removeprefix(codecs.BOM_UTF8)


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


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _encoded(text: str, encoding: str, path: str) -> bytes:
    """Return a text as UTF-8; some encodings can spell halves of characters, which are no text."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise BadData(
            f"{path}, line {line:,}: half a character; this is no text in {encoding}", hint='encoding="utf-8"'
        ) from None
