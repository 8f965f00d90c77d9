"""The page of all finished cells: our rows beside those of scikit-surprise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.quality.aims import verdicts
from benchmarks.quality.data import DATA
from benchmarks.quality.peers import ALL_PEERS, FAMILIES, family_of
from benchmarks.quality.store import Cell

SIDE = ("RMSE", "MAE", "fit s", "test s", "MB")
NUMBERS = frozenset({*SIDE, "NMAE", "folds", "time ratio"})
NOTHING = ""


@dataclass(frozen=True)
class Figures:
    """The figures of one model on some folds: means, but the highest memory."""

    name: str
    folds: int
    rmse: float
    mae: float
    fit: float
    test: float
    memory: float

    @classmethod
    def of(cls, cell: Cell, folds: int | None = None) -> Figures:
        """Take them from the first folds of a cell."""
        taken = cell["folds"][:folds]
        means = (float(np.mean([fold[key] for fold in taken])) for key in _MEANS)
        return cls(cell["model"], len(taken), *means, max(fold["memory_mb"] for fold in taken))

    @property
    def seconds(self) -> float:
        """Of fitting and testing."""
        return self.fit + self.test


_MEANS = ("rmse", "mae", "fit_seconds", "test_seconds")


@dataclass
class Row:
    """One row of a table."""

    family: str
    ours: Figures | str | None = None  # a name alone: refused
    theirs: Figures | str | None = None
    repeated: bool = False  # ours stands in the row above
    aims: list[str] = field(default_factory=list)

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes to fit and test."""
        if isinstance(self.ours, Figures) and isinstance(self.theirs, Figures):
            return self.theirs.seconds / self.ours.seconds
        return None


def latest(cells: Iterable[Cell], data: str) -> dict[tuple[str, str], Cell]:
    """Return the cell of each model of a data set that was to be judged by the most folds."""
    found: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        key = cell["library"], cell["model"]
        if cell["data"] == data and (key not in found or found[key]["planned"] < cell["planned"]):
            found[key] = cell
    return found


