"""Base class of algorithms: ``fit``, ``predict``, ``test``, baselines and similarities."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from foretaste.compat.surprise._warnings import warn_about_unknown_ids
from foretaste.compat.surprise.prediction_algorithms.predictions import Prediction, PredictionImpossible
from foretaste.compat.surprise.trainset import Trainset
from foretaste.errors import Hint, InvalidParameterError, NotFittedError, did_you_mean
from foretaste.typing import ArrayDict, Float64Array, IndexArray

SIMILARITIES = ("cosine", "msd", "pearson", "pearson_baseline")


class UnknownSimilarityError(InvalidParameterError, NameError):
    """A similarity that does not exist; programs written for scikit-surprise catch ``NameError``."""


@dataclass(frozen=True)
class BatchEstimates:
    """Predictions of an algorithm for a batch of pairs.

    Attributes
    ----------
    value : float64 array, shape (n,)
        Predictions before they are clipped to the scale; values of impossible rows are ignored.
    impossible : dict of int to str
        The impossible rows, with the reason.
    details : dict of str to array, shape (n,)
        Each row's entry goes into the details of its prediction.
    """

    value: Float64Array
    impossible: dict[int, str] = field(default_factory=dict)
    details: ArrayDict = field(default_factory=dict)


class AlgoBase:
    """Base of all algorithms, including custom ones.

    A custom algorithm implements ``estimate(u, i)``, which takes inner ids (or a string starting with
    ``UKN__`` for an unknown raw id) and returns a number, or a number and a dict of details, or raises
    ``PredictionImpossible``; and a ``fit`` that calls ``AlgoBase.fit(self, trainset)`` first.
    """

    trainset: Trainset
    sim: Any

    def __init__(self, **kwargs: Any) -> None:
        self.bsl_options: dict[str, Any] = _copy_options("bsl_options", kwargs.get("bsl_options", {}))
        self.sim_options: dict[str, Any] = _copy_options("sim_options", kwargs.get("sim_options", {}))
        self.sim_options.setdefault("user_based", True)

    def fit(self, trainset: Trainset) -> Self:
        """Set the trainset and reset the baselines."""
        self.trainset = trainset
        self.bu: Any = None
        self.bi: Any = None
        return self

    def estimate(self, u: Any, i: Any) -> Any:
        """Predict one rating, before it is clipped to the scale; implemented by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} has no estimate(u, i); write one")

    def _estimate_rows(self, users: IndexArray, items: IndexArray) -> BatchEstimates | None:
        """Predict many ratings; None if only ``estimate`` can.

        Parameters
        ----------
        users, items : int32 array, shape (n,)
            Inner ids; -1 for one that the trainset does not know.
        """
        return None

    def _estimate_pair(self, u: Any, i: Any) -> BatchEstimates:
        """Return the estimate of ``_estimate_rows`` for one pair of inner ids or of ``UKN__`` strings.

        Raises
        ------
        PredictionImpossible
            If the prediction is impossible.
        """
        user = u if self.trainset.knows_user(u) else -1
        item = i if self.trainset.knows_item(i) else -1
        estimates: Any = self._estimate_rows(np.array([user], np.int32), np.array([item], np.int32))
        if 0 in estimates.impossible:
            raise PredictionImpossible(estimates.impossible[0])
        return estimates  # type: ignore[no-any-return]  # only algorithms that answer rows ask this

    def predict(
        self, uid: Any, iid: Any, r_ui: Any = None, clip: bool = True, verbose: bool = False
    ) -> Prediction:
        """Predict the rating of one user for one item; ``NotFittedError`` before ``fit``."""
        prediction = self._predict([(uid, iid, r_ui)], clip=clip)[0]
        if verbose:
            print(prediction)  # noqa: T201 - verbose=True
        return prediction

    def test(self, testset: Any, verbose: bool = False) -> list[Prediction]:
        """Predict many ratings; ``NotFittedError`` before ``fit``."""
        if type(self).predict is not AlgoBase.predict or "predict" in vars(self):
            return [self.predict(uid, iid, r_ui, verbose=verbose) for uid, iid, r_ui in testset]
        predictions = self._predict(list(testset), clip=True)
        if verbose:
            for prediction in predictions:
                print(prediction)  # noqa: T201 - verbose=True
        return predictions

    def default_prediction(self) -> Any:
        """Return the prediction for impossible cases: the global mean."""
        return self.trainset.global_mean

    def compute_baselines(self) -> tuple[Any, Any]:
        """Compute the biases of users and items relative to the global mean.

        ``bsl_options["method"]`` is ``"als"`` or ``"sgd"``. The result is cached until the next ``fit``.
        """
        if self.bu is not None:
            return self.bu, self.bi
        from foretaste.compat.surprise.prediction_algorithms import optimize_baselines

        methods = {"als": optimize_baselines.baseline_als, "sgd": optimize_baselines.baseline_sgd}
        name = self.bsl_options.get("method", "als")
        if name not in methods:
            raise InvalidParameterError(
                f"Invalid method {name!r} for baselines; it must be als or sgd{did_you_mean(name, methods)}",
                hint=Hint({"bsl_options": {"method": "als"}}),
            )
        if getattr(self, "verbose", False):
            print("Estimating biases using", name + "...")  # noqa: T201 - scikit-surprise prints it
        self.bu, self.bi = methods[name](self)
        return self.bu, self.bi

    def compute_similarities(self) -> Any:
        """Compute the similarities of users, or items if ``sim_options["user_based"]`` is false."""
        name = self._measure()
        from foretaste.compat.surprise import similarities

        trainset, user_based = self.trainset, self.sim_options["user_based"]
        n, raters = (trainset.n_users, trainset.ir) if user_based else (trainset.n_items, trainset.ur)
        arguments = [n, raters, self.sim_options.get("min_support", 1)]
        if name == "pearson_baseline":
            bu, bi = self.compute_baselines()
            x_biases, y_biases = (bu, bi) if user_based else (bi, bu)
            arguments += [trainset.global_mean, x_biases, y_biases, self.sim_options.get("shrinkage", 100)]
        verbose = getattr(self, "verbose", False)
        if verbose:
            print(f"Computing the {name} similarity matrix...")  # noqa: T201 - scikit-surprise prints it
        sim = getattr(similarities, name)(*arguments)
        if verbose:
            print("Done computing similarity matrix.")  # noqa: T201 - scikit-surprise prints it
        return sim

    def _measure(self) -> str:
        """Return the name of the similarity in ``sim_options``, which exists."""
        name = str(self.sim_options.get("name", "msd")).lower()
        if name not in SIMILARITIES:
            raise UnknownSimilarityError(
                f"Wrong sim name {name}. Allowed values are {', '.join(SIMILARITIES)}"
                f"{did_you_mean(name, SIMILARITIES)}",
                hint=Hint({"sim_options": {"name": "msd"}}),
            )
        return name

    def get_neighbors(self, iid: int, k: int) -> list[int]:
        """Return the nearest neighbors of one user, or one item if ``sim_options["user_based"]`` is false."""
        trainset = self.trainset
        ids = trainset.all_users() if self.sim_options["user_based"] else trainset.all_items()
        candidates = [candidate for candidate in ids if candidate != iid]
        if isinstance(self.sim, np.ndarray):
            similarities = self.sim[iid, candidates].tolist()
        else:  # an algorithm that stores them elsewhere
            similarities = [self.sim[iid, candidate] for candidate in candidates]
        nearest = heapq.nlargest(k, zip(similarities, candidates, strict=True), key=lambda pair: pair[0])
        return [candidate for _, candidate in nearest]

    def _predict(self, pairs: list[tuple[Any, Any, Any]], *, clip: bool) -> list[Prediction]:
        if "trainset" not in vars(self):
            raise NotFittedError(
                f"this {type(self).__name__} has not been fitted",
                hint="algo.fit(trainset), before predictions",
            )
        estimates = self._estimate_batch(pairs) if _supports_batches(self) else None
        if estimates is None:
            values, details = self._estimate_individually(pairs)
        else:
            values, details = self._unpack_batch(estimates)
        if clip:
            values = _clip(values, self.trainset.rating_scale)
        return [
            Prediction(uid, iid, r_ui, value, detail)
            for (uid, iid, r_ui), value, detail in zip(pairs, values, details, strict=True)
        ]

    def _estimate_batch(self, pairs: list[tuple[Any, Any, Any]]) -> BatchEstimates | None:
        users, items = self.trainset._raw2inner_id_users, self.trainset._raw2inner_id_items
        user = np.fromiter((users.get(uid, -1) for uid, _, _ in pairs), np.int32, len(pairs))
        item = np.fromiter((items.get(iid, -1) for _, iid, _ in pairs), np.int32, len(pairs))
        estimates = self._estimate_rows(user, item)
        for entity, known, inner, position in (("user", users, user, 0), ("item", items, item, 1)):
            warn_about_unknown_ids(
                entity, known, ((row, pairs[row][position]) for row in np.flatnonzero(inner < 0).tolist())
            )
        return estimates

    def _unpack_batch(self, estimates: BatchEstimates) -> tuple[list[Any], list[dict[str, Any]]]:
        values: list[Any] = estimates.value.tolist()
        columns = [column.tolist() for column in estimates.details.values()]
        names = list(estimates.details)
        details: list[dict[str, Any]]
        if columns:
            details = [
                dict(zip(names, row, strict=True), was_impossible=False) for row in zip(*columns, strict=True)
            ]
        else:
            details = [{"was_impossible": False} for _ in values]
        for row, reason in estimates.impossible.items():
            values[row] = self.default_prediction()
            details[row] = {"was_impossible": True, "reason": reason}
        return values, details

    def _estimate_individually(
        self, pairs: list[tuple[Any, Any, Any]]
    ) -> tuple[list[Any], list[dict[str, Any]]]:
        values: list[Any] = []
        details: list[dict[str, Any]] = []
        for row, (uid, iid, _) in enumerate(pairs):
            detail: dict[str, Any] = {}
            try:
                value = self.estimate(self._inner_id("user", row, uid), self._inner_id("item", row, iid))
                if isinstance(value, tuple):
                    value, detail = value
                detail["was_impossible"] = False
            except PredictionImpossible as reason:
                value = self.default_prediction()
                detail = {"was_impossible": True, "reason": str(reason)}
            values.append(value)
            details.append(detail)
        return values, details

    def _inner_id(self, entity: str, row: int, raw: Any) -> Any:
        known = self.trainset._raw2inner_id_users if entity == "user" else self.trainset._raw2inner_id_items
        try:
            return known[raw]
        except KeyError:
            warn_about_unknown_ids(entity, known, [(row, raw)])
            return f"UKN__{raw}"


def _copy_options(name: str, options: Any) -> dict[str, Any]:
    """Return a copy, so that the caller's dict is not modified."""
    if not hasattr(options, "keys"):
        raise InvalidParameterError(
            f"{name}={options!r} is a {type(options).__name__}; it must be a dict", hint=Hint({name: {}})
        )
    return dict(options)


def _supports_batches(algo: AlgoBase) -> bool:
    """Whether ``_estimate_rows`` matches ``estimate``: neither a subclass nor the object overrides it."""
    if "estimate" in vars(algo):
        return False
    for algo_class in type(algo).__mro__:
        if "_estimate_rows" in vars(algo_class):
            return algo_class is not AlgoBase
        if "estimate" in vars(algo_class):
            return False
    return False


def _clip(values: list[Any], scale: tuple[Any, Any]) -> list[Any]:
    """Return values clipped to the scale, of which NaN becomes the upper end as it does in Python's min."""
    low, high = scale
    return [max(low, min(high, value)) for value in values]
