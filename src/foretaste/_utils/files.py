"""Atomic file writes."""

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
    """Yield a temporary path beside ``path``, and rename it to ``path`` when the block succeeds.

    If the block raises (KeyboardInterrupt included), the temporary file is removed and an existing file is
    unchanged. Permissions of an existing file are preserved; symbolic links are followed.

    Parameters
    ----------
    path : str or path
        The file to write.

    Yields
    ------
    Path
        An empty file in the same folder, to be written and closed within the block.

    Raises
    ------
    NotFoundError
        If the folder does not exist.
    InvalidParameterError
        If the path cannot be written: a folder, a device, no permission.
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
        partial.touch(exist_ok=False)  # not tempfile, which sets private permissions
    except OSError as error:
        raise InvalidParameterError(
            f"cannot write {path}: {error.strerror}", hint="choose another folder"
        ) from error
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())  # the data must be on disk before the name is
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
