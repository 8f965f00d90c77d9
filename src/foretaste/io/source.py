"""From a path to the bytes of a text: found, unpacked, decoded; or an error that says what it is instead."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

from foretaste.errors import BadData, InvalidParameter, did_you_mean
from foretaste.io.archive import FOREIGN, unpacked

_NO_FILE = ("idna", "punycode", "unicode-escape", "raw-unicode-escape")
_ENDING = re.compile(rb"(\n[ \t\r]*)+\Z")  # blank lines at the end, which editors leave


def load_text(path: Path, encoding: str, member: str | None = None) -> bytes:
    """Return a file's text as UTF-8 without a byte order mark, unpacked if its first bytes say gzip or zip.

    Raises
    ------
    NotFound
        If there is no such file.
    BadData
        If it is empty, cut off, no text, or not of this encoding.
    InvalidParameter
        If there is no such encoding.
    """
    data, kind, name = unpacked(path, path, member)
    if kind != "text":
        what, hint = FOREIGN[kind]
        place = str(path) if name == path.name else name
        raise BadData(f"{place} is {what}, not a text file", hint=hint.format(name=str(path)))
    return as_text(data, path, encoding)


def as_text(data: bytes, path: Path, encoding: str) -> bytes:
    """Return the bytes of a text, already unpacked, as ``load_text`` does."""
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


def _utf8(data: bytes, encoding: str, path: Path) -> bytes:
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
    if name not in ("utf-8", "utf-8-sig", "ascii"):
        return _encoded(_decoded(data, encoding, path).removeprefix("\ufeff"), encoding, path)
    if not data.isascii():  # the usual file is, and needs no decoding
        _decoded(data, encoding, path)
    return data.removeprefix(codecs.BOM_UTF8)


def _decoded(data: bytes, encoding: str, path: Path) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        other = "latin-1" if encoding.lower() != "latin-1" else "utf-8"
        raise BadData(
            f"{path}, line {line:,}: byte {data[error.start]:#04x} is no text in {encoding}",
            hint=f'encoding="{other}"',
        ) from None


def _encoded(text: str, encoding: str, path: Path) -> bytes:
    """Return a text as UTF-8; some encodings can spell halves of characters, which are no text."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise BadData(
            f"{path}, line {line:,}: half a character; this is no text in {encoding}", hint='encoding="utf-8"'
        ) from None


def path_of(source: Any) -> Path | None:
    """Return the path that ``source`` names, or None if it is a data frame.

    Raises
    ------
    InvalidParameter
        If it is neither.
    """
    from foretaste.columns import is_frame

    if isinstance(source, str | Path):
        return Path(source)
    if is_frame(source):
        return None
    raise InvalidParameter(
        f"source={type(source).__name__} is neither a path nor a data frame",
        hint='read_ratings("ratings.csv"), or a pandas, polars or Arrow table',
    )
