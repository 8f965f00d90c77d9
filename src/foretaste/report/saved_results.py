"""Reads results that ``compare --json`` saved to a file."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

from foretaste.errors import DataError, NotFoundError
from foretaste.evaluation import Results
from foretaste.report.models_table import without_intervals


@dataclass(frozen=True, eq=False, repr=False)
class SavedResults(Results):
    """Results from a file, with the summary sentences that were saved with them."""

    saved_sentences: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Summary of the results."""
        return self.saved_sentences


_DATASET_FIELDS = {"name": str, "ratings": int, "users": int, "items": int}
_TEXT_KEYS = ("model", "repr")  # of a row
_NON_METRIC_KEYS = (*_TEXT_KEYS, "params", "folds", "error")
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
        Metrics that this version does not know are dropped, with a note.

    Raises
    ------
    NotFoundError
        If there is no such file.
    DataError
        If it does not contain results.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        _raise_invalid(path, "not UTF-8 text")
    try:
        data = json.loads(text, parse_constant=lambda name: _raise_invalid(path, f"{name} is not valid JSON"))
    except (json.JSONDecodeError, RecursionError) as error:
        _raise_invalid(path, f"not valid JSON ({error})")
    if isinstance(data, dict) and data.get("ok") is False:
        _raise_invalid(path, "it contains an error, not results")
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        data = data["data"]
    return _parse_results(path, data)


def _parse_results(path: str, data: Any) -> Results:
    if not isinstance(data, dict) or not isinstance(data.get("results"), list) or not data["results"]:
        _raise_invalid(path, "results is missing or not a list")
    dataset, protocol = data.get("dataset"), data.get("protocol")
    if not isinstance(protocol, str):
        _raise_invalid(path, "protocol is missing or not text")
    if not isinstance(dataset, dict):
        _raise_invalid(path, "dataset is missing or not an object")
    for name, kind in _DATASET_FIELDS.items():
        if not isinstance(dataset.get(name), kind) or isinstance(dataset[name], bool):
            _raise_invalid(path, f"dataset.{name} is missing or has the wrong type")
    for name in ("density", "mean"):
        if dataset["ratings"] and not _is_number(dataset.get(name)):
            _raise_invalid(path, f"dataset.{name} is missing or not a number")
    rows = tuple(_parse_row(path, number, row) for number, row in enumerate(data["results"], 1))
    ordered = sorted(rows, key=lambda row: ("error" in row, row["rmse"] or 0.0))
    sentences = data.get("sentences", [])
    if not isinstance(sentences, list) or not all(isinstance(sentence, str) for sentence in sentences):
        _raise_invalid(path, "sentences is not a list of texts")
    interrupted = data.get("interrupted") is True
    return _drop_unknown_metrics(
        SavedResults(
            dataset, protocol, tuple(ordered), interrupted=interrupted, saved_sentences=tuple(sentences)
        )
    )


def _parse_row(path: str, number: int, row: Any) -> dict[str, Any]:
    """Return one row, after checking everything that a report reads from it."""
    location = f"result {number}"
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _TEXT_KEYS):
        _raise_invalid(path, f"{location}: model or repr is missing")
    if not isinstance(row.get("params"), dict):
        _raise_invalid(path, f"{location}: params is missing")
    if "error" in row:
        failure = row["error"]
        if not isinstance(failure, dict) or not isinstance(failure.get("message"), str):
            _raise_invalid(path, f"{location}: error.message is missing")
        if not isinstance(failure.get("hint"), str | None):
            _raise_invalid(path, f"{location}: error.hint is not text")
        return row | {"rmse": None}
    for name, value in row.items():
        if name not in _NON_METRIC_KEYS and not _is_number(value) and not isinstance(value, list | dict):
            _raise_invalid(path, f"{location}: {name} is not a number")
    for name in ("rmse", "fit_seconds"):
        if not _is_number(row.get(name)):
            _raise_invalid(path, f"{location}: {name} is missing or not a number")
    interval = row.get("rmse_interval", [0, 0])
    if not isinstance(interval, list) or len(interval) != 2 or not all(map(_is_number, interval)):
        _raise_invalid(path, f"{location}: rmse_interval is not a pair of numbers")
    folds = row.get("folds", [])
    if not isinstance(folds, list) or not all(
        isinstance(fold, dict) and _is_number(fold.get("rmse")) for fold in folds
    ):
        _raise_invalid(path, f"{location}: folds without rmse")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _drop_unknown_metrics(results: SavedResults) -> SavedResults:
    """Drop the metrics that the table of this version does not know."""
    unknown: list[str] = []
    while True:
        try:
            without_intervals(results).table()
        except KeyError as error:
            unknown.append(str(error.args[0]))
            rows = tuple({k: v for k, v in row.items() if k != unknown[-1]} for row in results.rows)
            notes = (f"metrics of another version, not shown: {', '.join(unknown)}",)
            results = replace(results, rows=rows, notes=notes)
        else:
            return results


def _raise_invalid(path: str, reason: str) -> NoReturn:
    raise DataError(f"{path} does not contain the results of a comparison: {reason}", hint=_HINT)
