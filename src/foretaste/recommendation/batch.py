"""``recommend_all``: writes the recommendations of all users to a file in batches."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from foretaste._utils.checks import check_int
from foretaste._utils.files import atomic_write
from foretaste._utils.progress import Progress, get_progress
from foretaste.errors import InvalidParameterError
from foretaste.features import ItemCatalog
from foretaste.models.base import Model
from foretaste.recommendation.recommendations import Recommendations
from foretaste.recommendation.top_n import RecommendJob

FORMATS = (".parquet", ".csv")
_MAX_PAIRS = 50_000_000  # pairs ranked per step, for smooth progress


def recommend_all(
    model: Model,
    path: str | os.PathLike[str],
    n: int = 10,
    *,
    users: Any = None,
    exclude: Any = None,
    candidates: Any = None,
    catalog: ItemCatalog | None = None,
    unknown_users: str = "raise",
    threads: int | None = None,
    progress: bool | Progress = False,
    batch_rows: int = 250_000,
) -> int:
    """Write the recommendations of all users to a file, in bounded memory.

    Besides the model and the excluded pairs, peak memory is about 100 MB for any number of users. The write
    is atomic: if it is interrupted (Ctrl-C), an existing file is unchanged.

    Parameters
    ----------
    model : Model
        Fitted.
    path : str or path
        Ends in ``.parquet`` or ``.csv``. The columns are those of ``Recommendations.to_frame``:
        user, rank (from 1), item, prediction, title (with a catalog), fallback.
    n, users, exclude, candidates, catalog, unknown_users, threads
        As in ``recommend``.
    progress : bool or Progress
        Whether to show progress.
    batch_rows : int
        Number of rows that are kept in memory before they are written.

    Returns
    -------
    int
        Number of rows written.

    Raises
    ------
    InvalidParameterError
        If the suffix is another one, or an argument is invalid.
    NotFoundError
        If the folder does not exist, a user is unknown, or no candidate is known.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise InvalidParameterError(
            f"cannot write recommendations to {os.fspath(path)}: its name must end in {' or '.join(FORMATS)}",
            hint=f"{Path(path).with_suffix('.parquet')}",
        )
    check_int("batch_rows", batch_rows, low=1, suggestion=250_000)
    job = RecommendJob(model, users, n, exclude, candidates, unknown_users, threads)
    with (
        atomic_write(path) as partial,
        get_progress(progress).start_task("recommend", len(job.user_indices)) as task,
    ):
        batches = _iter_batches(job, catalog, task, batch_rows)
        return _write_csv(batches, partial) if suffix == ".csv" else _write_parquet(batches, partial)


def _iter_batches(
    job: RecommendJob, catalog: ItemCatalog | None, task: Any, batch_rows: int
) -> Iterator[Any]:
    """Yield at least one frame, each of about ``batch_rows`` rows at most."""
    ranker, users = job.ranker, len(job.user_indices)
    step = max(1, min(_MAX_PAIRS // max(1, len(ranker.candidates)), batch_rows // max(1, ranker.n)))
    pending: list[Recommendations] = []
    for start in range(0, users, step):
        pending.append(job.recommend_rows(slice(start, min(users, start + step)), catalog))
        task.step(min(users, start + step) - start)
        if sum(map(len, pending)) >= batch_rows:
            yield _concat_frames(pending)
            pending.clear()
    if pending or not users:
        yield _concat_frames(pending or [job.recommend_rows(slice(0, 0), catalog)])


def _concat_frames(parts: list[Recommendations]) -> Any:
    import polars as pl

    return pl.concat([part.to_frame() for part in parts])


def _write_csv(frames: Iterator[Any], path: Path) -> int:
    rows = 0
    with path.open("wb") as file:
        for index, frame in enumerate(frames):
            frame.write_csv(file, include_header=index == 0)
            rows += len(frame)
    return rows


def _write_parquet(frames: Iterator[Any], path: Path) -> int:
    """Write parts and let polars stream them into one file, since it cannot append to a Parquet file."""
    import polars as pl

    rows, parts = 0, list[Path]()
    with tempfile.TemporaryDirectory(prefix=f"{path.name[:100]}.", dir=path.parent) as folder:
        for index, frame in enumerate(frames):
            parts.append(Path(folder) / f"{index:09d}.parquet")
            frame.write_parquet(parts[-1])
            rows += len(frame)
        if len(parts) == 1:
            parts[0].replace(path)
        else:
            pl.scan_parquet(parts).sink_parquet(path)
    return rows
