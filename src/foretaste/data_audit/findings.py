"""What an audit ends in: facts, and findings with their mends."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from foretaste._utils.formatting import format_count
from foretaste._utils.plotting import PlotMixin

WARNING, NOTE = "warning", "note"


@dataclass(frozen=True)
class Finding:
    """One thing that was found in the ratings.

    Parameters
    ----------
    kind : str
        What it is, in one word: ``missing_marker``.
    severity : {"warning", "note"}
        A warning should be mended before a model learns; a note is to be known.
    message : str
        A sentence with its counts.
    count : int
        How many: rows, ids or users, as ``message`` says.
    impact : str
        What it does to a model.
    fix : str
        What mends it: arguments of ``read_ratings``, or a line of Python; empty where nothing needs to be
        done.
    where : tuple of str
        The first few, as people wrote them.
    """

    kind: str
    severity: str
    message: str
    count: int
    impact: str
    fix: str = ""
    where: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON can hold them."""
        return dataclasses.asdict(self) | {"where": list(self.where)}


@dataclass(frozen=True, eq=False, repr=False)
class Audit(PlotMixin):
    """What was found in ratings; made by ``audit``.

    Parameters
    ----------
    name : str
        What the source is called.
    summary : dict
        Figures, as JSON can hold them: those of ``Ratings.describe``, and ``rows``, ``unusable_rows``,
        ``distinct``, ``step``, ``declared_scale``, ``user_ids``, ``item_ids``, ``histogram``,
        ``quantiles``, ``long_tail``, ``time`` and ``cold``.
    findings : tuple of Finding
        Warnings first.
    """

    name: str
    summary: dict[str, Any]
    findings: tuple[Finding, ...]

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that should be mended."""
        return tuple(f for f in self.findings if f.severity == WARNING)

    @property
    def notes(self) -> tuple[Finding, ...]:
        """The findings that are to be known."""
        return tuple(f for f in self.findings if f.severity != WARNING)

    def findings_of_kind(self, kind: str) -> tuple[Finding, ...]:
        """Return the findings of one kind."""
        return tuple(f for f in self.findings if f.kind == kind)

    @property
    def headline(self) -> str:
        """One sentence: how much there is, and how much is wrong with it."""
        summary = self.summary
        size = f"{format_count(summary['ratings'], 'rating')}, {format_count(summary['users'], 'user')} x "
        size += format_count(summary["items"], "item")
        parts = [
            format_count(len(findings), word)
            for findings, word in ((self.warnings, "warning"), (self.notes, "note"))
        ]
        verdict = ", ".join(parts) if self.findings else "nothing was found to be wrong"
        return f"{self.name}: {size}; {verdict}."

    def to_dict(self) -> dict[str, Any]:
        """Return ``name``, ``summary`` and ``findings`` as JSON can hold them."""
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
