"""Grid and randomized hyperparameter search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from foretaste.compat.surprise._warnings import warn
from foretaste.compat.surprise.dataset import DatasetUserFolds
from foretaste.compat.surprise.model_selection.parallel import FitResult, FitTask, run_parallel
from foretaste.compat.surprise.model_selection.split import get_cv
from foretaste.compat.surprise.model_selection.validation import MEASURES, check_measures, fit_and_score
from foretaste.compat.surprise.utils import get_rng
from foretaste.errors import Hint, InvalidParameterError, did_you_mean
from foretaste.typing import Float64Array, Int64Array

_DEFAULT_MEASURES = ["rmse", "mae"]
_OPTION_DICTS = ("sim_options", "bsl_options")


class BaseSearchCV(ABC):
    """Base of the hyperparameter searches."""

    param_combinations: Sequence[dict[str, Any]]

    @abstractmethod
    def __init__(
        self,
        algo_class: Any,
        measures: Any = _DEFAULT_MEASURES,
        cv: Any = None,
        refit: Any = False,
        return_train_measures: bool = False,
        n_jobs: Any = 1,
        pre_dispatch: Any = "2*n_jobs",
        joblib_verbose: int = 0,
    ) -> None:
        self.algo_class = algo_class
        self.measures = check_measures(measures)
        for name in self.measures:
            if name not in MEASURES:
                raise InvalidParameterError(
                    f"unknown whether higher {name!r} is better; a search can use {', '.join(MEASURES)}",
                    hint=Hint({"measures": ["rmse"]}),
                )
        self.cv = cv
        self.refit = self._refit_measure(refit)
        self.return_train_measures = return_train_measures
        self.n_jobs = n_jobs
        self.pre_dispatch = pre_dispatch
        self.joblib_verbose = joblib_verbose

    def _refit_measure(self, refit: Any) -> Any:
        if isinstance(refit, str):
            if refit.lower() not in self.measures:
                raise InvalidParameterError(
                    f"refit={refit!r} is not among the measures {', '.join(self.measures)}"
                    f"{did_you_mean(refit, self.measures)}",
                    hint=f"measures=[..., {refit.lower()!r}], or refit=True for {self.measures[0]!r}",
                )
            return refit.lower()
        return self.measures[0] if refit is True else False

    def fit(self, data: Any) -> None:
        """Evaluate every parameter setting on the same folds."""
        if self.refit and isinstance(data, DatasetUserFolds):
            raise InvalidParameterError(
                "refit cannot be used when data has been loaded with load_from_folds(): there are no ratings "
                "but those of the folds",
                hint=Hint({"refit": False}),
            )
        folds = list(get_cv(self.cv).split(data))
        if not folds or not len(self.param_combinations):
            raise InvalidParameterError(
                "cv yields no folds" if not folds else "there are no settings to try",
                hint=Hint({"cv": 5}) if not folds else "a value at least for each parameter",
            )
        tasks = (
            FitTask(self.algo_class(**params), trainset, testset, self.measures, self.return_train_measures)
            for params, (trainset, testset) in product(self.param_combinations, folds)
        )
        results = run_parallel(fit_and_score, tasks, self.n_jobs, self.pre_dispatch, self.joblib_verbose)
        self._set_results(results, len(folds))
        if self.refit:
            self.best_estimator[self.refit].fit(data.build_full_trainset())

    def _set_results(self, results: list[FitResult], folds: int) -> None:
        """Set the result attributes."""
        settings = list(self.param_combinations)
        shape = (len(settings), folds)
        test, train, *times = zip(*results, strict=True)
        self.best_index: dict[str, Any] = {}
        self.best_params: dict[str, dict[str, Any]] = {}
        self.best_score: dict[str, Any] = {}
        self.best_estimator: dict[str, Any] = {}
        self.cv_results: dict[str, Any] = {}
        for name in self.measures:
            tables = {"test": np.asarray([fold[name] for fold in test]).reshape(shape)}
            if self.return_train_measures:
                tables["train"] = np.asarray([fold[name] for fold in train]).reshape(shape)
            for fold in range(folds):
                for kind, table in tables.items():
                    self.cv_results[f"split{fold}_{kind}_{name}"] = table[:, fold]
            for kind, table in tables.items():
                self.cv_results[f"mean_{kind}_{name}"] = table.mean(axis=1)
                self.cv_results[f"std_{kind}_{name}"] = table.std(axis=1)
            means = self.cv_results[f"mean_test_{name}"]
            self.cv_results[f"rank_test_{name}"], best = _rank(means, higher_is_better=name == "fcp")
            self.best_index[name] = best
            self.best_params[name] = settings[best]
            self.best_score[name] = means[best]
            self.best_estimator[name] = self.algo_class(**settings[best])
        for kind, seconds in zip(("fit", "test"), times, strict=True):
            table = np.array(seconds).reshape(shape)
            self.cv_results[f"mean_{kind}_time"] = table.mean(axis=1)
            self.cv_results[f"std_{kind}_time"] = table.std(axis=1)
        self.cv_results["params"] = self.param_combinations
        for name in settings[0]:
            self.cv_results[f"param_{name}"] = [setting[name] for setting in settings]

    def test(self, testset: Any, verbose: bool = False) -> Any:
        """Predict a testset with the refitted algorithm."""
        return self._get_refitted("test").test(testset, verbose)

    def predict(self, *args: Any) -> Any:
        """Predict one rating with the refitted algorithm."""
        return self._get_refitted("predict").predict(*args)

    def _get_refitted(self, method: str) -> Any:
        if not self.refit:
            raise InvalidParameterError(f"refit is False, cannot use {method}()", hint=Hint({"refit": True}))
        return self.best_estimator[self.refit]


def _rank(means: Float64Array, *, higher_is_better: bool) -> tuple[Int64Array, Any]:
    """Return the rank of each setting, 1 for the best, and the index of the best."""
    order = means.argsort()
    ranks = np.empty_like(order)
    ranks[order] = np.arange(len(order), 0, -1) if higher_is_better else np.arange(1, len(order) + 1)
    return ranks, means.argmax() if higher_is_better else means.argmin()


def _expand_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters, with dicts of options expanded to all combinations."""
    expanded = dict(params)
    for name in _OPTION_DICTS:
        if name in expanded:
            options = expanded[name]
            if not hasattr(options, "keys"):
                raise InvalidParameterError(
                    f"{name}={options!r} is a {type(options).__name__}; it must be a dict of lists",
                    hint=f"{{{name!r}: {{'name': ['msd', 'cosine']}}}}"
                    if name == "sim_options"
                    else f"{{{name!r}: {{'method': ['als', 'sgd']}}}}",
                )
            for option, values in options.items():
                _check_values(f"{name}[{option!r}]", values)
            expanded[name] = [
                dict(zip(options, values, strict=True)) for values in product(*options.values())
            ]
    return expanded


