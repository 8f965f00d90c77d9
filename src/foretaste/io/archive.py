"""Detects file formats by magic bytes and decompresses gzip and zip files in memory, within limits.

Nothing is extracted to disk, so that file names in an archive cannot escape a folder. The decompressed
size is counted while decompressing, whatever the archive declares.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from foretaste._utils.formatting import format_count
from foretaste._utils.memory import available_bytes, check_available, format_bytes
from foretaste.errors import DataError, ForetasteError, Hint, NotFoundError, closest_word

# A file whose decompressed size exceeds both limits is rejected as a decompression bomb. Rating tables
# compress 3 to 10 times; deflate reaches 1000 times, but only with one byte repeated.
MAX_UNPACKED_BYTES = 1_000_000_000
MAX_COMPRESSION_RATIO = 200
CHUNK_SIZE = 1 << 22
_MAX_LISTED = 10

# Magic bytes of binary formats.
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # an empty archive
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "xls",
    b"PAR1": "parquet",
    b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow",  # an IPC stream, which has no magic of its own
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

# Description of each format, and how to read its content.
FILE_FORMATS = {
    "zip": ("a zip archive", "unzip {name}"),
    "xlsx": ("an Excel workbook", "pass the frame pandas.read_excel({name!r})"),
    "xls": ("an Excel workbook", "pass the frame pandas.read_excel({name!r})"),
    "xlsb": ("a binary Excel workbook", "save it as .xlsx in Excel"),
    "ods": ("an OpenDocument workbook", "pass the frame pandas.read_excel({name!r})"),
    "parquet": ("a Parquet file", "pass the frame polars.read_parquet({name!r})"),
    "arrow": ("an Arrow file", "pass the frame polars.read_ipc({name!r})"),
    "sqlite": ("an SQLite database", "pass the frame pandas.read_sql(query, connection)"),
    "numpy": ("a numpy file", "Ratings.from_columns(user, item, value) on its columns"),
    "gzip": ("compressed with gzip", "gunzip --keep {name}"),
    "bzip2": ("compressed with bzip2", "bunzip2 --keep {name}"),
    "xz": ("compressed with xz", "unxz --keep {name}"),
    "zstd": ("compressed with zstd", "unzstd {name}"),
    "tar": ("a tar archive", "tar -xf {name}"),
    "7z": ("a 7z archive", "7z x {name}"),
    "rar": ("a rar archive", "unrar x {name}"),
    "hdf5": ("an HDF5 file", "pass the frame pandas.read_hdf({name!r})"),
    "pdf": ("a PDF document", "save the table in it as CSV"),
}

# What the standard library raises on invalid archives.
ARCHIVE_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    RuntimeError,
)

_COMPRESSION_METHODS = {9: "deflate64", 12: "bzip2", 14: "lzma", 93: "zstd", 95: "xz", 98: "ppmd"}
_SYSTEM_FILES = re.compile(r"(^|/)(__MACOSX/|\.DS_Store$|Thumbs\.db$|desktop\.ini$|\._[^/]*$)", re.IGNORECASE)
_TABLE_SUFFIX = re.compile(r"\.(data|dat|csv|tsv|inter|xlsx?|parquet|sqlite|db)(\.gz)?$", re.IGNORECASE)


class CorruptFileError(ValueError):
    """A binary file that is damaged, or uses a part of its format that is not supported."""


class SourceBytes(NamedTuple):
    """Content of a file, decompressed.

    Parameters
    ----------
    data : bytes
    kind : str
        Result of ``detect_kind``; never ``"gzip"`` or ``"zip"``.
    name : str
        For messages: ``ml-100k.zip``, or with its member ``ml-100k.zip: ml-100k/u.data``.
    """

    data: bytes
    kind: str
    name: str


def detect_kind(data: bytes) -> str:
    """Return the format of a file by its content: a key of ``FILE_FORMATS``, or ``"text"``."""
    kind = next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "text")
    if kind == "text" and data[257:262] == b"ustar":
        return "tar"
    return _detect_zip_kind(data) if kind == "zip" else kind


def _detect_zip_kind(data: bytes) -> str:
    """Distinguish workbooks, which are zip archives, too, from other archives."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = set(archive.namelist())
            if "[Content_Types].xml" in names and "xl/workbook.bin" in names:
                return "xlsb"
            if "[Content_Types].xml" in names and any(name.startswith("xl/workbook.") for name in names):
                return "xlsx"
            if "content.xml" in names and "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                return "ods" if b"opendocument.spreadsheet" in archive.read("mimetype") else "zip"
    except ARCHIVE_ERRORS:
        pass  # still an archive; decompressing it raises the error
    return "zip"


