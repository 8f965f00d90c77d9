"""What makes a report again: the Python of it, and what it was made with."""

from __future__ import annotations

import platform
import re
import textwrap
from typing import Any

from foretaste.evaluation import Results
from foretaste.evaluation.plan import arguments_from_description
from foretaste.metrics.registry import METRICS
from foretaste.models import MODELS
from foretaste.report.figures_results import evaluated_rows

_MAX_MODELS = 40  # in the Python shown
_LINE_CHARS = 80  # characters of it
_SPLITS = ("HoldOut", "KFold", "LeaveNOut", "ByTime", "ColdUsers", "ColdItems", "WarmOnly")
_FILE = '"report.html"'
_READERS = ("read_ratings", "load_dataset", "Ratings")


def to_python_code(results: Results, origin: str, split: Any, has_test: bool) -> str:
    """Return the Python that makes the comparison and the report again.

    Parameters
    ----------
    results : Results
    origin : str
        The expression that makes the ratings.
    split : Split or None
    has_test : bool
        Whether the rows to judge by were given apart; they are called ``test`` then.
    """
    rows = [row for row in results.rows if row["model"] in MODELS][:_MAX_MODELS]
    reprs = [row["repr"] for row in rows]
    all_defaults = sorted(reprs) == sorted(f"{name}()" for name in MODELS)
    models = [] if all_defaults else [_format_list([_format_model(expression) for expression in reprs])]
    metrics = [key for row in evaluated_rows(results)[:1] for key in row if key in METRICS]
    split_arguments = ["test=test"] if has_test else ["split=split"] if split is not None else []
    options = [f"metrics={metrics!r}"] if metrics not in (["rmse", "mae"], []) else []
    options += arguments_from_description(results.protocol) if has_test else []
    lines = [f"ratings = {origin}"]
    lines += [f"split = {split!r}"] if split_arguments == ["split=split"] else []
    lines.append(f"results = compare({', '.join(['ratings', *models, *split_arguments, *options])})")
    lines.append(f"write_report({', '.join(['results', _FILE, 'ratings=ratings', *split_arguments])})")
    text = "\n".join(lines)
    known = (*MODELS, *_SPLITS, *_READERS, "compare", "write_report")
    # Names in quotes are names of models, which need no import.
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    names = sorted({word for word in re.findall(r"\b[A-Za-z_]+\b(?=\()", unquoted) if word in known})
    return f"from foretaste import {', '.join(names)}\n\n{text}"


def _format_list(models: list[str]) -> str:
    """Return a list of models, over several lines if it is long."""
    line = ", ".join(models)
    if len(line) <= _LINE_CHARS:
        return f"[{line}]"
    return "[\n" + textwrap.fill(line, _LINE_CHARS, initial_indent="    ", subsequent_indent="    ") + ",\n]"


def _format_model(expression: str) -> str:
    """Return a model as compare takes it: by its name, if it has its defaults."""
    return f'"{expression[:-2]}"' if expression.endswith("()") else expression


def versions() -> list[tuple[str, str]]:
    """Return what the report was written with."""
    import numpy as np

    import foretaste
    from foretaste._native import isa
    from foretaste._utils.threads import resolve_threads

    return [
        ("foretaste", foretaste.__version__),
        ("Python", platform.python_version()),
        ("numpy", np.__version__),
        ("processor", f"{platform.machine()}, instruction set {isa()}, threads {resolve_threads(None)}"),
        ("system", platform.system()),
    ]
