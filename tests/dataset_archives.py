"""Archives in the layouts of the published datasets, with rows from a test."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foretaste.datasets import info, registry


def register_archive(monkeypatch: pytest.MonkeyPatch, name: str, file: str, data: bytes) -> None:
    """Let the registry have size and checksum of these bytes for an archive of a data set."""
    known = registry.load_registry()
    checked = {"bytes": len(data), "md5": None, "sha256": hashlib.sha256(data).hexdigest()}
    archives = tuple(replace(one, **checked) if one.file == file else one for one in known[name].archives)
    changed = known | {name: replace(known[name], archives=archives)}
    monkeypatch.setattr(registry, "load_registry", lambda: changed)


Row = tuple[int, int, float, int]  # user, item, rating, time


def write_archive(cache: Path, name: str, members: dict[str, str | bytes], holds: str = "ratings") -> Path:
    """Put the archive of a data set into the cache, as if it had been fetched."""
    (published,) = [a for a in info(name).archives if a.contents in (holds, "both")][:1]
    return write_named_archive(cache, name, published.file, members)


def write_named_archive(cache: Path, name: str, file: str, members: dict[str, str | bytes]) -> Path:
    """Put one archive of several into the cache."""
    path = cache / "datasets" / name / file
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for member, text in members.items():
            out.writestr(member, text)
    return path


def join_rows(rows: Iterable[Sequence[object]], separator: str, end: str = "\n") -> str:
    """Write rows as text; whole ratings without a point, as the owners do."""
    return "".join(
        separator.join(f"{v:g}" if isinstance(v, float) else str(v) for v in row) + end for row in rows
    )


def csv_members(
    folder: str, rows: Iterable[Row], films: Iterable[tuple[int, str, str]]
) -> dict[str, str | bytes]:
    """Return the members of MovieLens from 20M on."""
    films = list(films)
    quoted = [(n, f'"{title}"' if "," in title else title, genres) for n, title, genres in films]
    ratings = "".join(f"{u},{i},{r:.1f},{t}\n" for u, i, r, t in rows)
    return {
        f"{folder}/ratings.csv": "userId,movieId,rating,timestamp\n" + ratings,
        f"{folder}/movies.csv": "movieId,title,genres\n" + join_rows(quoted, ","),
        f"{folder}/links.csv": "movieId,imdbId,tmdbId\n"
        + join_rows(((n, f"{n:07d}", 9 * n) for n, *_ in films), ","),
        f"{folder}/tags.csv": "userId,movieId,tag,timestamp\n",
        f"{folder}/README.txt": "made for a test\n",
    }


def dat_members(
    folder: str, rows: Iterable[Row], films: Iterable[tuple[int, str, str]], encoding: str
) -> dict[str, str | bytes]:
    """Return the members that MovieLens 1M and 10M have in common."""
    return {
        f"{folder}/ratings.dat": join_rows(rows, "::"),
        f"{folder}/movies.dat": join_rows(films, "::").encode(encoding),
    }


def make_workbook(rows: Iterable[Sequence[object]]) -> bytes:
    """Return an Excel workbook of one sheet."""
    from openpyxl import Workbook

    book = Workbook(write_only=True)
    sheet = book.create_sheet("Sheet1")
    for row in rows:
        sheet.append(list(row))
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def add_count_column(matrix: np.ndarray) -> list[list[float]]:
    """Return a table of ratings with their count in front and 99 where there is none (NaN here)."""
    counts = (~np.isnan(matrix)).sum(axis=1)
    return [
        [int(n), *row]
        for n, row in zip(counts, np.where(np.isnan(matrix), 99.0, matrix).tolist(), strict=True)
    ]