def rows_of(cells: Iterable[Cell], data: str) -> list[Row]:
    """Pair our models with their peers, the best first.

    Raises
    ------
    ValueError
        If two rows beside one another were not judged on the same folds.
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
    """Return the rows of one family: our model beside each peer, on the folds that both have."""
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
    spoken = bool(rows)
    for peer in peers:
        if not peer["folds"]:
            rows.append(Row(family, rows[0].ours if spoken else None, peer["model"], repeated=spoken))
    return rows


def _folds(row: Row) -> int:
    return row.ours.folds if isinstance(row.ours, Figures) else 0


def _check_same(ours: Cell, theirs: Cell, folds: int) -> None:
    for fold, (mine, yours) in enumerate(zip(ours["folds"][:folds], theirs["folds"][:folds], strict=True)):
        if mine["rows"] != yours["rows"]:
            raise ValueError(
                f"{ours['data']}, fold {fold + 1}: {ours['model']} and surprise's {theirs['model']} were not "
                "judged on the same rows; run both again without --resume"
            )


def _add_aims(rows: list[Row], data: str, found: Mapping[tuple[str, str], Cell]) -> None:
    scale = DATA[data].scale
    unit = scale[1] - scale[0]

    def error(figures: Figures) -> float:
        return figures.mae / unit if DATA[data].nmae else figures.rmse

    # An aim is met or not on all folds; a run of some of them says nothing.
    whole = {
        model: Figures.of(cell)
        for (library, model), cell in found.items()
        if library == "foretaste" and cell["folds"] and len(cell["folds"]) == DATA[data].n_folds
    }
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


def table(rows: Sequence[Row], data: str) -> list[str]:
    """Return a table in Markdown, its columns aligned."""
    second = "NMAE" if DATA[data].nmae else "MAE"
    side = tuple(second if name == "MAE" else name for name in SIDE)
    head = ["family", "foretaste", *side, "surprise", *side, "folds", "time ratio", "aim: met"]
    lines = [head]
    for place, row in enumerate(rows):
        again = place > 0 and rows[place - 1].family == row.family
        ours = [""] * 6 if row.repeated else _side(row.ours, data)
        folds = next((f.folds for f in (row.theirs, row.ours) if isinstance(f, Figures)), None)
        lines.append(
            [
                "" if again or row.family not in FAMILIES else row.family,
                *ours,
                *_side(row.theirs, data),
                NOTHING if folds is None else f"{folds}",
                NOTHING
                if row.ratio is None
                else f"{row.ratio:,.3g}x"
                if row.ratio < 100
                else f"{row.ratio:,.0f}x",
                "; ".join(row.aims),
            ]
        )
    widths = [max(len(cells[column]) for cells in lines) for column in range(len(head))]
    right = [name in NUMBERS for name in head]
    text = [
        "| " + " | ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(cells, widths, right, strict=True)
        ) + " |"
        for cells in lines
    ]  # fmt: skip
    rule = "|" + "|".join(
        "-" * (w + 1) + (":" if flush else "-") for w, flush in zip(widths, right, strict=True)
    )
    return [text[0], rule + "|", *text[1:]]


def _side(figures: Figures | str | None, data: str) -> list[str]:
    if figures is None:
        return [NOTHING] * 6
    if isinstance(figures, str):
        return [figures, "refused", *[NOTHING] * 4]
    low, high = DATA[data].scale
    second = figures.mae / (high - low) if DATA[data].nmae else figures.mae
    return [
        figures.name,
        f"{figures.rmse:.4f}",
        f"{second:.4f}",
        _seconds(figures.fit),
        _seconds(figures.test),
        f"{figures.memory:,.1f}" if figures.memory < 10 else f"{figures.memory:,.0f}",
    ]


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 10 else f"{seconds:,.1f}"


def line(cell: Cell) -> str:
    """Say what came of one cell, as it stands on the terminal."""
    if not cell["folds"]:
        return f"refused: {cell['refused']}"
    one = Figures.of(cell)
    return (
        f"RMSE {one.rmse:.4f}  MAE {one.mae:.4f}  fit {_seconds(one.fit)} s  test {_seconds(one.test)} s  "
        f"{one.memory:,.0f} MB  folds {one.folds}"
    )


def section(cells: Sequence[Cell], data: str) -> list[str]:
    """Return the part of the page about one data set."""
    mine = list(latest(cells, data).values())
    sizes = next((cell["folds"][0] for cell in mine if cell["folds"]), None)
    counts = (
        f" {sizes['train_rows']:,} rows to learn from, {sizes['test_rows']:,} to judge by"
        + (" in the first fold." if DATA[data].n_folds > 1 else ".")
        if sizes
        else ""
    )
    text = [f"## {DATA[data].label}", "", f"Protocol: {DATA[data].protocol}.{counts}", ""]
    text += table(rows_of(cells, data), data)
    slow = [cell["model"] for cell in mine if cell["slow"]]
    if slow:
        text += [
            "",
            f"Slow, so judged by the first fold only: {'; '.join(slow)} of surprise. Beside it stands our "
            "model on that same fold, and once more on all of them.",
        ]
    refused = [cell for cell in mine if not cell["folds"]]
    if refused:
        text += ["", "Refused:", ""]
        text += [
            f"* {'surprise ' if cell['library'] == 'surprise' else ''}{cell['model']}: {cell['refused']}"
            for cell in refused
        ]
    return text


def tables(cells: Sequence[Cell], data: Iterable[str]) -> str:
    """Return the parts of the page about some data sets."""
    known = {cell["data"] for cell in cells}
    parts = ["\n".join(section(cells, name)) for name in data if name in known]
    return "\n\n".join(parts) + "\n"


def _summary(cells: Sequence[Cell]) -> str:
    """Say how many aims are met, and name those that are not."""
    said = [
        (data, row.ours.name, aim)
        for data in DATA
        for row in rows_of(cells, data)
        for aim in row.aims
        if isinstance(row.ours, Figures)
    ]
    missed = [
        f"{model} on {DATA[data].label} ({aim.removesuffix(': no')})"
        for data, model, aim in said
        if aim.endswith(": no")
    ]
    return f"Of {len(said)} aims {len(said) - len(missed)} are met" + (
        f"; not met: {'; '.join(missed)}." if missed else "."
    )


def page(content: Mapping[str, Any], source: str) -> str:
    """Return the whole page."""
    cells, runs = content["cells"], content["runs"]
    about = runs[-1]
    peer = about["versions"].get("scikit-surprise")
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    commands = " and ".join(f"`{one}`" for one in dict.fromkeys(run["command"] for run in runs))
    dates = sorted({cell["grounds"]["date"] for cell in cells})
    text = [
        "# Quality",
        "",
        f"Written from `results/{source}` by {commands}. Every model at its defaults: ours were chosen on "
        "other ratings (`docs/decisions/0004-defaults.md`), surprise's are its own, with the true scale in "
        "its Reader. Seed 0 for whatever draws numbers.",
        "",
        "RMSE and MAE in rating units, means over the folds. *fit s* and *test s*: seconds to learn from the "
        "rows of one fold and to predict those to judge by, means; the rows are in the form of the library "
        "before. *MB* (10^6 bytes): by how much memory in use rose above that before fitting, each model on "
        "each data set in a process of its own. *time ratio*: fit and test of surprise over ours. Rows "
        "beside one another were judged on the same folds: a hash of the rows that each library held is the "
        "same.",
        "",
        f"{about['processor']}, {about['cores']} cores, instruction set {about['instruction_set']} (our "
        f"kernels use all cores, surprise one), Python {about['python']}, foretaste {about['foretaste']}; "
        f"{versions}. Judged {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}.",
        "",
        _summary(cells),
    ]
    codes = {cell["grounds"]["code"] for cell in cells if cell["library"] == "foretaste"}
    if len(codes) > 1:
        text += [
            "",
            f"Our rows are of {len(codes)} states of the code; run with `--resume` to judge the older again.",
        ]
    names = {cell["model"] for cell in cells if cell["library"] == "surprise"}
    if peer and names:
        calls = ", ".join(f"`{ALL_PEERS[name].code}`" for name in ALL_PEERS if name in names)
        text += ["", f"Of scikit-surprise {peer}: {calls}."]
    return "\n".join(text) + "\n\n" + tables(cells, DATA)
