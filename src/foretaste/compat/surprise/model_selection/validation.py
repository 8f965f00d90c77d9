"""Cross-validation of an algorithm, and its summary table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from foretaste.compat.surprise import accuracy
from foretaste.compat.surprise.model_selection.parallel import FitResult, FitTask, run_parallel
from foretaste.compat.surprise.model_selection.split import get_cv
from foretaste.errors import Hint, InvalidParameterError, did_you_mean

MEASURES = ("rmse", "mse", "mae", "fcp")


def check_measures(measures: Any) -> list[str]:
    """Return names of measures in lower case, each a function of ``accuracy``."""
    if isinstance(measures, str):
        raise InvalidParameterError(
            f"measures={measures!r} is a text; it must be a list of names",
            hint=Hint({"measures": [measures]}),
        )
    names = [measure.lower() for measure in measures]
    for name in names:
        if name not in MEASURES and not callable(getattr(accuracy, name, None)):
            raise InvalidParameterError(
                f"there is no measure {name!r}; measures are {', '.join(MEASURES)}"
                f"{did_you_mean(name, MEASURES)}",
                hint=Hint({"measures": ["rmse", "mae"]}),
            )
    if not names:
        raise InvalidParameterError(
            "measures is empty; nothing would be measured", hint=Hint({"measures": ["rmse"]})
        )
    return names


def cross_validate(
    algo: Any,
    data: Any,
    measures: Any = ["rmse", "mae"],  # noqa: B006 - the default that scikit-surprise shows; never changed
    cv: Any = None,
    return_train_measures: bool = False,
    n_jobs: Any = 1,
    pre_dispatch: Any = "2*n_jobs",
    verbose: Any = False,
) -> dict[str, Any]:
    """Fit an algorithm to each fold's trainset and measure it on the fold's testset.

    An algorithm without a ``random_state`` samples from ``np.random``: its results are reproducible only with
    ``n_jobs=1``.
    """
    names = check_measures(measures)
    tasks = (
        FitTask(algo, trainset, testset, names, return_train_measures)
        for trainset, testset in get_cv(cv).split(data)
    )
    results = run_parallel(fit_and_score, tasks, n_jobs, pre_dispatch)
    if not results:
        raise InvalidParameterError("cv yields no folds", hint=Hint({"cv": 5}))
    test, train, fit_times, test_times = zip(*results, strict=True)
    test_measures = {name: np.asarray([fold[name] for fold in test]) for name in names}
    train_measures = {name: np.asarray([fold[name] for fold in train]) for name in names if train[0]}
    result: dict[str, Any] = {}
    for name in names:
        result[f"test_{name}"] = test_measures[name]
        if return_train_measures:
            result[f"train_{name}"] = train_measures[name]
    result |= {"fit_time": fit_times, "test_time": test_times}
    if verbose:
        print_summary(algo, names, test_measures, train_measures, fit_times, test_times, len(results))
    return result


def fit_and_score(
    algo: Any, trainset: Any, testset: Any, measures: Any, return_train_measures: bool = False
) -> FitResult:
    """Fit an algorithm, predict a testset and compute measures."""
    start = time.perf_counter()
    algo.fit(trainset)
    fit_end = time.perf_counter()
    predictions = algo.test(testset)
    test_end = time.perf_counter()
    train_predictions = algo.test(trainset.build_testset()) if return_train_measures else None
    test_measures: dict[str, Any] = {}
    train_measures: dict[str, Any] = {}
    for measure in measures:
        compute = getattr(accuracy, measure.lower())
        test_measures[measure] = compute(predictions, verbose=0)
        if train_predictions is not None:
            train_measures[measure] = compute(train_predictions, verbose=0)
    return test_measures, train_measures, fit_end - start, test_end - fit_end


def print_summary(
    algo: Any,
    measures: Sequence[str],
    test_measures: Mapping[str, Any],
    train_measures: Mapping[str, Any],
    fit_times: Sequence[float],
    test_times: Sequence[float],
    n_splits: int,
) -> None:
    """Print the summary of a cross-validation."""
    names_text = ", ".join(measure.upper() for measure in measures)
    print(f"Evaluating {names_text} of algorithm {type(algo).__name__} on {n_splits} split(s).\n")  # noqa: T201
    rows = [("", [*(f"Fold {number}" for number in range(1, n_splits + 1)), "Mean", "Std"])]
    for dataset, measures_by_name in (("testset", test_measures), ("trainset", train_measures)):
        rows += [
            (f"{name.upper()} ({dataset})", _format_cells(values, ".4f"))
            for name, values in measures_by_name.items()
        ]
    rows += [("Fit time", _format_cells(fit_times, ".2f")), ("Test time", _format_cells(test_times, ".2f"))]
    for name, cells in rows:
        print(f"{name:<18}" + "".join(f"{cell:<8}" for cell in cells))  # noqa: T201 - what verbose=True asks for


def _format_cells(values: Sequence[float], form: str) -> list[str]:
    return [format(value, form) for value in (*values, np.mean(values), np.std(values))]
