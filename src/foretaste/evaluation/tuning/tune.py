"""Hyperparameter tuning, with nested cross-validation of the search."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import numpy as np

from foretaste._utils.checks import check_int, check_number, is_integer
from foretaste._utils.progress import Progress, get_progress
from foretaste.errors import Hint, InvalidParameterError
from foretaste.evaluation.comparison import resolve_model
from foretaste.evaluation.fit_and_score import clone, validate_metrics
from foretaste.evaluation.plan import make_plan
from foretaste.evaluation.tuning.nested_search import NestedSearch
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

DEFAULT_TRIALS = 50  # if neither trials nor timeout is passed


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
    """Search the setting of a model that predicts best, and evaluate the search itself.

    Every setting is evaluated on the same folds. The first is the initial model, so that the improvement
    shows. The best score is the best of many and so optimistic; with ``outer_folds`` the whole search is
    repeated without each outer fold in turn, and its best setting is evaluated on that fold: the score to
    report.

    Parameters
    ----------
    model : str or Model
        A model, or its name; it is left unfitted. Parameters outside the space keep its values.
    ratings : Ratings, or a data frame with ratings
    space : "default" or dict
        Parameter names to values: ``(low, high)``, ``("log", low, high)``, a list of values, or one value.
        ``default_space(model)`` returns the default.
    method : {"gp", "tpe", "random", "grid"}
        "gp" and "tpe" learn from the trials: Bayesian optimization with a Gaussian process, or optuna's
        tree-structured Parzen estimator (``foretaste[tune]``). "random" samples; "grid" tries every
        combination, of an interval the bounds and the middle.
    trials : int, optional
        Maximum number of settings of a search. Default: 50; with a timeout unlimited; for a grid all of it.
    timeout : float, optional
        Seconds for everything, outer folds included, which get equal shares. The number of trials then
        depends on the machine; the trials themselves do not.
    folds : int or splitter
        Inner folds, on which settings are compared; a number means ``KFold(folds, seed)``. With many folds
        the training sets are nearly as large as all ratings, and pruned settings are evaluated on few of
        them.
    outer_folds : int or splitter, optional
        Outer folds, on which the search is evaluated.
    metric : str
        One of ``foretaste.metrics.METRICS``.
    seed : int
        Random seed of the folds and of the sampler. Trials run one after another: the same seed gives the
        same trials.
    prune : bool
        Whether to stop a setting after its first fold unless it is in the best quarter of the earlier trials
        there, and after a later fold unless it is in the better half of those that reached it.
    study : path, optional
        SQLite file that saves each fold as soon as it is evaluated. The same call with the same file resumes
        an interrupted search, and tries what it would have tried without the interruption.
    progress : bool or Progress
    name : str
        Name of the dataset in the result.

    Returns
    -------
    TuningResult
        After an interruption (Ctrl-C), of the trials done so far, with ``interrupted`` set.

    Raises
    ------
    InvalidParameterError
        If an argument is not allowed, a parameter of the space does not exist or exceeds its bounds, or the
        study belongs to another search.
    MissingDependencyError
        If the method is "tpe" and optuna is not installed.
    DataError
        If the ratings cannot be used, or no setting could be evaluated.
    """
    ratings = as_ratings(ratings)
    initial_model = clone(resolve_model(model))
    search_space = make_space(initial_model, space)
    if trials is not None:
        check_int("trials", trials, low=1, suggestion=DEFAULT_TRIALS)
    if timeout is not None:
        check_number("timeout", timeout, low=0, exclusive=True, unit="seconds", suggestion=300)
    check_int("seed", seed, low=0, high=2**32 - 1)
    inner_split = _resolve_split("folds", folds, seed)
    plan = make_plan(ratings, inner_split, None)
    metric = get_metric(metric).name
    validate_metrics([metric], plan)
    search = Search(initial_model, search_space, method, metric, seed, prune)
    search.make_sampler()  # raises early if optuna is missing
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


def _resolve_split(name: str, value: Any, seed: int) -> Any:
    if hasattr(value, "split") and not isinstance(value, str):
        return value
    if not is_integer(value) or int(value) < 2:
        raise InvalidParameterError(
            "it must be an integer, at least 2, or a splitter",
            argument=(name, value),
            hint=Hint({name: 10 if name == "folds" else 5}),
        )
    return KFold(int(value), seed)


def _max_trials(search: Search, trials: int | None, timeout: float | None) -> int | None:
    """Return the maximum number of trials of one search."""
    if trials is not None:
        return trials
    return DEFAULT_TRIALS if timeout is None and search.method != "grid" else None


def _study_metadata(search: Search, ratings: Ratings, split: Any) -> dict[str, Any]:
    """Return the metadata that must agree for a study to be resumed."""
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
