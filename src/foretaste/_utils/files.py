"""Writing files so that a reader never meets a half-written one."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from foretaste.errors import InvalidParameterError, NotFoundError


@contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a path beside ``path`` to write to, and rename it into place when the block ends well.

    If the block is left by an exception (Ctrl-C included), the partial file is removed and an older file
    of that name stays as it was. The permissions of an older file are kept; a link is followed.

    Parameters
    ----------
    path : str or path
        The file that is wanted in the end.

    Yields
    ------
    Path
        An empty file in the same folder, to be written and closed within the block.

    Raises
    ------
    NotFoundError
        If the folder does not exist.
    InvalidParameterError
        If the path cannot be written: a folder, a device, a place without permission.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        kind = "a folder" if target.is_dir() else "not an ordinary file"
        raise InvalidParameterError(f"cannot write {path}: it is {kind}", hint="give the name of a file")
    if not target.parent.is_dir():
        raise NotFoundError(
            f"cannot write {path}: there is no folder {target.parent}", hint=f"mkdir -p {Path(path).parent}"
        )
    partial = target.parent / f".{target.name[:100]}.{secrets.token_hex(8)}.partial"
    try:
        partial.touch(exist_ok=False)  # not by tempfile: the file is to get the usual permissions
    except OSError as error:
        raise InvalidParameterError(
            f"cannot write {path}: {error.strerror}", hint="choose another folder"
        ) from error
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # the name must not be on disk before the bytes are
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
