"""The best setting of a model, and what the search for it is worth."""

from __future__ import annotations

import hashlib
import math
import os
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress, get_progress
from foretaste.errors import InvalidParameterError
from foretaste.evaluation.comparison import model_from_name
from foretaste.evaluation.fit_and_score import clone, validate_metrics
from foretaste.evaluation.plan import make_plan
from foretaste.evaluation.tuning.nested import NestedSearch
from foretaste.evaluation.tuning.results import TuningResult
from foretaste.evaluation.tuning.search import Search
from foretaste.evaluation.tuning.search_space import make_space
from foretaste.evaluation.tuning.study import Study
from foretaste.fingerprint import fingerprint
from foretaste.metrics.registry import get_metric
from foretaste.models import Model
from foretaste.models.spec import as_spec
from foretaste.ratings import Ratings
from foretaste.splits import KFold
from foretaste.validation import as_ratings

DEFAULT_TRIALS = 50  # where neither trials nor a budget is given


def tune(
    model: str | Model,
    ratings: Any,
    space: Any = "default",
    *,
    method: str = "gp",
    trials: int | None = None,
    timeout: float | None = None,
    folds: Any = 10,
    outer_folds: Any = None,
    metric: str = "rmse",
    seed: int = 0,
    prune: bool = True,
    study: str | os.PathLike[str] | None = None,
    progress: bool | Progress = False,
    name: str = "ratings",
) -> TuningResult:
    """Search the setting of a model that predicts best, and say what the search is worth.

    Every setting is judged on the same folds. The first is the model as given, so that the gain is seen.
    The best score is the best of many and so too good; with ``outer_folds`` the whole search is done again without
    each outer fold in turn, and what it finds is judged on the rows that took no part: the score to report.

    Parameters
    ----------
    model : str or Model
        A model, or its name; it is left unfitted. Parameters outside the space stay as they are.
    ratings : Ratings, or a data frame with ratings
    space : "default" or dict
        Parameter names to what is tried: ``(low, high)``, ``("log", low, high)``, a list of values, or one
        value. ``default_space(model)`` shows the default.
    method : {"gp", "tpe", "random", "grid"}
        "gp" and "tpe" learn from the trials: "gp" by a Gaussian process, "tpe" by a tree of Parzen estimators
        (of optuna: ``foretaste[tune]``). "random" draws; "grid" takes every combination, of a range the ends
        and the middle.
    trials : int, optional
        The most settings a search tries. Default: 50, with a budget no limit, for a grid all of it.
    timeout : float, optional
        Seconds that all of it may take, outer folds included, which get equal shares. How many trials are
        done then depends on the machine; the trials themselves do not.
    folds : int or Split
        Inner folds, by which settings are compared; a number means ``KFold(folds, seed)``. Many make the
        parts learned from nearly as large as all ratings, and what is dropped early sees few of them.
    outer_folds : int or Split, optional
        Outer folds, by which the search is judged.
    metric : str
        One of ``foretaste.metrics.METRICS``.
    seed : int
        Chooses the folds and the draws. Trials run one after another: the same seed, the same trials.
    prune : bool
        Whether a setting is dropped after its first fold unless it is among the best quarter there of those
        before it, and after a later fold unless it is among the better half of those that came as far.
    study : path, optional
        An SQLite file that keeps each fold as soon as it is judged. The same call with the same file goes on
        where it was, whatever ended it, and tries what it would have tried without the stop.
    progress : bool or Progress
    name : str
        What the ratings are called in the result.

    Returns
    -------
    Tuned
        If it is interrupted (Ctrl-C), what came of the trials until then, with ``stopped`` set.

    Raises
    ------
    InvalidParameterError
        If an argument is not allowed, a parameter of the space is not one of the model or reaches outside
        its bounds, or the study is of something else.
    MissingDependencyError
        If "tpe" is asked for and optuna is not installed.
    DataError
        If the ratings cannot be used, or no setting could be judged.
    """
    ratings = as_ratings(ratings)
    resolved = model_from_name(model) if isinstance(model, str) else model
    if not isinstance(resolved, Model):
        raise InvalidParameterError(
            f"model={resolved!r} is neither a name nor a model", hint='"SVD", or SVD()'
        )
    initial_model = clone(resolved)
    initial_model._check_extra()
    initial_model.check_params()
    search_space = make_space(initial_model, space)
    _check_limits(trials, timeout, seed)
    inner_split = _resolve_split("folds", folds, seed)
    plan = make_plan(ratings, inner_split, None)
    metric = get_metric(metric).name
    validate_metrics([metric], plan)
    search = Search(initial_model, search_space, method, metric, seed, prune)
    search.make_sampler()  # an extra that is missing is missed before anything is run
    outer_plan = (
        None
        if outer_folds is None
        else make_plan(ratings, _resolve_split("outer_folds", outer_folds, seed), None)
    )
    with Study(study, _study_metadata(search, ratings, inner_split)) as open_study:
        nested_search = NestedSearch(
            search,
            open_study,
            inner_split,
            plan,
            outer_plan,
            repr(_resolve_split("outer_folds", outer_folds, seed)) if outer_plan else "",
        )
        nested_search.run(_max_trials(search, trials, timeout), timeout, get_progress(progress))
        return nested_search.build_result({"name": name, **ratings.describe()})


def _check_limits(trials: Any, timeout: Any, seed: Any) -> None:
    """Refuse limits that are none."""
    if trials is not None and (isinstance(trials, bool) or not isinstance(trials, int) or trials < 1):
        raise InvalidParameterError(
            f"trials={trials!r} is not allowed; it must be a whole number, at least 1",
            hint=f"trials={DEFAULT_TRIALS}",
        )
    is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
    if timeout is not None and not (is_number and 0 < timeout < math.inf):
        raise InvalidParameterError(
            f"timeout={timeout!r} is not allowed; it must be a number of seconds above 0", hint="timeout=300"
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InvalidParameterError(
            f"seed={seed!r} is not allowed; it must be a whole number, 0 to {2**32 - 1}", hint="seed=0"
        )


def _resolve_split(name: str, value: Any, seed: int) -> Any:
    if hasattr(value, "split") and not isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        raise InvalidParameterError(
            f"{name}={value!r} is not allowed; it must be a whole number, at least 2, or a split",
            hint="folds=10" if name == "folds" else "outer_folds=5",
        )
    return KFold(value, seed)


def _max_trials(search: Search, trials: int | None, timeout: float | None) -> int | None:
    """Return the most trials of one search."""
    if trials is not None:
        return trials
    return DEFAULT_TRIALS if timeout is None and search.method != "grid" else None


def _study_metadata(search: Search, ratings: Ratings, split: Any) -> dict[str, Any]:
    """Return what a study must agree in to be gone on with."""
    order = hashlib.sha256()
    for column in (ratings.user, ratings.item, ratings.value):
        order.update(np.ascontiguousarray(column).data)
    return {
        "format": 2,
        "fingerprint": fingerprint(ratings),
        "order": order.hexdigest()[:32],
        "scale": ratings.scale,
        "model": as_spec(search.model),
        "space": {name: dimension.to_cli() for name, dimension in search.space.items()},
        "method": search.method,
        "split": repr(split),
        "metric": search.metric,
        "seed": search.seed,
        "prune": search.prune,
    }
