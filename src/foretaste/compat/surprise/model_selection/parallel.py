"""Runs fits in parallel, with the same results as sequentially.

``n_jobs=1`` runs them sequentially, on the object passed: random numbers are sampled in the order of
scikit-surprise. With more, each works on its own copy, as there. Algorithms of foretaste run in threads, as
their kernels release the interpreter lock and ratings need not be copied. A custom algorithm in Python would
gain nothing from threads, so it runs in processes if joblib is installed (scikit-surprise requires it, too).
"""

from __future__ import annotations

import ast
import copy
import operator
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from foretaste._utils.threads import resolve_threads, thread_limit
from foretaste.errors import Hint, InvalidParameterError

_PACKAGE = __name__.rpartition(".model_selection")[0]
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


class FitTask(NamedTuple):
    """One fit: the arguments of ``fit_and_score``."""

    algo: Any
    trainset: Any
    testset: Any
    measures: list[str]
    return_train_measures: bool


FitResult = tuple[dict[str, Any], dict[str, Any], float, float]
Function = Callable[..., FitResult]


def resolve_n_jobs(n_jobs: Any) -> int:
    """Return the number of parallel fits.

    Parameters
    ----------
    n_jobs : int or None
        None is 1; -1 is all cores, -2 all but one.

    Raises
    ------
    InvalidParameterError
        If it is 0 or not an integer (a ``ValueError``).
    """
    if n_jobs is None:
        return 1
    try:
        number = operator.index(n_jobs)
    except TypeError:
        number = 0
    if number == 0 or isinstance(n_jobs, bool):
        raise InvalidParameterError(
            "it must be a whole number other than 0, or None",
            argument=("n_jobs", n_jobs),
            hint=Hint({"n_jobs": -1}, "all cores"),
        )
    return number if number > 0 else max(1, resolve_threads() + 1 + number)


def max_pending(pre_dispatch: Any, jobs: int) -> int | None:
    """Return the maximum number of running and queued fits; None for no limit.

    Parameters
    ----------
    pre_dispatch : int, str or None
        A number, an expression in ``n_jobs`` as ``"2*n_jobs"``, None or ``"all"``.
    jobs : int
        Number of parallel fits.

    Raises
    ------
    InvalidParameterError
        If it is invalid (a ``ValueError``).
    """
    if pre_dispatch is None or pre_dispatch == "all":
        return None
    try:
        count = int(_evaluate(ast.parse(str(pre_dispatch), mode="eval").body, jobs))
    except (SyntaxError, TypeError, ValueError, KeyError, ArithmeticError):
        count = 0
    if count < 1:
        raise InvalidParameterError(
            'it must be a number above 0, None or an expression in n_jobs as "2*n_jobs"',
            argument=("pre_dispatch", pre_dispatch),
            hint=Hint({"pre_dispatch": "2*n_jobs"}),
        )
    return count


def _evaluate(node: ast.expr, jobs: int) -> Any:
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_evaluate(node.left, jobs), _evaluate(node.right, jobs))
    if isinstance(node, ast.Name) and node.id == "n_jobs":
        return jobs
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    raise ValueError(ast.dump(node))


def run_parallel(
    function: Function, tasks: Iterable[FitTask], n_jobs: Any, pre_dispatch: Any, verbose: int = 0
) -> list[FitResult]:
    """Run all tasks; return their results in order.

    Parameters
    ----------
    function : function
        ``fit_and_score``.
    tasks : iterable of FitTask
        Consumed one at a time, within ``pre_dispatch``.
    n_jobs, pre_dispatch
        As for ``resolve_n_jobs`` and ``max_pending``.
    verbose : int
        Verbosity of progress on standard error: 0 is silent, above 10 reports every fit.
    """
    jobs = resolve_n_jobs(n_jobs)
    limit = max_pending(pre_dispatch, jobs)
    if jobs == 1:
        progress = _JoblibProgress(verbose, jobs)
        results = []
        for task in tasks:
            results.append(function(*task))
            progress.step()
        progress.end()
        return results
    queue = iter(tasks)
    first = next(queue, None)
    if first is None:
        return []
    if not _is_builtin(first.algo) and find_spec("joblib") is not None:
        return _run_in_processes(function, _chain_first(first, queue), jobs, pre_dispatch, verbose)
    return _run_in_threads(function, _chain_first(first, queue), jobs, limit, _JoblibProgress(verbose, jobs))