def _check_values(name: str, values: Any) -> None:
    # A string would be split into characters.
    if isinstance(values, str) or not hasattr(values, "__iter__"):
        raise InvalidParameterError(
            f"{name} is {values!r}; it must be a list of values", hint=f"[{values!r}]"
        )


class GridSearchCV(BaseSearchCV):
    """Cross-validate every combination of parameters."""

    def __init__(
        self,
        algo_class: Any,
        param_grid: Any,
        measures: Any = _DEFAULT_MEASURES,
        cv: Any = None,
        refit: Any = False,
        return_train_measures: bool = False,
        n_jobs: Any = 1,
        pre_dispatch: Any = "2*n_jobs",
        joblib_verbose: int = 0,
    ) -> None:
        super().__init__(
            algo_class, measures, cv, refit, return_train_measures, n_jobs, pre_dispatch, joblib_verbose
        )
        self.param_grid = _expand_options(param_grid)
        for name, values in self.param_grid.items():
            _check_values(name, values)
        self.param_combinations = [
            dict(zip(self.param_grid, values, strict=True)) for values in product(*self.param_grid.values())
        ]


class RandomizedSearchCV(BaseSearchCV):
    """Cross-validate randomly sampled parameter combinations.

    If all parameters are lists, scikit-surprise samples from ``np.random``, whatever ``random_state`` is; so
    does this, with a warning.
    """

    def __init__(
        self,
        algo_class: Any,
        param_distributions: Any,
        n_iter: int = 10,
        measures: Any = _DEFAULT_MEASURES,
        cv: Any = None,
        refit: Any = False,
        return_train_measures: bool = False,
        n_jobs: Any = 1,
        pre_dispatch: Any = "2*n_jobs",
        random_state: Any = None,
        joblib_verbose: int = 0,
    ) -> None:
        super().__init__(
            algo_class, measures, cv, refit, return_train_measures, n_jobs, pre_dispatch, joblib_verbose
        )
        self.n_iter = n_iter
        self.random_state = random_state
        self.param_distributions = _expand_options(param_distributions)
        for name, values in self.param_distributions.items():
            if not hasattr(values, "rvs"):
                _check_values(name, values)
        self.param_combinations = _sample_settings(self.param_distributions, n_iter, random_state)


def _sample_settings(distributions: dict[str, Any], n_iter: int, random_state: Any) -> Any:
    """Sample settings: of lists without replacement, else independently."""
    rng = get_rng(random_state)
    if any(hasattr(values, "rvs") for values in distributions.values()):
        return [
            {
                name: values.rvs(random_state=rng)
                if hasattr(values, "rvs")
                else values[rng.randint(len(values))]
                for name, values in sorted(distributions.items())
            }
            for _ in range(n_iter)
        ]
    grid = [dict(zip(distributions, values, strict=True)) for values in product(*distributions.values())]
    if n_iter > len(grid):
        raise InvalidParameterError(
            f"n_iter={n_iter} is more than the {len(grid)} combinations that there are",
            hint=Hint({"n_iter": len(grid)}, "or GridSearchCV, which tries all"),
        )
    if random_state is not None:
        warn(
            f"random_state={random_state!r} has no part in a search of lists: scikit-surprise draws these "
            "settings from np.random, and so does this",
            "np.random.seed(0), before the search is made",
        )
    return np.random.choice(grid, n_iter, replace=False)  # type: ignore[arg-type]
