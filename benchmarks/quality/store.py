"""The dated JSON of finished cells: written atomically, and read again to resume."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import foretaste

Cell = dict[str, Any]
FORMAT = 2
KEY = ("data", "library", "model", "planned")
# What a cell depends on: if any of these changes, it is evaluated again.
GROUNDS = ("processor", "cores", "python", "version", "code")


def today() -> str:
    """Return the date as in file names."""
    return datetime.datetime.now(datetime.UTC).date().isoformat()


@functools.cache
def code_of_foretaste() -> str:
    """Return a hash of the package on disk, as its version stays while models change."""
    root, sums = Path(foretaste.__file__).parent, hashlib.sha256()
    for path in sorted([*root.rglob("*.py"), *root.glob("_native*")]):
        sums.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return sums.hexdigest()[:12]


def grounds(library: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a cell evaluated now depends on."""
    ours = library == "foretaste"
    return {
        "processor": about["processor"],
        "cores": about["cores"],
        "python": about["python"],
        "version": foretaste.__version__ if ours else version("scikit-surprise"),
        "code": code_of_foretaste() if ours else None,
        "date": today(),
    }


class ResultStore:
    """Finished cells in one JSON file.

    Parameters
    ----------
    folder : Path
        Folder of the dated files.
    resume : bool
        Continue the newest file, whatever its date; else today's.
    """

    def __init__(self, folder: Path, *, resume: bool) -> None:
        self.path = folder / f"{today()}-quality.json"
        earlier = [path for path in sorted(folder.glob("*-quality.json")) if _content(path)]
        if resume and earlier:
            self.path = earlier[-1]
        self._run: dict[str, Any] | None = None
        self.content: dict[str, Any] = _content(self.path) or {"format": FORMAT, "runs": [], "cells": []}

    @property
    def cells(self) -> list[Cell]:
        """All finished cells."""
        return list(self.content["cells"])

    def start_run(self, about: Mapping[str, Any]) -> None:
        """Note the machine and the command of a run; they are written with its first cell."""
        self._run = {"date": today(), **about}

    def is_finished(self, key: Mapping[str, Any], cell_grounds: Mapping[str, Any]) -> bool:
        """Return whether there is such a cell, evaluated by the same code on the same machine."""
        return any(
            _same(cell, key) and all(cell["grounds"][name] == cell_grounds[name] for name in GROUNDS)
            for cell in self.content["cells"]
        )

    def put(self, cell: Cell) -> None:
        """Write a finished cell, replacing an older one."""
        if self._run is not None:
            self.content["runs"].append(self._run)
            self._run = None
        others = [old for old in self.content["cells"] if not _same(old, cell)]
        self.content["cells"] = [*others, cell]
        write_atomically(self.path, json.dumps(self.content, indent=1, allow_nan=False) + "\n")


def _same(cell: Cell, key: Mapping[str, Any]) -> bool:
    return all(cell[name] == key[name] for name in KEY)


def _content(path: Path) -> dict[str, Any] | None:
    """Return the content of a file, or None if there is none of this format."""
    if not path.exists():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content if content.get("format") == FORMAT else None


def write_atomically(path: Path, text: str) -> None:
    """Write to a temporary file and rename it, so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + f".{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
