"""Rows of the table of speeds, their targets, and the page that they are written to.

Every module of this folder has ``rows(quick, repeats)``. The newest ``results/*-speed.json`` holds the rows
of each with the machine that they were measured on; a run of one module replaces its own rows only.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.timing import RESULTS, machine, record

README = Path(__file__).parent / "README.md"
Row = dict[str, Any]
FIELDS = (
    "work", "peer", "objective", "peer_seconds", "seconds", "ratio", "equality", "aim", "met",
)  # fmt: skip
ORDER = (
    "sgd", "als", "neighbors", "imputation", "top_items", "families", "cross_validation",
    "compat_imputer", "compat_factors", "compat_neighbors", "pytorch", "csv_reader", "startup", "service",
    "growth",
)  # fmt: skip
# Sections of results before 2026-12 by their names of today.
RENAMED_SECTIONS = {"alternating": "als", "reading": "csv_reader", "serving": "service"}


def row(
    work: str,
    seconds: float,
    *,
    peer: str | None = None,
    peer_seconds: float | None = None,
    objective: str = "same",
    equality: dict[str, float] | None = None,
    min_ratio: float | None = None,
    max_seconds: float | None = None,
    also: dict[str, tuple[float, float]] | None = None,
) -> Row:
    """Return a row with all its fields.

    Parameters
    ----------
    work : str
        What was done, on what, with how many threads.
    seconds, peer_seconds : float
        Medians; without a peer there is no ratio.
    peer : str, optional
        The other library and its version.
    objective : {"same", "other"}
        Whether both solve the same problem.
    equality : dict
        How close the results are, and other measurements.
    min_ratio : float, optional
        Target ratio.
    max_seconds : float, optional
        Target seconds.
    also : dict, optional
        Further targets: a name in ``equality`` to its value and its maximum.
    """
    ratio = None if peer_seconds is None else peer_seconds / seconds
    aims = [] if min_ratio is None else [(f">= {min_ratio:g}x", ratio is not None and ratio >= min_ratio)]
    if max_seconds is not None:
        aims.append((f"<= {readable(max_seconds)}", seconds <= max_seconds))
    for name, (figure, most) in (also or {}).items():
        aims.append((f"{name.replace('_', ' ')} <= {most:g}", figure <= most))
    return {
        "work": work,
        "peer": peer,
        "objective": objective if peer else None,
        "peer_seconds": peer_seconds,
        "seconds": seconds,
        "ratio": ratio,
        "equality": {**(equality or {}), **{name: figure for name, (figure, _) in (also or {}).items()}},
        "aim": "; ".join(text for text, _ in aims) or "for information",
        "met": all(met for _, met in aims) if aims else None,
    }


def readable(seconds: float) -> str:
    """Format seconds with three digits: ``64.0 ms``, ``1.20 s``."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1000:.3g} ms"


def line(one: Row) -> str:
    """Format a row as one line for the terminal."""
    against = "" if one["peer"] is None else f"against {readable(one['peer_seconds'])} of {one['peer']} "
    times = "" if one["ratio"] is None else f"{one['ratio']:.1f}x"
    objective = f"({one['objective']} objective)" if one["objective"] else ""
    parts = [f"{times:>7}  {readable(one['seconds'])} {against}{objective}".rstrip(), one["work"]]
    return "; ".join([*parts, *filter(None, [_equality(one)]), _aim(one)])


def _equality(one: Row) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {figure:.4g}" for name, figure in one["equality"].items())


def _aim(one: Row) -> str:
    return one["aim"] if one["met"] is not False else f"{one['aim']} (missed)"


def main(name: str, rows: Callable[[bool, int], Iterable[Row]], about: str | None) -> None:
    """Run one module from the command line."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--repeats", type=int, default=None, help="runs of each (5, or 1 with --quick)")
    options = parser.parse_args()
    measure({name: rows}, options.quick, options.repeats or (1 if options.quick else 5))


def measure(modules: dict[str, Callable[[bool, int], Iterable[Row]]], quick: bool, repeats: int) -> None:
    """Run modules, print their rows and, unless quick, write them to the results and the page."""
    for name, rows in modules.items():
        print(f"-- {name}", flush=True)
        about, found = machine(), []
        for one in rows(quick, repeats):
            found.append(one)
            print(line(one), flush=True)
        if not quick and found:
            save(name, about, found)
    if quick:
        print("nothing is written: these sizes prove that it runs, not how fast it is")


def save(name: str, about: dict[str, Any], found: list[Row]) -> Path:
    """Write the rows of one module to today's results, with all other sections, and write the page."""
    sections = {**sections_so_far(), name: {"machine": about, "rows": found}}
    path = record("speed", {"sections": sections})
    README.write_text(page(sections, path.name))
    print(f"written: results/{path.name} and speed/README.md")
    return path


def sections_so_far() -> dict[str, Any]:
    """Return the newest results that have sections, or none."""
    for path in sorted(RESULTS.glob("*-speed.json"), reverse=True):
        sections = json.loads(path.read_text()).get("sections")
        if sections:
            return {RENAMED_SECTIONS.get(name, name): section for name, section in sections.items()}
    return {}


def page(sections: dict[str, Any], source: str) -> str:
    """Return all sections as one page."""
    text = [
        "# Speed",
        "",
        f"Written by `make bench` from `results/{source}`. Medians of runs in turns, in one process and with "
        "the same number of threads on both sides unless a row says otherwise. *Same objective*: both solve "
        "the same problem; *other*: the nearest that the peer has. *Aim*: what foretaste sets out to reach. "
        "One part alone: `python -m benchmarks.speed.NAME`.",
    ]
    for name in [*ORDER, *sorted(set(sections) - set(ORDER))]:
        if name in sections:
            text += ["", f"## {name.replace('_', ' ').capitalize()}", "", *_section(sections[name])]
    return "\n".join(text) + "\n"


def _section(section: dict[str, Any]) -> list[str]:
    about = section["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    text = [
        f"{about['processor']}, {about['cores']} cores, instruction set {about['instruction_set']}, load at "
        f"the start {about['load_at_start']:.2f}; Python {about['python']}, foretaste {about['foretaste']}; "
        f"{versions}.",
        "",
        "| work | against | objective | theirs | ours | ratio | aim | equality |",
        "|---|---|---|--:|--:|--:|---|---|",
    ]
    for one in section["rows"]:
        theirs = "" if one["peer_seconds"] is None else readable(one["peer_seconds"])
        ratio = "" if one["ratio"] is None else f"**{one['ratio']:.1f}x**"
        text.append(
            f"| {one['work']} | {one['peer'] or ''} | {one['objective'] or ''} | {theirs} | "
            f"{readable(one['seconds'])} | {ratio} | {_aim(one)} | {_equality(one)} |"
        )
    picture = section["rows"][0].get("picture")
    return [*text, "", f"![{picture}]({picture})"] if picture else text
