"""One problem found in ratings, with its impact and its fix."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from foretaste.errors import Hint

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
    fix : Hint or str
        Arguments of ``read_ratings``, or a line of Python; empty if there is nothing to do.
    where : tuple of str
        The first few occurrences, as they are in the source.
    """

    kind: str
    severity: str
    message: str
    count: int
    impact: str
    fix: Hint | str = ""
    where: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        return dataclasses.asdict(self) | {"where": list(self.where), "fix": str(self.fix)}
