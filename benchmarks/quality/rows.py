"""Our models beside those of scikit-surprise, by family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.quality.aims import verdicts
from benchmarks.quality.data import DATA
from benchmarks.quality.peers import FAMILIES, family_of
from benchmarks.quality.store import Cell


@dataclass(frozen=True)
class Figures:
    """Metrics of one model on some folds: means, but the highest memory."""

    name: str
    folds: int
    rmse: float
    mae: float
    fit: float
    test: float
    memory: float

    @classmethod
    def of(cls, cell: Cell, folds: int | None = None) -> Figures:
        """Aggregate the first folds of a cell."""
        folds_used = cell["folds"][:folds]
        means = (float(np.mean([fold[key] for fold in folds_used])) for key in _MEANS)
        return cls(cell["model"], len(folds_used), *means, max(fold["memory_mb"] for fold in folds_used))

    @property
    def seconds(self) -> float:
        """Seconds of fitting and testing."""
        return self.fit + self.test


_MEANS = ("rmse", "mae", "fit_seconds", "test_seconds")


@dataclass
class Row:
    """One row of a table."""

    family: str
    ours: Figures | str | None = None  # a name alone: not evaluated
    theirs: Figures | str | None = None
    repeated: bool = False  # ours is in the row above
    aims: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes to fit and test."""
        if isinstance(self.ours, Figures) and isinstance(self.theirs, Figures):
            return self.theirs.seconds / self.ours.seconds
        return None


def latest(cells: Iterable[Cell], data: str) -> dict[tuple[str, str], Cell]:
    """Return the cell of each model of a dataset that was planned with the most folds."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        key = cell["library"], cell["model"]
        if cell["data"] == data and (key not in found or found[key]["planned"] < cell["planned"]):
            found[key] = cell
    return found


def rows_of(cells: Iterable[Cell], data: str) -> list[Row]:
    """Pair our models with their peers, best first.

    Raises
    ------
    ValueError
        If two models of a row were not evaluated on the same folds.
    """
    found = latest(cells, data)
    blocks = []
    families = [*FAMILIES, *(model for library, model in found if library == "foretaste")]
    error = {key: Figures.of(cell).rmse for key, cell in found.items() if cell["folds"]}
    for family in dict.fromkeys(families):
        ours = [c for (library, m), c in found.items() if library == "foretaste" and family_of(m) == family]
        peers = [
            found[key] for p in FAMILIES.get(family, ((), ()))[1] if (key := ("surprise", p.name)) in found
        ]
        peers.sort(key=lambda cell: error.get(("surprise", cell["model"]), np.inf))
        rows = _block(family, ours[0] if ours else None, peers)
        if rows:
            key = error.get(("foretaste", ours[0]["model"]), 1e300) if ours else np.inf
            blocks.append((key, rows))
    blocks.sort(key=lambda block: block[0])
    rows = [row for _, block in blocks for row in block]
    _add_aims(rows, data, found)
    return rows


def _block(family: str, ours: Cell | None, peers: Sequence[Cell]) -> list[Row]:
    """Return the rows of one family: our model beside each peer, on their common folds."""
    whole = ours if ours is not None and ours["folds"] else None
    refused = ours["model"] if ours is not None and whole is None else None
    rows: list[Row] = []
    for peer in peers:
        if not peer["folds"]:
            continue
        common = len(peer["folds"]) if whole is None else min(len(peer["folds"]), len(whole["folds"]))
        theirs = Figures.of(peer, common)
        if whole is None:
            rows.append(Row(family, refused, theirs, repeated=bool(rows)))
            continue
        _check_same(whole, peer, common)
        ours_too = Figures.of(whole, common)
        rows.append(Row(family, ours_too, theirs, repeated=any(row.ours == ours_too for row in rows)))
    if whole is not None and not any(_folds(row) == len(whole["folds"]) for row in rows):
        rows.insert(0, Row(family, Figures.of(whole)))
    if refused and not rows:
        rows.append(Row(family, refused))
    has_rows = bool(rows)
    for peer in peers:
        if not peer["folds"]:
            rows.append(Row(family, rows[0].ours if has_rows else None, peer["model"], repeated=has_rows))
    return rows


def _folds(row: Row) -> int:
    return row.ours.folds if isinstance(row.ours, Figures) else 0


def _check_same(ours: Cell, theirs: Cell, folds: int) -> None:
    for fold, (mine, yours) in enumerate(zip(ours["folds"][:folds], theirs["folds"][:folds], strict=True)):
        if mine["rows"] != yours["rows"]:
            raise ValueError(
                f"{ours['data']}, fold {fold + 1}: {ours['model']} and surprise's {theirs['model']} were not "
                "tested on the same rows; run both again without --resume"
            )


def complete_metrics(found: Mapping[tuple[str, str], Cell], data: str) -> dict[str, Figures]:
    """Return the metrics of our models that were evaluated on all folds."""
    return {
        model: Figures.of(cell)
        for (library, model), cell in found.items()
        if library == "foretaste" and len(cell["folds"]) == DATA[data].n_folds
    }


def _add_aims(rows: list[Row], data: str, found: Mapping[tuple[str, str], Cell]) -> None:
    scale = DATA[data].scale
    unit = scale[1] - scale[0]

    def error(figures: Figures) -> float:
        return figures.mae / unit if DATA[data].nmae else figures.rmse

    whole = complete_metrics(found, data)
    lowest = min((error(figures) for figures in whole.values()), default=None)
    for name, figures in whole.items():
        mine = [row for row in rows if isinstance(row.ours, Figures) and row.ours.name == name]
        peers = [
            (error(row.ours), error(row.theirs))
            for row in mine
            if isinstance(row.ours, Figures) and isinstance(row.theirs, Figures)
        ]
        first = next(row for row in mine if not row.repeated and _folds(row) == figures.folds)
        first.aims = verdicts(
            data,
            name,
            error(figures),
            best=error(figures) == lowest,
            peers=peers,
            bias=error(whole["Bias"]) if "Bias" in whole else None,
        )
