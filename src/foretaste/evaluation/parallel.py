"""Judging one model on all folds, several at a time, without asking for more cores than there are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from foretaste._utils.progress import Progress, Task
from foretaste._utils.threads import sharing, thread_count
from foretaste.errors import InvalidParameter
from foretaste.evaluation.fit_and_score import Judgement, judge
from foretaste.evaluation.plan import Protocol
from foretaste.models import Model


def judge_folds(
    model: Model,
    protocol: Protocol,
    metrics: tuple[str, ...],
    progress: Progress,
    on_fold: Callable[[Judgement], None],
    threads: int | None = None,
) -> None:
    """Judge a model on every fold; hand over what comes of each, in the order of the folds.

    Folds are judged side by side in threads: native code lets other threads run, ids stay encoded, and the
    ratings are not copied into other processes. Each fit may use an equal share of the cores, which never
    changes its result.

    Parameters
    ----------
    model, protocol, metrics
        As for ``judge``.
    progress : Progress
        What models show while they learn.
    on_fold : function of a Judgement
    threads : int, optional
        How many in all; None is all cores.
    """
    if threads is not None and (isinstance(threads, bool) or not isinstance(threads, int) or threads < 1):
        raise InvalidParameter(
            f"threads={threads!r} is not allowed; it must be a whole number above 0", hint="threads=None"
        )
    total = thread_count(threads)
    at_once = min(total, len(protocol))
    left = len(protocol) % at_once  # those of the last round have the cores to themselves

    def work(fold: int, shown: Progress) -> Judgement:
        with sharing(total // (left if fold >= len(protocol) - left else at_once)):
            return judge(model, *protocol.parts(fold), metrics, shown)

    if at_once == 1:
        for fold in range(len(protocol)):
            on_fold(work(fold, progress))
        return
    _side_by_side(work, len(protocol), at_once, progress, on_fold)


def _side_by_side(
    work: Callable[[int, Progress], Judgement],
    folds: int,
    at_once: int,
    progress: Progress,
    on_fold: Callable[[Judgement], None],
) -> None:
    # Limits of BLAS hold for the whole process: set once around all, lest the first model that is done
    # take it from the others.
    from threadpoolctl import threadpool_limits

    stop = threading.Event()
    shown = _Stoppable(progress, stop)
    with threadpool_limits(1), ThreadPoolExecutor(at_once, "fold") as pool:
        waiting = {pool.submit(work, fold, shown): fold for fold in range(folds)}
        try:
            _gather(waiting, lambda fold: work(fold, shown), on_fold)
        except BaseException:  # Ctrl-C, too, which only the main thread hears of
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _gather(
    waiting: dict[Future[Judgement], int],
    again: Callable[[int], Judgement],
    on_fold: Callable[[Judgement], None],
) -> None:
    """Hand over folds in their order as they come; an error of any of them is raised at once.

    Side by side they may ask for too much memory; those that did are judged again alone.
    """
    ready: dict[int, Judgement] = {}
    handed = 0
    alone: list[int] = []
    pending = set(waiting)
    while pending or alone:
        if pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                if isinstance(future.exception(), MemoryError):
                    alone.append(waiting[future])
                else:
                    ready[waiting[future]] = future.result()
        else:
            fold = alone.pop()
            ready[fold] = again(fold)
        while handed in ready:
            on_fold(ready.pop(handed))
            handed += 1


class _Stoppable(Progress):
    """Shows the work of several threads; interrupts it at its next step once it is not wanted any more."""

    def __init__(self, inner: Progress, stop: threading.Event) -> None:
        self.inner, self.stop = inner, stop

    @contextmanager
    def task(self, label: str, total: int, unit: str = "") -> Iterator[Task]:
        """Open a piece of work."""
        with self.inner.task(label, total, unit) as task:
            yield _StoppableTask(task, self.stop)


class _StoppableTask(Task):
    def __init__(self, inner: Task, stop: threading.Event) -> None:
        self.inner, self.stop = inner, stop

    def step(self, n: int = 1, note: str = "") -> None:
        if self.stop.is_set():
            raise KeyboardInterrupt
        self.inner.step(n, note)
