"""``audit``: runs all checks; ``Audit``: their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import format_count
from foretaste._utils.plotting import PlotMixin
from foretaste._utils.progress import Progress, get_progress
from foretaste.data_audit.findings import WARNING, Finding
from foretaste.data_audit.id_checks import check_id_spelling
from foretaste.data_audit.rendering import as_html, lines
from foretaste.data_audit.row_checks import check_ratings, check_rows
from foretaste.data_audit.source import load_input
from foretaste.data_audit.summary import summarize
from foretaste.data_audit.time_checks import check_timestamps
from foretaste.data_audit.user_checks import check_cold_start, check_users
from foretaste.read_options import ReadOptions, document_options

_CHECKS = {
    "rows": check_rows,
    "ratings": check_ratings,
    "ids": check_id_spelling,
    "times": check_timestamps,
    "users and items": check_users,
}


@dataclass(frozen=True, eq=False, repr=False)
class Audit(PlotMixin):
    """Result of ``audit``.

    Parameters
    ----------
    name : str
        Name of the source.
    summary : dict
        JSON types: the keys of ``Ratings.describe``, and ``rows``, ``unusable_rows``,
        ``distinct``, ``step``, ``declared_scale``, ``user_ids``, ``item_ids``, ``histogram``,
        ``quantiles``, ``long_tail``, ``single``, ``time`` and ``cold_start``.
    findings : tuple of Finding
        Warnings first.
    """

    name: str
    summary: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that should be fixed."""
        return tuple(f for f in self.findings if f.severity == WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are information."""
        return tuple(f for f in self.findings if f.severity != WARNING)

    def findings_of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind."""
        return tuple(f for f in self.findings if f.kind == kind)

    @property
    def headline(self) -> str:
        """One sentence: the size of the data and the number of findings."""
        summary = self.summary
        size = f"{format_count(summary['ratings'], 'rating')}, {format_count(summary['users'], 'user')} x "
        size += format_count(summary["items"], "item")
        parts = [
            format_count(len(findings), word)
            for findings, word in ((self.warnings, "warning"), (self.notes, "note"))
        ]
        verdict = ", ".join(parts) if self.findings else "no findings"
        return f"{self.name}: {size}; {verdict}."

    def to_dict(self) -> dict[str, Any]:
        """Return ``name``, ``summary`` and ``findings`` as JSON types."""
        return {
            "name": self.name,
            "summary": self.summary,
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def __str__(self) -> str:
        return "\n".join(line for line, _ in lines(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return as_html(self)


@document_options(ReadOptions)
def audit(
    source: Any,
    *,
    scale: tuple[float, float] | None = None,
    seed: int = 0,
    progress: bool | Progress = False,
    **read_options: Any,
) -> Audit:
    """Check ratings before training: what they contain and what is wrong with them.

    Nothing is changed. Rows at which ``read_ratings`` raises are counted and left out.

    Parameters
    ----------
    source : Ratings, or a file, frame or database
        Ratings, or what ``read_ratings`` reads.
    scale : (low, high), optional
        The lowest and highest rating allowed; without it, ratings that look like missing-value markers are
        searched.
    seed : int
        Random seed of the splits whose cold-start rows are counted.
    progress : bool or Progress
        Whether to show the progress of the checks.
    **read_options
        The other arguments of ``read_ratings``, of {option_names}.

    Returns
    -------
    Audit
        Deterministic for the same ratings and seed, except that future timestamps are those after now.

    Raises
    ------
    DataError
        If a source has no columns of users, items and ratings.
    NotFoundError
        If there is no such file.
    InvalidParameterError
        If an argument is not allowed.

    Examples
    --------
    >>> from foretaste import audit, load_dataset
    >>> audit(load_dataset("sample")).warnings
    ()
    """
    with get_progress(progress).start_task("audit", len(_CHECKS) + 2) as task:
        data = load_input(source, scale, seed, read_options)
        task.step(note="summary")
        summary = summarize(data)
        findings: list[Finding] = []
        for name, check in _CHECKS.items():
            task.step(note=name)
            if name == "rows" or len(data.ratings):
                findings += check(data)
        findings += check_cold_start(data, summary["cold_start"])
        task.step()
    findings.sort(key=lambda finding: finding.severity != WARNING)  # stable: in the order of the checks
    return Audit(data.name, summary, tuple(findings))
