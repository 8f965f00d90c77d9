"""From packed bytes to the file inside: gzip and zip, known by their first bytes, within limits.

Nothing is ever unpacked to the disk, so that no name in an archive can point anywhere. What a member
unpacks to is counted while it is unpacked, whatever the archive declares.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from foretaste._utils.formatting import plural
from foretaste._utils.memory import available_bytes, readable, require
from foretaste.errors import BadData, NotFound, did_you_mean

# A file is refused that unpacks to more than this and to more than so many times its size. Tables of
# ratings are packed to a third or a tenth; deflate can reach a thousandth, and only with one byte repeated.
LARGEST = 1_000_000_000
LARGEST_RATIO = 200
_CHUNK = 1 << 22
_LISTED = 10

# First bytes of files that are no text.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # an empty one
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "xls",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # a stream, which has no name of its own in front
    b"SQLite format 3\0": "sqlite",
    b"\x93NUMPY": "numpy",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "rar",
    b"\x89HDF": "hdf5",
    b"%PDF-": "pdf",
}

# What files of a kind are called, and what to type to get at what they hold.
FOREIGN = {
    "zip": ("a zip archive", "unzip {name}"),
    "xlsx": ("an Excel workbook", "pass the frame pandas.read_excel({name!r})"),
    "xls": ("an Excel workbook", "pass the frame pandas.read_excel({name!r})"),
    "xlsb": ("a binary workbook of Excel", "save it as .xlsx in Excel"),
    "ods": ("an OpenDocument workbook", "pass the frame pandas.read_excel({name!r})"),
    "parquet": ("a Parquet file", "pass the frame polars.read_parquet({name!r})"),
    "arrow": ("an Arrow file", "pass the frame polars.read_ipc({name!r})"),
    "sqlite": ("an SQLite database", "pass the frame pandas.read_sql(query, connection)"),
    "numpy": ("a numpy file", "Ratings.from_columns(user, item, value) on its columns"),
    "gzip": ("packed with gzip", "gunzip --keep {name}"),
    "bzip2": ("packed with bzip2", "bunzip2 --keep {name}"),
    "xz": ("packed with xz", "unxz --keep {name}"),
    "zstd": ("packed with zstd", "unzstd {name}"),
    "tar": ("a tar archive", "tar -xf {name}"),
    "7z": ("a 7z archive", "7z x {name}"),
    "rar": ("a rar archive", "unrar x {name}"),
    "hdf5": ("an HDF5 file", "pass the frame pandas.read_hdf({name!r})"),
    "pdf": ("a PDF document", "save the table in it as CSV"),
}

# What the standard library raises on archives that are no archives.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,
)

_METHODS = {9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "ppmd"}
_JUNK = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._[^/]*$)", re.IGNORECASE)
_TABLE = re.compile(r"\.(data|dat|csv|tsv|inter|xlsx?|parquet|sqlite|db)(\.gz)?$", re.IGNORECASE)


class Unpacked(NamedTuple):
    """What was in an archive, or the file itself if it is none.

    Parameters
    ----------
    data : bytes
    kind : str
        As ``kind_of`` says; never ``"gzip"`` or ``"zip"``.
    name : str
        For messages: ``ml-100k.zip``, or with its member ``ml-100k.zip: ml-100k/u.data``.
    """

    data: bytes
    kind: str
    name: str


def kind_of(data: bytes) -> str:
    """Return what a file is by its content, never by its name: a key of ``FOREIGN``, or ``"text"``."""
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "text")
    if kind == "text" and data[257:262] == b"ustar":
        return "tar"
    return _zip_kind(data) if kind == "zip" else kind


def _zip_kind(data: bytes) -> str:
    """Tell workbooks, which are zip archives too, from others."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names and "xl/workbook.bin" in names:
                return "xlsb"
            if "[Content_Types].xml" in names and any(name.startswith("xl/workbook.") for name in names):
                return "xlsx"
            if "content.xml" in names and "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                return "ods" if b"opendocument.spreadsheet" in archive.read("mimetype") else "zip"
    except DAMAGE:
        pass  # a damaged archive is an archive; unpacking it says what is wrong
    return "zip"


