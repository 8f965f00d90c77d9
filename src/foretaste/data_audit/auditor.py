"""``audit``: all checks, one after the other."""

from __future__ import annotations

from typing import Any

from foretaste._utils.progress import Progress, progress_for
from foretaste.data_audit.findings import WARNING, Audit, Finding
from foretaste.data_audit.id_checks import ids_of_many_writings
from foretaste.data_audit.row_checks import odd_ratings, unusable_rows
from foretaste.data_audit.source import opened
from foretaste.data_audit.summary import facts_of
from foretaste.data_audit.time_checks import odd_times
from foretaste.data_audit.user_checks import left_unknown, odd_people

_CHECKS = {
    "rows": unusable_rows,
    "ratings": odd_ratings,
    "ids": ids_of_many_writings,
    "times": odd_times,
    "users and items": odd_people,
}


def audit(
    source: Any,
    *,
    scale: tuple[float, float] | None = None,
    seed: int = 0,
    progress: bool | Progress = False,
    **reading: Any,
) -> Audit:
    """Look over ratings before a model learns from them: what is there, and what is wrong with it.

    Nothing is mended. Rows that ``read_ratings`` would refuse are counted and left out.

    Parameters
    ----------
    source : Ratings, or a file, frame or database
        Ratings, or what ``read_ratings`` reads.
    scale : (low, high), optional
        The lowest and highest rating allowed; without it, ratings that look like marks are looked for.
    seed : int
        Of the splits whose unknown users and items are counted.
    progress : bool or Progress
        Whether to show what is being checked.
    **reading
        The other arguments of ``read_ratings``.

    Returns
    -------
    Audit
        The same for the same ratings and seed, but that times to come are those after now.

    Raises
    ------
    BadData
        If a source has no columns of users, items and ratings.
    NotFound
        If there is no such file.
    InvalidParameter
        If an argument is not allowed.

    Examples
    --------
    >>> from foretaste import audit, load_dataset
    >>> audit(load_dataset("sample")).warnings
    ()
    """
    with progress_for(progress).task("audit", len(_CHECKS) + 2) as task:
        case = opened(source, scale, seed, reading)
        task.step(note="figures")
        facts = facts_of(case)
        found: list[Finding] = []
        for name, check in _CHECKS.items():
            task.step(note=name)
            if name == "rows" or len(case.ratings):
                found += check(case)
        found += left_unknown(case, facts["cold"])
        task.step()
    found.sort(key=lambda finding: finding.severity != WARNING)  # else in the order of the checks
    return Audit(case.name, facts, tuple(found))