def _chain_first(first: FitTask, rest: Iterator[FitTask]) -> Iterator[FitTask]:
    yield first
    yield from rest


def _is_builtin(algo: Any) -> bool:
    return type(algo).__module__.startswith(f"{_PACKAGE}.")


def _run_in_threads(
    function: Function, tasks: Iterable[FitTask], jobs: int, limit: int | None, progress: _JoblibProgress
) -> list[FitResult]:
    # BLAS limits hold for the whole process: set once around all fits, so that the first to finish does not
    # reset it for the others.
    from threadpoolctl import threadpool_limits

    threads_per_job = max(1, resolve_threads() // jobs)

    def run(task: FitTask) -> FitResult:
        with thread_limit(threads_per_job):
            return function(*task)

    futures: list[Future[FitResult]] = []
    running: set[Future[FitResult]] = set()
    with threadpool_limits(1), ThreadPoolExecutor(jobs, "fold") as pool:
        try:
            for task in tasks:
                while limit is not None and len(running) >= limit:
                    running = _wait_for_one(running, progress)
                # copied before the task starts: random generators are copied in their present state
                futures.append(pool.submit(run, task._replace(algo=_copy_without_trainset(task.algo))))
                running.add(futures[-1])
            while running:
                running = _wait_for_one(running, progress)
        except BaseException:  # also Ctrl-C, which only the main thread receives
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress.end()
    return [future.result() for future in futures]


def _wait_for_one(running: set[Future[FitResult]], progress: _JoblibProgress) -> set[Future[FitResult]]:
    """Wait until one is done or has failed; return the others."""
    done, pending = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        progress.step()
    return pending


def _copy_without_trainset(algo: Any) -> Any:
    """Return a copy of an algorithm that shares its previous trainset."""
    trainset = vars(algo).get("trainset")
    return copy.deepcopy(algo, {} if trainset is None else {id(trainset): trainset})


def _run_in_processes(
    function: Function, tasks: Iterable[FitTask], jobs: int, pre_dispatch: Any, verbose: int
) -> list[FitResult]:
    from joblib import Parallel, delayed

    cloudpickle = _cloudpickle()
    aliased = getattr(sys.modules.get("surprise"), "__name__", None) == _PACKAGE
    calls = (delayed(_run_packed)(cloudpickle.dumps((function, task)), aliased) for task in tasks)
    dispatch = "all" if pre_dispatch is None else pre_dispatch
    results: list[FitResult] = Parallel(n_jobs=jobs, pre_dispatch=dispatch, verbose=verbose)(calls)
    return results


def _run_packed(packed: bytes, aliased: bool) -> FitResult:
    """Run a task received from the parent process, the only source of pickles here.

    It is unpickled only here, so that the modules it imports find the same ``surprise``.
    """
    if aliased:
        import_module(f"{_PACKAGE}.install")
    function, task = _cloudpickle().loads(packed)
    result: FitResult = function(*task)
    return result


def _cloudpickle() -> Any:
    """Return cloudpickle, which joblib serializes classes of scripts with; older versions vendor it."""
    vendored = "joblib.externals.cloudpickle"
    return import_module("cloudpickle" if find_spec("cloudpickle") is not None else vendored)


class _JoblibProgress:
    """Progress lines on standard error, in joblib's format."""

    def __init__(self, verbose: int, jobs: int) -> None:
        self._verbose, self._jobs = verbose, jobs
        self._start = self._last = time.perf_counter()
        self._n_done = 0

    def step(self) -> None:
        self._n_done += 1
        now = time.perf_counter()
        if self._verbose > 10 or (self._verbose and now - self._last > 10 / self._verbose):
            self._last = now
            self._print("")

    def end(self) -> None:
        if self._verbose:
            self._print(" finished")

    def _print(self, end: str) -> None:
        seconds = time.perf_counter() - self._start
        line = (
            f"[Parallel(n_jobs={self._jobs})]: Done {self._n_done:3d} tasks | elapsed: {seconds:6.1f}s{end}"
        )
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - what joblib_verbose asks for
