"""Results that ``compare --json`` kept in a file, read back as what they were."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from foretaste.errors import BadData, NotFound
from foretaste.evaluation import Results
from foretaste.report.models_table import with_figures


@dataclass(frozen=True, eq=False, repr=False)
class KeptResults(Results):
    """Results from a file, with the sentences that were said when they were made."""

    said: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the figures say."""
        return self.said


_FACTS = {"name": str, "ratings": int, "users": int, "items": int}
_WORDS = ("model", "python")  # of a row; everything else in it is a figure, but for these:
_NO_FIGURES = (*_WORDS, "params", "folds", "refused")
_HINT = "foretaste compare ratings.csv --json results.json"


def read_results(path: str) -> Results:
    """Read the results of a comparison from a JSON file.

    Parameters
    ----------
    path : str
        A file written by ``compare --json``, or the JSON of ``Results.to_dict``.

    Returns
    -------
    Results
        Figures of other versions that this one has no name for are left out, which its notes say.

    Raises
    ------
    NotFound
        If there is no such file.
    BadData
        If it does not hold results.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFound(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        _refuse(path, "it is no text in UTF-8")
    try:
        data = json.loads(text, parse_constant=lambda name: _refuse(path, f"{name} is no JSON"))
    except (json.JSONDecodeError, RecursionError) as error:
        _refuse(path, f"it is no JSON ({error})")
    if isinstance(data, dict) and data.get("ok") is False:
        _refuse(path, "it holds an error, not results")
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        data = data["data"]
    return _results(path, data)


def _results(path: str, data: Any) -> Results:
    if not isinstance(data, dict) or not isinstance(data.get("results"), list) or not data["results"]:
        _refuse(path, "there is no list of results in it")
    dataset, protocol = data.get("dataset"), data.get("protocol")
    if not isinstance(protocol, str):
        _refuse(path, "it does not say which rows were held out")
    if not isinstance(dataset, dict):
        _refuse(path, "it does not say of which ratings they are")
    for name, kind in _FACTS.items():
        if not isinstance(dataset.get(name), kind) or isinstance(dataset[name], bool):
            _refuse(path, f"of the ratings, {name} is missing or is none")
    for name in ("filled", "mean"):
        if dataset["ratings"] and not _is_number(dataset.get(name)):
            _refuse(path, f"of the ratings, {name} is missing or no number")
    rows = tuple(_row(path, place, row) for place, row in enumerate(data["results"], 1))
    ordered = sorted(rows, key=lambda row: ("refused" in row, row["rmse"] or 0.0))
    said = data.get("sentences", [])
    if not isinstance(said, list) or not all(isinstance(sentence, str) for sentence in said):
        _refuse(path, "its sentences are no texts")
    stopped = data.get("stopped") is True
    return _nameable(KeptResults(dataset, protocol, tuple(ordered), stopped=stopped, said=tuple(said)))


def _row(path: str, place: int, row: Any) -> dict[str, Any]:
    """Return one row, after checking that everything that is drawn of it can be drawn."""
    where = f"result {place}"
    if not isinstance(row, dict) or not all(isinstance(row.get(word), str) for word in _WORDS):
        _refuse(path, f"{where} names no model")
    if not isinstance(row.get("params"), dict):
        _refuse(path, f"{where} has no parameters")
    if "refused" in row:
        why = row["refused"]
        if not isinstance(why, dict) or not isinstance(why.get("message"), str):
            _refuse(path, f"{where} does not say why it was refused")
        if not isinstance(why.get("hint"), str | None):
            _refuse(path, f"{where} has a hint that is no text")
        return row | {"rmse": None}
    for name, value in row.items():
        if name not in _NO_FIGURES and not _is_number(value) and not isinstance(value, list | dict):
            _refuse(path, f"{where}: {name} is no number")
    for name in ("rmse", "fit_seconds"):
        if not _is_number(row.get(name)):
            _refuse(path, f"{where}: {name} is missing or no number")
    interval = row.get("rmse_interval", [0, 0])
    if not isinstance(interval, list) or len(interval) != 2 or not all(map(_is_number, interval)):
        _refuse(path, f"{where}: rmse_interval is not two numbers")
    folds = row.get("folds", [])
    if not isinstance(folds, list) or not all(
        isinstance(fold, dict) and _is_number(fold.get("rmse")) for fold in folds
    ):
        _refuse(path, f"{where}: its folds have no RMSE")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _nameable(results: KeptResults) -> KeptResults:
    """Leave out the figures that the table of this version has no name for."""
    unknown: list[str] = []
    while True:
        try:
            with_figures(results).table()
        except KeyError as error:
            unknown.append(str(error.args[0]))
            rows = tuple({k: v for k, v in row.items() if k != unknown[-1]} for row in results.rows)
            notes = (f"figures of another version, not shown: {', '.join(unknown)}",)
            results = replace(results, rows=rows, notes=notes)
        else:
            return results


def _refuse(path: str, why: str) -> NoReturn:
    raise BadData(f"{path} does not hold the results of a comparison: {why}", hint=_HINT)
