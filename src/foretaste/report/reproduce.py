"""How to reproduce a report: Python code and software versions."""

from __future__ import annotations

import platform
import re
import textwrap
from typing import Any

from foretaste.evaluation import Results
from foretaste.evaluation.plan import arguments_from_description
from foretaste.metrics.registry import METRICS
from foretaste.models import MODELS
from foretaste.report.models_table import evaluated_rows

_MAX_MODELS = 40  # in the code
_LINE_CHARS = 80  # of the code
_SPLITS = ("HoldOut", "KFold", "LeaveNOut", "TimeSplit", "ColdUsers", "ColdItems", "WarmOnly")
_FILE = '"report.html"'
_READERS = ("read_ratings", "load_dataset", "Ratings")


def to_python_code(results: Results, origin: str, split: Any, has_test: bool) -> str:
    """Return Python code that reproduces the comparison and the report.

    Parameters
    ----------
    results : Results
    origin : str
        Python expression of the ratings.
    split : Split or None
    has_test : bool
        Whether there was a separate test set, which the code calls ``test``.
    """
    known_models = set(MODELS.names())
    rows = [row for row in results.rows if row["model"] in known_models][:_MAX_MODELS]
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
    # Names in quotes are names of models, which are not imported.
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    names = sorted({word for word in re.findall(r"\b[A-Za-z_]+\b(?=\()", unquoted) if word in known})
    return f"from foretaste import {', '.join(names)}\n\n{text}"


def _format_list(models: list[str]) -> str:
    """Return a list of models, wrapped if it is long."""
    line = ", ".join(models)
    if len(line) <= _LINE_CHARS:
        return f"[{line}]"
    return "[\n" + textwrap.fill(line, _LINE_CHARS, initial_indent="    ", subsequent_indent="    ") + ",\n]"


def _format_model(expression: str) -> str:
    """Return a model as an argument of compare: by name if all parameters are defaults."""
    return f'"{expression[:-2]}"' if expression.endswith("()") else expression


def versions() -> list[tuple[str, str]]:
    """Return the names and versions of the software and system."""
    import numpy as np

    from foretaste._native import isa
    from foretaste._utils.threads import resolve_threads
    from foretaste._version import version

    return [
        ("foretaste", version()),
        ("Python", platform.python_version()),
        ("numpy", np.__version__),
        ("processor", f"{platform.machine()}, instruction set {isa()}, threads {resolve_threads(None)}"),
        ("system", platform.system()),
    ]
