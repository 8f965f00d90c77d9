"""The page of all finished cells: our models beside those of scikit-surprise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.quality.aims import models_not_evaluated
from benchmarks.quality.data import DATA
from benchmarks.quality.peers import ALL_PEERS, FAMILIES
from benchmarks.quality.rows import Figures, Row, complete_metrics, latest, rows_of
from benchmarks.quality.store import GROUNDS, Cell

METRIC_COLUMNS = ("RMSE", "MAE", "fit s", "test s", "MB")
NUMBERS = frozenset({*METRIC_COLUMNS, "NMAE", "folds", "time ratio"})
NOTHING = ""
ALONE = "-"  # a family without peers


def table(rows: Sequence[Row], data: str) -> list[str]:
    """Return a Markdown table with aligned columns."""
    second = "NMAE" if DATA[data].nmae else "MAE"
    metric_columns = tuple(second if name == "MAE" else name for name in METRIC_COLUMNS)
    head = [
        "family",
        "foretaste",
        *metric_columns,
        "surprise",
        *metric_columns,
        "folds",
        "time ratio",
        "aim: met",
    ]
    lines = [head]
    for index, row in enumerate(rows):
        again = index > 0 and rows[index - 1].family == row.family
        ours = [""] * 6 if row.repeated else _metric_cells(row.ours, data)
        folds = next((f.folds for f in (row.theirs, row.ours) if isinstance(f, Figures)), None)
        lines.append(
            [
                "" if again else row.family if row.family in FAMILIES else ALONE,
                *ours,
                *_metric_cells(row.theirs, data),
                NOTHING if folds is None else f"{folds}",
                _times(row.ratio),
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


def _metric_cells(figures: Figures | str | None, data: str) -> list[str]:
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


def _times(ratio: float | None) -> str:
    return NOTHING if ratio is None else f"{ratio:.3g}x" if ratio < 100 else f"{ratio:,.0f}x"


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}" if seconds < 1 else f"{seconds:.2f}" if seconds < 10 else f"{seconds:,.1f}"


def line(cell: Cell) -> str:
    """Describe a cell in one line for the terminal."""
    if not cell["folds"]:
        return f"refused: {cell['refused']}"
    one = Figures.of(cell)
    return (
        f"RMSE {one.rmse:.4f}  MAE {one.mae:.4f}  fit {_seconds(one.fit)} s  test {_seconds(one.test)} s  "
        f"{one.memory:,.0f} MB  folds {one.folds}"
    )


def section(cells: Sequence[Cell], data: str) -> list[str]:
    """Return the section of one dataset."""
    mine = list(latest(cells, data).values())
    sizes = next((cell["folds"][0] for cell in mine if cell["folds"]), None)
    counts = (
        f" {sizes['train_rows']:,} training rows, {sizes['test_rows']:,} test rows"
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
            f"Slow, so evaluated on the first fold only: {'; '.join(slow)} of surprise. Beside it is our "
            "model on that same fold, and once more on all folds.",
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
    """Return the sections of some datasets."""
    known = {cell["data"] for cell in cells}
    parts = ["\n".join(section(cells, name)) for name in data if name in known]
    return "\n\n".join(parts) + "\n"


def _summary(cells: Sequence[Cell]) -> str:
    """Return how many targets are met, and which are not."""
    aim_texts = [
        (data, row.ours.name, aim)
        for data in DATA
        for row in rows_of(cells, data)
        for aim in row.aims
        if isinstance(row.ours, Figures)
    ]
    missed = [
        f"{model} on {DATA[data].label} ({aim.removesuffix(': no')})"
        for data, model, aim in aim_texts
        if aim.endswith(": no")
    ]
    not_evaluated = [
        f"{model} on {DATA[data].label}"
        for data in DATA
        if (found := latest(cells, data))
        for model in models_not_evaluated(data, complete_metrics(found, data))
    ]
    return (
        f"Of {len(aim_texts)} aims {len(aim_texts) - len(missed)} are met."
        + (f" Not met: {'; '.join(missed)}." if missed else "")
        + (f" Not evaluated, or not on all folds: {'; '.join(not_evaluated)}." if not_evaluated else "")
    )


def _has_mixed_grounds(cells: Sequence[Cell]) -> bool:
    """Return whether cells of one library come from different machines, versions or code."""
    rests = {(cell["library"], *(cell["grounds"][name] for name in GROUNDS)) for cell in cells}
    return len(rests) > len({cell["library"] for cell in cells})


def page(content: Mapping[str, Any], source: str) -> str:
    """Return the whole page."""
    cells, runs = content["cells"], content["runs"]
    about = runs[-1]
    versions = ", ".join(f"{name} {value}" for name, value in about["versions"].items())
    commands = " and ".join(f"`{one}`" for one in dict.fromkeys(run["command"] for run in runs))
    dates = sorted({cell["grounds"]["date"] for cell in cells})
    loads = [run["load_at_start"] for run in runs]
    text = [
        "# Quality",
        "",
        f"Written from `results/{source}` by {commands}. Every model at its defaults: ours were chosen on "
        "other ratings (`docs/decisions/0004-defaults.md`), surprise's are its own, with the true scale in "
        "its Reader. Random seed 0 throughout.",
        "",
        "RMSE and MAE in rating units, means over the folds. *fit s* and *test s*: seconds to fit on one "
        "fold and to predict its test rows, means; rows are in the form of the library before. "
        "*MB* (10^6 bytes): by how much memory in use rose above that before fitting, each model on "
        "each data set in a subprocess. *time ratio*: fit and test of surprise over ours. Rows "
        "beside one another were tested on the same folds: a hash of the rows that each library held is the "
        "same.",
        "",
        f"{about['processor']}, {about['cores']} cores, instruction set {about['instruction_set']} (our "
        f"kernels use all cores, surprise one), Python {about['python']}, foretaste {about['foretaste']}; "
        f"{versions}. Measured {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; load of the machine "
        f"at the start: {', '.join(f'{load:.1f}' for load in loads)}.",
        "",
        _summary(cells),
    ]
    if _has_mixed_grounds(cells):
        text += [
            "",
            "Rows are of several machines, versions or states of the code; run again with `--resume`.",
        ]
    peer_models = dict.fromkeys(cell["model"] for cell in cells if cell["library"] == "surprise")
    if peer_models:
        calls = ", ".join(f"`{ALL_PEERS[name].code}`" for name in peer_models)
        text += ["", f"Surprise's models are {calls}."]
    return "\n".join(text) + "\n\n" + tables(cells, DATA)