def read_bytes(path: Path) -> bytes:
    """Return what a file holds.

    Raises
    ------
    NotFound
        If there is no such file.
    BadData
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        near = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFound(
            f"there is no file {path}{did_you_mean(path.name, near)}", hint=f"ls {path.parent}"
        ) from None
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror}", hint=f"ls -ld {path}") from None


def unpacked(data: bytes | Path, path: Path, member: str | None = None) -> Unpacked:
    """Return the file inside a gzip file or a zip archive, or the data themselves if they are neither.

    An archive inside an archive is unpacked too, one inside that is refused.

    Parameters
    ----------
    data : bytes or Path
        The packed file; a path is read.
    path : Path
        What it is called, for errors.
    member : str, optional
        Which file of a zip archive; its base name will do if it is the only one of that name. Not needed
        if there is one file only (folders and what macOS and Windows put beside files are passed over).

    Returns
    -------
    Unpacked
        The bytes, what they are, and a name for messages.

    Raises
    ------
    BadData
        If the archive is damaged, encrypted or hostile, holds several files and none is named, or if
        ``member`` is given for a file that is no zip archive.
    NotFound
        If there is no such file or no such member.
    TooLarge
        If what is inside would not fit into memory.
    """
    packed = read_bytes(data) if isinstance(data, Path) else data
    result = Unpacked(packed, kind_of(packed), str(path))
    if member is not None and result.kind != "zip":
        raise BadData(
            f"member={member!r} names a file of a zip archive, but {path} is none", hint="member=None"
        )
    for depth in range(3):
        if result.kind not in ("gzip", "zip"):
            break
        if depth == 2:
            raise BadData(f"{result.name} is packed more than twice", hint="unpack it first")
        if result.kind == "gzip":
            inside, name = _gunzipped(result.data, path, result.name), result.name
        else:
            inside, name = _member(result, path, member if depth == 0 else None)
        result = Unpacked(inside, kind_of(inside), name)
    return result._replace(name=path.name + result.name[len(str(path)) :])


def check_parts(data: bytes, name: str) -> None:
    """Check the parts of a workbook, which is a zip archive that others unpack: their sizes and checksums.

    Raises
    ------
    BadData
        Naming a part that is damaged or would unpack to an absurd size.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as opened:
            for part in opened.infolist():
                if part.file_size > max(LARGEST, LARGEST_RATIO * part.compress_size):
                    raise _absurd(f"{name}: {part.filename}", part.compress_size, readable(part.file_size))
            damaged = opened.testzip()
    except BadData:
        raise
    except DAMAGE as error:
        damaged = str(error)
    if damaged is not None:
        raise BadData(
            f"{name} is a workbook that is cut off or damaged ({damaged})",
            hint="fetch it again, or open it and save it again",
        )


