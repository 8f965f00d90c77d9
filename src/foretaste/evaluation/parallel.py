"""Judging one model on all folds, several at a time, without asking for more cores than there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from foretaste._utils.progress import Progress, ProgressTask
from foretaste._utils.threads import resolve_threads, thread_limit
from foretaste.errors import InvalidParameterError
from foretaste.evaluation.fit_and_score import FoldResult, fit_and_score
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.models import Model


def evaluate_folds(
    model: Model,
    plan: EvaluationPlan,
    metrics: tuple[str, ...],
    progress: Progress,
    on_fold: Callable[[FoldResult], None],
    threads: int | None = None,
) -> None:
    """Judge a model on every fold; hand over what comes of each, in the order of the folds.

    Folds are judged side by side in threads: native code lets other threads run, ids stay encoded, and the
    ratings are not copied into other processes. Each fit may use an equal share of the cores, which never
    changes its result.

    Parameters
    ----------
    model, protocol, metrics
        As for ``fit_and_score``.
    progress : Progress
        What models show while they learn.
    on_fold : function of a Judgement
    threads : int, optional
        How many in all; None is all cores.
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InvalidParameterError(
            f"threads={threads!r} is not allowed; it must be a whole number above 0", hint="threads=None"
        )
    n_threads = resolve_threads(threads)
    n_workers = min(n_threads, len(plan))
    n_last_round = len(plan) % n_workers  # those of the last round have the cores to themselves

    def evaluate_fold(fold: int, fold_progress: Progress) -> FoldResult:
        with thread_limit(n_threads // (n_last_round if fold >= len(plan) - n_last_round else n_workers)):
            return fit_and_score(model, *plan.train_test(fold), metrics, fold_progress)

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
    # Limits of BLAS hold for the whole process: set once around all, lest the first model that is done
    # take it from the others.
    from threadpoolctl import threadpool_limits

    stop = threading.Event()
    interruptible = _InterruptibleProgress(progress, stop)
    with threadpool_limits(1), ThreadPoolExecutor(n_workers, "fold") as pool:
        fold_by_future = {pool.submit(evaluate_fold, fold, interruptible): fold for fold in range(n_folds)}
        try:
            _emit_in_order(fold_by_future, lambda fold: evaluate_fold(fold, interruptible), on_fold)
        except BaseException:  # Ctrl-C, too, which only the main thread hears of
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _emit_in_order(
    fold_by_future: dict[Future[FoldResult], int],
    retry: Callable[[int], FoldResult],
    on_fold: Callable[[FoldResult], None],
) -> None:
    """Hand over folds in their order as they come; an error of any of them is raised at once.

    Side by side they may ask for too much memory; those that did are judged again alone.
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


class _InterruptibleProgress(Progress):
    """Shows the work of several threads; interrupts it at its next step once it is not wanted any more."""

    def __init__(self, inner: Progress, stop: threading.Event) -> None:
        self.inner, self.stop = inner, stop

    @contextmanager
    def start_task(self, label: str, total: int, unit: str = "") -> Iterator[ProgressTask]:
        """Open a piece of work."""
        with self.inner.start_task(label, total, unit) as task:
            yield _InterruptibleTask(task, self.stop)


class _InterruptibleTask(ProgressTask):
    def __init__(self, inner: ProgressTask, stop: threading.Event) -> None:
        self.inner, self.stop = inner, stop

    def step(self, n: int = 1, note: str = "") -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        self.inner.step(n, note)
