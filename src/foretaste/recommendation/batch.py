"""``recommend_all``: the recommendations of all users into a file, a batch at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretaste._utils.files import atomic_write
from foretaste._utils.progress import Progress, progress_for
from foretaste.errors import InvalidParameter
from foretaste.features import Catalogue
from foretaste.models.base import Model
from foretaste.recommendation.recommendations import Recommendations
from foretaste.recommendation.top_n import Work

FORMATS = (".parquet", ".csv")
_PAIRS = 50_000_000  # pairs ranked in one step, so that progress is seen to move
_ROWS = 250_000  # recommendations kept in memory before they are written


def recommend_all(
    model: Model,
    path: str | os.PathLike[str],
    n: int = 10,
    *,
    users: Any = None,
    exclude: Any = None,
    candidates: Any = None,
    catalogue: Catalogue | None = None,
    unknown: str = "refuse",
    threads: int | None = None,
    progress: bool | Progress = False,
) -> int:
    """Write the recommendations of all users to a file, in bounded memory.

    Beside the model and the pairs that are left out it needs about 100 MB, however many users there are. The
    file appears when it is complete; if the work is stopped (Ctrl-C), an older one stays as it was.

    Parameters
    ----------
    model : Model
        Fitted.
    path : str or path
        A name that ends in ``.parquet`` or ``.csv``. The columns are those of ``Recommendations.to_frame``:
        user, rank (from 1), item, prediction, title (with a catalogue), fallback.
    n, users, exclude, candidates, catalogue, unknown, threads
        As in ``recommend``.
    progress : bool or Progress
        Show how far it is.

    Returns
    -------
    int
        How many rows were written.

    Raises
    ------
    InvalidParameter
        If the name ends in something else, or an argument is not allowed.
    NotFound
        If the folder does not exist, a user is unknown, or not one of the candidates is known.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise InvalidParameter(
            f"cannot write recommendations to {os.fspath(path)}: its name must end in {' or '.join(FORMATS)}",
            hint=f"{Path(path).with_suffix('.parquet')}",
        )
    work = Work(model, users, n, exclude, candidates, unknown, threads)
    with atomic_write(path) as partial, progress_for(progress).task("recommend", len(work.user)) as task:
        batches = _batches(work, catalogue, task)
        return _write_csv(batches, partial) if ending == ".csv" else _write_parquet(batches, partial)


def _batches(work: Work, catalogue: Catalogue | None, task: Any) -> Iterator[Any]:
    """Give frames of at most about ``_ROWS`` rows; at least one."""
    ranking, users = work.ranking, len(work.user)
    step = max(1, min(_PAIRS // max(1, len(ranking.allowed)), _ROWS // max(1, ranking.n)))
    waiting: list[Recommendations] = []
    for start in range(0, users, step):
        waiting.append(work.part(slice(start, min(users, start + step)), catalogue))
        task.step(min(users, start + step) - start)
        if sum(map(len, waiting)) >= _ROWS:
            yield _joined(waiting)
            waiting.clear()
    if waiting or not users:
        yield _joined(waiting or [work.part(slice(0, 0), catalogue)])


def _joined(parts: list[Recommendations]) -> Any:
    import polars as pl

    return pl.concat([part.to_frame() for part in parts])


def _write_csv(frames: Iterator[Any], path: Path) -> int:
    rows = 0
    with path.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0)
            rows += len(frame)
    return rows


def _write_parquet(frames: Iterator[Any], path: Path) -> int:
    """Write parts beside the file and let polars stream them into one: it cannot add to a Parquet file."""
    import polars as pl

    rows, parts = 0, list[Path]()
    with tempfile.TemporaryDirectory(prefix=f"{path.name[:100]}.", dir=path.parent) as folder:
        for number, frame in enumerate(frames):
            parts.append(Path(folder) / f"{number:09d}.parquet")
            frame.write_parquet(parts[-1])
            rows += len(frame)
        if len(parts) == 1:
            parts[0].replace(path)
        else:
            pl.scan_parquet(parts).sink_parquet(path)
    return rows