def _gunzipped(packed: bytes, path: Path, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return _collected(iter(lambda: file.read(_CHUNK), b""), len(packed), name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BadData(
            f"{name} is a gzip file that is cut off or damaged ({error})",
            hint=f"fetch it again; test it with: gzip -t {path}",
        ) from None


def _collected(pieces: Iterator[bytes], packed: int, name: str) -> bytes:
    """Join what is unpacked piece by piece, and stop where it becomes absurd or too much for this machine."""
    result = io.BytesIO()
    limit = max(LARGEST, LARGEST_RATIO * packed)
    checked = 0
    for piece in pieces:
        result.write(piece)
        size = result.tell()
        if size > limit:
            raise _absurd(name, packed, f"more than {readable(limit)}")
        if size > checked:  # what is in the buffer already counts as used
            require(len(piece) + (size >> 3), f"unpacking {name}", "a machine with more memory")
            checked = size + (available_bytes() or 0) // 16
    return result.getvalue()


def _absurd(name: str, packed: int, size: str) -> BadData:
    return BadData(
        f"{name} holds {readable(packed)} that would unpack to {size}: no table of ratings is so regular",
        hint="if you trust it, unpack it yourself and read the file",
    )


def _member(archive: Unpacked, path: Path, member: str | None) -> tuple[bytes, str]:
    """Return one file of a zip archive, and its name for messages."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive.data)) as opened:
            info = _chosen(opened, archive.name, member, nested=archive.name != str(path))
            return _inflated(opened, info, path, archive.name), f"{archive.name}: {info.filename}"
    except DAMAGE as error:
        if isinstance(error, BadData):
            raise
        raise BadData(
            f"{archive.name} is a zip archive that is cut off or damaged ({error})",
            hint=f"fetch it again; test it with: unzip -t {path}",
        ) from None


def _chosen(opened: zipfile.ZipFile, name: str, member: str | None, *, nested: bool) -> zipfile.ZipInfo:
    """Return the member that is meant."""
    files = [info for info in opened.infolist() if info.filename]  # a name may be empty in a broken archive
    files = [info for info in files if not info.is_dir() and not _JUNK.search(info.filename)]
    if not files:
        raise BadData(f"{name} is a zip archive without a file in it", hint=f"unzip -l {name}")
    if member is None:
        if len(files) == 1:
            return files[0]
        raise BadData(
            f"{name} holds {len(files):,} files" + (" inside an archive" if nested else "; say which one"),
            where=_listing(files),
            hint=f"unzip {name}, and read one of its files"
            if nested
            else f'member="{_likeliest(files).filename}"',
        )
    found = [info for info in files if info.filename == member] or [
        info for info in files if PurePosixPath(info.filename).name == member
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise BadData(
            f"{name} holds {len(found):,} files called {member!r}",
            where=_listing(found),
            hint=f'member="{_likeliest(found).filename}"'
            if found[0].filename != member
            else f"unzip {name}, and read the file that you mean",
        )
    names = [info.filename for info in files]
    near = did_you_mean(member, names) or did_you_mean(member, [PurePosixPath(n).name for n in names])
    raise NotFound(
        f"{name} holds no file called {member!r}{near}",
        where=_listing(files),
        hint=f'member="{_likeliest(files).filename}"',
    )


def _listing(files: list[zipfile.ZipInfo]) -> str:
    shown = "\n  ".join(f"{info.filename}   {readable(info.file_size)}" for info in files[:_LISTED])
    more = len(files) - _LISTED
    return shown + (f"\n  and {plural(more, 'file')} more" if more > 0 else "")


def _likeliest(files: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """Return the file that most likely holds the ratings: by name, by ending, by size."""

    def worth(info: zipfile.ZipInfo) -> tuple[bool, bool, int]:
        table = bool(_TABLE.search(info.filename))
        return table and "rating" in info.filename.lower(), table, info.file_size

    return max(files, key=worth)


def _inflated(opened: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, archive: str) -> bytes:
    """Unpack a member in pieces; its checksum and its declared size are checked on the way."""
    name = f"{archive}: {info.filename}"
    if info.flag_bits & 0x41 or info.compress_type == 99:
        raise BadData(f"{name} is encrypted", hint=f"unpack it with its password: 7z x {path}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise BadData(
            f"{name} is packed by {method}; stored and deflated files can be read",
            hint=f"7z x {path}, and read the file",
        )
    if info.file_size > max(LARGEST, LARGEST_RATIO * info.compress_size):
        raise _absurd(name, info.compress_size, readable(info.file_size))
    require(info.file_size, f"unpacking {name}", "a machine with more memory")

    def pieces(file: IO[bytes]) -> Iterator[bytes]:
        total = 0
        while piece := file.read(_CHUNK):
            total += len(piece)
            yield piece
        if total != info.file_size:
            raise EOFError(
                f"{info.filename} is shorter than the {info.file_size:,} bytes that it should have"
            )

    with opened.open(info) as file:
        return _collected(pieces(file), info.compress_size, name)
