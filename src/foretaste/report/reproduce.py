"""What makes a report again: the Python of it, and what it was made with."""

from __future__ import annotations

import platform
import re
import textwrap
from typing import Any

from foretaste.evaluation import Results
from foretaste.evaluation.plan import apart_arguments
from foretaste.metrics.rating import METRICS
from foretaste.models import BY_NAME
from foretaste.report.figures_results import judged

_MODELS = 40  # in the Python shown
_LINE = 80  # characters of it
_SPLITS = ("HoldOut", "KFold", "LeaveNOut", "ByTime", "ColdUsers", "ColdItems", "WarmOnly")
_FILE = '"report.html"'
_READERS = ("read_ratings", "load_dataset", "Ratings")


def python(results: Results, origin: str, split: Any, made_with_test: bool) -> str:
    """Return the Python that makes the comparison and the report again.

    Parameters
    ----------
    results : Results
    origin : str
        The expression that makes the ratings.
    split : Split or None
    made_with_test : bool
        Whether the rows to judge by were given apart; they are called ``test`` then.
    """
    rows = [row for row in results.rows if row["model"] in BY_NAME][:_MODELS]
    made = [row["python"] for row in rows]
    every = sorted(made) == sorted(f"{name}()" for name in BY_NAME)
    models = "None" if every else _listed([_model(one) for one in made])
    metrics = [key for row in judged(results)[:1] for key in row if key in METRICS]
    beside = ["test=test"] if made_with_test else ["split=split"] if split is not None else []
    told = [f"metrics={metrics!r}"] if metrics not in (["rmse", "mae"], []) else []
    told += apart_arguments(results.protocol) if made_with_test else []
    lines = [f"ratings = {origin}"]
    lines += [f"split = {split!r}"] if beside == ["split=split"] else []
    lines.append(f"results = compare({', '.join([models, 'ratings', *beside, *told])})")
    lines.append(f"write_report({', '.join(['results', _FILE, 'ratings=ratings', *beside])})")
    text = "\n".join(lines)
    known = (*BY_NAME, *_SPLITS, *_READERS, "compare", "write_report")
    # Names in quotes are names of models, which need no import.
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    names = sorted({word for word in re.findall(r"\b[A-Za-z_]+\b(?=\()", bare) if word in known})
    return f"from foretaste import {', '.join(names)}\n\n{text}"


def _listed(models: list[str]) -> str:
    """Return a list of models, over several lines if it is long."""
    line = ", ".join(models)
    if len(line) <= _LINE:
        return f"[{line}]"
    return "[\n" + textwrap.fill(line, _LINE, initial_indent="    ", subsequent_indent="    ") + ",\n]"


def _model(made_by: str) -> str:
    """Return a model as compare takes it: by its name, if it has its defaults."""
    return f'"{made_by[:-2]}"' if made_by.endswith("()") else made_by


def versions() -> list[tuple[str, str]]:
    """Return what the report was written with."""
    import numpy as np

    import foretaste
    from foretaste._native import isa
    from foretaste._utils.threads import thread_count

    return [
        ("foretaste", foretaste.__version__),
        ("Python", platform.python_version()),
        ("numpy", np.__version__),
        ("processor", f"{platform.machine()}, instruction set {isa()}, threads {thread_count(None)}"),
        ("system", platform.system()),
    ]
