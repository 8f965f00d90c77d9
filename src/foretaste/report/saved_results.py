"""Results that ``compare --json`` kept in a file, read back as what they were."""

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
    """Results from a file, with the sentences that were said when they were made."""

    saved_sentences: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the figures say."""
        return self.saved_sentences


_DATASET_FIELDS = {"name": str, "ratings": int, "users": int, "items": int}
_TEXT_KEYS = ("model", "repr")  # of a row; everything else in it is a figure, but for these:
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
        Figures of other versions that this one has no name for are left out, which its notes say.

    Raises
    ------
    NotFoundError
        If there is no such file.
    DataError
        If it does not hold results.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise NotFoundError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        _raise_invalid(path, "it is no text in UTF-8")
    try:
        data = json.loads(text, parse_constant=lambda name: _raise_invalid(path, f"{name} is no JSON"))
    except (json.JSONDecodeError, RecursionError) as error:
        _raise_invalid(path, f"it is no JSON ({error})")
    if isinstance(data, dict) and data.get("ok") is False:
        _raise_invalid(path, "it holds an error, not results")
    if isinstance(data, dict) and isinstance(data.get("data"), dict):
        data = data["data"]
    return _parse_results(path, data)


def _parse_results(path: str, data: Any) -> Results:
    if not isinstance(data, dict) or not isinstance(data.get("results"), list) or not data["results"]:
        _raise_invalid(path, "there is no list of results in it")
    dataset, protocol = data.get("dataset"), data.get("protocol")
    if not isinstance(protocol, str):
        _raise_invalid(path, "it does not say which rows were held out")
    if not isinstance(dataset, dict):
        _raise_invalid(path, "it does not say of which ratings they are")
    for name, kind in _DATASET_FIELDS.items():
        if not isinstance(dataset.get(name), kind) or isinstance(dataset[name], bool):
            _raise_invalid(path, f"of the ratings, {name} is missing or is none")
    for name in ("density", "mean"):
        if dataset["ratings"] and not _is_number(dataset.get(name)):
            _raise_invalid(path, f"of the ratings, {name} is missing or no number")
    rows = tuple(_parse_row(path, number, row) for number, row in enumerate(data["results"], 1))
    ordered = sorted(rows, key=lambda row: ("error" in row, row["rmse"] or 0.0))
    saved_sentences = data.get("sentences", [])
    if not isinstance(saved_sentences, list) or not all(
        isinstance(sentence, str) for sentence in saved_sentences
    ):
        _raise_invalid(path, "its sentences are no texts")
    stopped = data.get("interrupted") is True
    return _drop_unknown_metrics(
        SavedResults(
            dataset, protocol, tuple(ordered), interrupted=stopped, saved_sentences=tuple(saved_sentences)
        )
    )


def _parse_row(path: str, number: int, row: Any) -> dict[str, Any]:
    """Return one row, after checking that everything that is drawn of it can be drawn."""
    location = f"result {number}"
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in _TEXT_KEYS):
        _raise_invalid(path, f"{location} names no model")
    if not isinstance(row.get("params"), dict):
        _raise_invalid(path, f"{location} has no parameters")
    if "error" in row:
        failure = row["error"]
        if not isinstance(failure, dict) or not isinstance(failure.get("message"), str):
            _raise_invalid(path, f"{location} does not say why it was refused")
        if not isinstance(failure.get("hint"), str | None):
            _raise_invalid(path, f"{location} has a hint that is no text")
        return row | {"rmse": None}
    for name, value in row.items():
        if name not in _NON_METRIC_KEYS and not _is_number(value) and not isinstance(value, list | dict):
            _raise_invalid(path, f"{location}: {name} is no number")
    for name in ("rmse", "fit_seconds"):
        if not _is_number(row.get(name)):
            _raise_invalid(path, f"{location}: {name} is missing or no number")
    interval = row.get("rmse_interval", [0, 0])
    if not isinstance(interval, list) or len(interval) != 2 or not all(map(_is_number, interval)):
        _raise_invalid(path, f"{location}: rmse_interval is not two numbers")
    folds = row.get("folds", [])
    if not isinstance(folds, list) or not all(
        isinstance(fold, dict) and _is_number(fold.get("rmse")) for fold in folds
    ):
        _raise_invalid(path, f"{location}: its folds have no RMSE")
    return row


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _drop_unknown_metrics(results: SavedResults) -> SavedResults:
    """Leave out the figures that the table of this version has no name for."""
    unknown: list[str] = []
    while True:
        try:
            without_intervals(results).table()
        except KeyError as error:
            unknown.append(str(error.args[0]))
            rows = tuple({k: v for k, v in row.items() if k != unknown[-1]} for row in results.rows)
            notes = (f"figures of another version, not shown: {', '.join(unknown)}",)
            results = replace(results, rows=rows, notes=notes)
        else:
            return results


def _raise_invalid(path: str, reason: str) -> NoReturn:
    raise DataError(f"{path} does not hold the results of a comparison: {reason}", hint=_HINT)