def read_bytes(path: Path) -> bytes:
    """Return the content of a file.

    Raises
    ------
    NotFoundError
        If the file does not exist.
    DataError
        If it cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        candidates = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFoundError(
            f"there is no file {path}", misspelled=(path.name, candidates), hint=f"ls {path.parent}"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", hint=f"ls -ld {path}") from None


def unpack(data: bytes | Path, path: Path, member: str | None = None) -> SourceBytes:
    """Return the file in a gzip file or a zip archive, or the data unchanged if they are neither.

    An archive in an archive is decompressed, too; deeper nesting is rejected.

    Parameters
    ----------
    data : bytes or Path
        Compressed data, or the path to read.
    path : Path
        Name for errors.
    member : str, optional
        File in a zip archive; its base name suffices if it is unique. Not needed if there is only one file
        (folders and system files of macOS and Windows are ignored).

    Returns
    -------
    SourceBytes

    Raises
    ------
    DataError
        If the archive is damaged, encrypted or a decompression bomb, contains several files and ``member``
        is None, or if ``member`` is set for a file that is not a zip archive.
    NotFoundError
        If the file or the member does not exist.
    NotEnoughMemoryError
        If the decompressed file would not fit into memory.
    """
    packed = read_bytes(data) if isinstance(data, Path) else data
    result = SourceBytes(packed, detect_kind(packed), str(path))
    if member is not None and result.kind != "zip":
        raise DataError(
            f"{{member}} needs a zip archive, and {path} is not one",
            arguments={"member": member},
            hint=Hint({"member": None}),
        )
    for depth in range(3):
        if result.kind not in ("gzip", "zip"):
            break
        if depth == 2:
            raise DataError(f"{result.name} is compressed more than twice", hint="decompress it first")
        if result.kind == "gzip":
            content, name = _gunzip(result.data, path, result.name), result.name
        else:
            content, name = _read_member(result, path, member if depth == 0 else None)
        result = SourceBytes(content, detect_kind(content), name)
    return result._replace(name=path.name + result.name[len(str(path)) :])


def check_workbook_parts(data: bytes, name: str) -> None:
    """Check sizes and checksums of a workbook's parts before a library decompresses them.

    Raises
    ------
    DataError
        If a part is damaged or a decompression bomb.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as zip_file:
            for part in zip_file.infolist():
                if part.file_size > max(MAX_UNPACKED_BYTES, MAX_COMPRESSION_RATIO * part.compress_size):
                    raise _unpacked_size_error(
                        f"{name}: {part.filename}", part.compress_size, format_bytes(part.file_size)
                    )
            problem = zip_file.testzip()
    except DataError:
        raise
    except ARCHIVE_ERRORS as error:
        problem = str(error)
    if problem is not None:
        raise DataError(
            f"{name} is a workbook that is truncated or damaged ({problem})",
            hint="download it again, or open it and save it again",
        )


