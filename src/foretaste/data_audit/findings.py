"""Results of an audit: a summary, and findings with their fixes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import format_count
from foretaste._utils.plotting import PlotMixin

WARNING, NOTE = "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One problem found in the ratings.

    Parameters
    ----------
    kind : str
        Identifier of the kind of problem: ``missing_marker``.
    severity : {"warning", "note"}
        A warning should be fixed before training; a note is information.
    message : str
        One sentence with counts.
    count : int
        Number of rows, ids or users, as ``message`` says.
    impact : str
        Effect on a model.
    fix : str
        Arguments of ``read_ratings``, or a line of Python; empty if there is nothing to do.
    where : tuple of str
        The first few occurrences, as they are in the source.
    """

    kind: str
    severity: str
    message: str
    count: int
    impact: str
    fix: str = ""
    where: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return dataclasses.asdict(self) | {"where": list(self.where)}


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
        from foretaste.data_audit.rendering import lines

        return "\n".join(line for line, _ in lines(self))

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from foretaste.data_audit.rendering import as_html

        return as_html(self)
