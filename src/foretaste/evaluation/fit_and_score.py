"""Fits a model on a training set and scores it on a test set; all folds in threads that share the cores."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from foretaste._utils.checks import check_int
from foretaste._utils.memory import run_with_peak
from foretaste._utils.progress import Progress, StoppableProgress
from foretaste._utils.threads import resolve_threads, thread_limit
from foretaste.errors import ForetasteError, Hint, InvalidParameterError
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.metrics.rating import rmse
from foretaste.metrics.registry import METRICS, get_metric
from foretaste.models import Model
from foretaste.ratings import Ratings
from foretaste.typing import Float32Array
from foretaste.validation import encode_pairs

Metrics = dict[str, float | int]


@dataclass(frozen=True)
class FoldResult:
    """Result of one fold: metrics, predictions of its test rows, shape (n,), and peak memory in MB."""

    metrics: Metrics
    predictions: Float32Array
    peak_memory_mb: float | None = None


def clone(model: Model) -> Model:
    """Return an unfitted model with the same parameters."""
    return type(model)(**model.get_params(deep=False))


def fit_and_score(
    model: Model, train: Ratings, test: Ratings, metrics: Sequence[str], progress: bool | Progress = False
) -> FoldResult:
    """Fit on ``train``, predict ``test`` and compute metrics.

    The model gets the (user, item) pairs of ``test`` only; its ratings are used for scoring alone.

    Returns
    -------
    FoldResult
        Metrics: ``train_rmse``, each of ``metrics``, ``fit_seconds``, ``predict_seconds`` (for all of
        ``test``) and ``fallback_rows``, the number of test rows with an unknown user or item.
    """
    fitted_model = clone(model)
    start = time.perf_counter()
    fitted_model.fit(train, progress=progress)
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    prediction = fitted_model.predict_details(encode_pairs(test, fitted_model.users_, fitted_model.items_))
    predict_seconds = time.perf_counter() - start
    train_predictions = fitted_model.predict(encode_pairs(train, fitted_model.users_, fitted_model.items_))
    values: Metrics = {
        "train_rmse": rmse(train.value, train_predictions),
        **{name: compute_metric(name, test, prediction.value) for name in metrics},
        "fit_seconds": fit_seconds,
        "predict_seconds": predict_seconds,
        "fallback_rows": int(np.count_nonzero(prediction.fallback)),
    }
    return FoldResult(values, np.asarray(prediction.value, np.float32))


def error_entry(error: BaseException) -> dict[str, str | None]:
    """Return an exception as the ``error`` entry of a row of results: code, message and hint."""
    if isinstance(error, ForetasteError):
        return {"code": error.code, "message": error.message, "hint": error.hint}
    return {
        "code": "too_large",
        "message": "out of memory",
        "hint": "a smaller model, or fewer ratings",
    }


def compute_metric(name: str, test: Ratings, y_pred: Any) -> float:
    """Return one metric of predictions for ``test``."""
    metric = METRICS[name]
    if metric.requires == "user":
        return metric.function(test.value, y_pred, test.user)
    if metric.requires == "scale":
        return metric.function(test.value, y_pred, test.scale)
    return metric.function(test.value, y_pred)


def validate_metrics(metrics: Sequence[str], plan: EvaluationPlan) -> tuple[str, ...]:
    """Return the names of the metrics, RMSE included, after checking that each can be computed on the plan.

    Raises
    ------
    InvalidParameterError
        If there is no metric of a name, or NMAE is requested and the scale of the ratings is not declared.
    DataError
        If the test rows do not allow a metric (FCP with one row per user).
    """
    names = [metrics] if isinstance(metrics, str) else list(metrics)
    names = [get_metric(name).name for name in names]
    names = list(dict.fromkeys(["rmse", *names] if "rmse" not in names else names))
    for fold in range(len(plan)):
        test = plan.test_ratings(fold)
        for name in names:
            if METRICS[name].requires == "scale" and test.scale is None:
                raise InvalidParameterError(
                    f"{name} needs the scale of the ratings",
                    hint=Hint({"scale": (1, 5)}, lead="read_ratings with"),
                )
            compute_metric(name, test, test.value)
    return tuple(names)


# All folds -----------------------------------------------------------------------------------------------


def evaluate_folds(
    model: Model,
    plan: EvaluationPlan,
    metrics: tuple[str, ...],
    progress: Progress,
    on_fold: Callable[[FoldResult], None],
    threads: int | None = None,
    measure_memory: bool = False,
) -> None:
    """Evaluate a model on every fold and pass each result to ``on_fold``, in fold order.

    Folds run in threads: native code releases the GIL, and neither ids nor ratings are copied. Each fit uses
    an equal share of the cores, which never changes its result.

    Parameters
    ----------
    model, plan, metrics
        As for ``fit_and_score``.
    progress : Progress
        Shows the progress of fits.
    on_fold : callable
        Called with the ``FoldResult`` of each fold.
    threads : int, optional
        Total number of threads; None uses all cores.
    measure_memory : bool
        Measure the peak memory of each fold, one fold after another.

    Raises
    ------
    InvalidParameterError
        If ``threads`` is not a positive integer.
    """
    if threads is not None:
        check_int("threads", threads, low=1, suggestion=None)
    n_threads = resolve_threads(threads)
    n_workers = 1 if measure_memory else min(n_threads, len(plan))
    n_last_round = len(plan) % n_workers  # folds of the last, incomplete round share all cores

    def evaluate_fold(fold: int, fold_progress: Progress) -> FoldResult:
        with thread_limit(n_threads // (n_last_round if fold >= len(plan) - n_last_round else n_workers)):
            train, test = plan.train_test(fold)
            if not measure_memory:
                return fit_and_score(model, train, test, metrics, fold_progress)
            result, peak_memory_mb = run_with_peak(
                lambda: fit_and_score(model, train, test, metrics, fold_progress)
            )
            return replace(result, peak_memory_mb=peak_memory_mb)

    if n_workers == 1:
        for fold in range(len(plan)):
            on_fold(evaluate_fold(fold, progress))
        return
    _evaluate_in_threads(evaluate_fold, len(plan), n_workers, progress, on_fold)


def _evaluate_in_threads(
    evaluate_fold: Callable[[int, Progress], FoldResult],
    n_folds: int,
    n_workers: int,
    progress: Progress,
    on_fold: Callable[[FoldResult], None],
) -> None:
    # BLAS thread limits are process-wide: one limit around all folds, as the first fold to finish would
    # lift its own for the others.
    from threadpoolctl import threadpool_limits

    stop = threading.Event()
    stoppable = StoppableProgress(progress, stop)
    with threadpool_limits(1), ThreadPoolExecutor(n_workers, "fold") as pool:
        fold_by_future = {pool.submit(evaluate_fold, fold, stoppable): fold for fold in range(n_folds)}
        try:
            _emit_in_order(fold_by_future, lambda fold: evaluate_fold(fold, stoppable), on_fold)
        except BaseException:  # including Ctrl-C, which only the main thread receives
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _emit_in_order(
    fold_by_future: dict[Future[FoldResult], int],
    retry: Callable[[int], FoldResult],
    on_fold: Callable[[FoldResult], None],
) -> None:
    """Emit results in fold order as they complete; the first error is raised at once.

    Parallel folds can exceed the memory; those that raised MemoryError are run again one at a time.
    """
    results: dict[int, FoldResult] = {}
    next_fold = 0
    to_retry: list[int] = []
    pending = set(fold_by_future)
    while pending or to_retry:
        if pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                if isinstance(future.exception(), MemoryError):
                    to_retry.append(fold_by_future[future])
                else:
                    results[fold_by_future[future]] = future.result()
        else:
            fold = to_retry.pop()
            results[fold] = retry(fold)
        while next_fold in results:
            on_fold(results.pop(next_fold))
            next_fold += 1