def _gunzip(packed: bytes, path: Path, name: str) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return _read_limited(iter(lambda: file.read(CHUNK_SIZE), b""), len(packed), name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(
            f"{name} is a gzip file that is truncated or damaged ({error})",
            hint=f"download it again; test it with: gzip -t {path}",
        ) from None


def _read_limited(chunks: Iterator[bytes], packed: int, name: str) -> bytes:
    """Join decompressed chunks; raise if they exceed the limits or the free memory."""
    result = io.BytesIO()
    limit = max(MAX_UNPACKED_BYTES, MAX_COMPRESSION_RATIO * packed)
    checked_size = 0
    for chunk in chunks:
        result.write(chunk)
        size = result.tell()
        if size > limit:
            raise _unpacked_size_error(name, packed, f"more than {format_bytes(limit)}")
        if size > checked_size:  # the buffer itself already counts as used
            check_available(len(chunk) + (size >> 3), f"decompressing {name}", "a machine with more memory")
            checked_size = size + (available_bytes() or 0) // 16
    return result.getvalue()


def _unpacked_size_error(name: str, packed: int, size: str) -> DataError:
    return DataError(
        f"{name} would decompress from {format_bytes(packed)} to {size}, which no table of ratings does",
        hint="if you trust it, decompress it yourself and read the file",
    )


def list_members(path: Path) -> list[str]:
    """Return the names, without folders, of the files in a zip archive.

    Raises
    ------
    DataError
        If the archive is damaged.
    """
    with _open_zip(path, str(path), path) as zip_file:
        return [PurePosixPath(info.filename).name for info in _list_files(zip_file)]


def read_member(path: Path, member: str) -> bytes:
    """Return a file of a zip archive, found by its name without folders; only this file is read.

    Raises
    ------
    DataError, NotFoundError, NotEnoughMemoryError
        As ``unpack``.
    """
    with _open_zip(path, str(path), path) as zip_file:
        info = _select_member(zip_file, str(path), member, nested=False)
        return _decompress_member(zip_file, info, path, str(path))


def _read_member(source: SourceBytes, path: Path, member: str | None) -> tuple[bytes, str]:
    """Return a file of a zip archive, and its name for messages."""
    with _open_zip(io.BytesIO(source.data), source.name, path) as zip_file:
        info = _select_member(zip_file, source.name, member, nested=source.name != str(path))
        return _decompress_member(zip_file, info, path, source.name), f"{source.name}: {info.filename}"


@contextmanager
def _open_zip(file: IO[bytes] | Path, name: str, path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive; what is wrong with it, or with what is read of it, is a ``DataError``."""
    try:
        with zipfile.ZipFile(file) as zip_file:
            yield zip_file
    except ARCHIVE_ERRORS as error:
        if isinstance(error, ForetasteError):
            raise
        raise DataError(
            f"{name} is a zip archive that is truncated or damaged ({error})",
            hint=f"download it again; test it with: unzip -t {path}",
        ) from None


def _list_files(zip_file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the files of an archive, without folders and system files."""
    files = [info for info in zip_file.infolist() if info.filename]  # names can be empty in a damaged archive
    return [info for info in files if not info.is_dir() and not _SYSTEM_FILES.search(info.filename)]


def _select_member(
    zip_file: zipfile.ZipFile, name: str, member: str | None, *, nested: bool
) -> zipfile.ZipInfo:
    """Return the requested member, or the only one."""
    files = _list_files(zip_file)
    if not files:
        raise DataError(f"{name} is a zip archive without files", hint=f"unzip -l {name}")
    if member is None:
        if len(files) == 1:
            return files[0]
        raise DataError(
            f"{name} contains {len(files):,} files" + (" in a nested archive" if nested else "; choose one"),
            where=_format_members(files),
            hint=f"unzip {name}, and read one of its files"
            if nested
            else Hint({"member": _guess_member(files).filename}),
        )
    matches = [info for info in files if info.filename == member] or [
        info for info in files if PurePosixPath(info.filename).name == member
    ]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise DataError(
            f"{name} contains {len(matches):,} files called {member!r}",
            where=_format_members(matches),
            hint=Hint({"member": _guess_member(matches).filename})
            if matches[0].filename != member
            else f"unzip {name}, and read one of the files",
        )
    names = [info.filename for info in files]
    if closest_word(member, names) is None:
        names = [PurePosixPath(name).name for name in names]
    raise NotFoundError(
        f"{name} contains no file {member!r}",
        misspelled=(member, names),
        where=_format_members(files),
        hint=Hint({"member": _guess_member(files).filename}),
    )


def _format_members(files: list[zipfile.ZipInfo]) -> str:
    listing = "\n  ".join(f"{info.filename}   {format_bytes(info.file_size)}" for info in files[:_MAX_LISTED])
    n_more = len(files) - _MAX_LISTED
    return listing + (f"\n  and {format_count(n_more, 'file')} more" if n_more > 0 else "")


def _guess_member(files: list[zipfile.ZipInfo]) -> zipfile.ZipInfo:
    """Return the file that most likely holds ratings: by name, suffix, size."""

    def score(info: zipfile.ZipInfo) -> tuple[bool, bool, int]:
        table = bool(_TABLE_SUFFIX.search(info.filename))
        return table and "rating" in info.filename.lower(), table, info.file_size

    return max(files, key=score)


def _decompress_member(
    zip_file: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path, archive_name: str
) -> bytes:
    """Decompress a member in chunks, checking its checksum and its declared size."""
    name = f"{archive_name}: {info.filename}"
    if info.flag_bits & 0x41 or info.compress_type == 99:
        raise DataError(f"{name} is encrypted", hint=f"extract it with its password: 7z x {path}")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        method = _COMPRESSION_METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise DataError(
            f"{name} is compressed with {method}; only stored and deflated files can be read",
            hint=f"7z x {path}, and read the file",
        )
    if info.file_size > max(MAX_UNPACKED_BYTES, MAX_COMPRESSION_RATIO * info.compress_size):
        raise _unpacked_size_error(name, info.compress_size, format_bytes(info.file_size))
    check_available(info.file_size, f"decompressing {name}", "a machine with more memory")

    def iter_chunks(file: IO[bytes]) -> Iterator[bytes]:
        total = 0
        while chunk := file.read(CHUNK_SIZE):
            total += len(chunk)
            yield chunk
        if total != info.file_size:
            raise EOFError(f"{info.filename} is shorter than its declared {info.file_size:,} bytes")

    with zip_file.open(info) as file:
        return _read_limited(iter_chunks(file), info.compress_size, name)
