"""Refits models for a report: test predictions of the best one, and training curves.

Results hold metrics, but neither test rows nor training curves, so the best model is refitted on the first
fold of the evaluation plan that the results come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import ForetasteError, InvalidParameterError
from foretaste.evaluation import Results
from foretaste.evaluation.plan import EvaluationPlan, make_plan
from foretaste.models import MODELS, Model
from foretaste.models.spec import from_spec
from foretaste.ratings import Ratings
from foretaste.report.models_table import Row, model_label
from foretaste.typing import Float64Array, Int64Array

MAX_REFIT_SECONDS = 120.0  # total training time of the models to refit, as measured in the results
_MAX_CURVES = 4  # more cannot be told apart in one chart


@dataclass(frozen=True)
class HeldOutPredictions:
    """Predictions of one model for the test set of one fold.

    Parameters
    ----------
    model : str
        Label of the model in the results.
    folds : int
        Number of folds of the plan; these are the rows of the first.
    true, predicted : float64 array, shape (n,)
        Ratings and predictions, in rating units.
    mean : float
        Mean of the training set.
    user_counts, item_counts : int64 array, shape (n,)
        Number of training ratings of the same user, and of the same item.
    curves : dict of list of float
        Training RMSE per epoch, of each model that records it.
    """

    model: str
    folds: int
    true: Float64Array
    predicted: Float64Array
    mean: float
    user_counts: Int64Array
    item_counts: Int64Array
    curves: dict[str, list[float]] = field(default_factory=dict)

    @property
    def errors(self) -> Float64Array:
        """Predicted minus true rating, shape (n,)."""
        return self.predicted - self.true


def refit_for_report(
    results: Results, ratings: Ratings | None, split: Any, test: Ratings | None, progress: Progress
) -> tuple[HeldOutPredictions | None, str]:
    """Refit the best model, and other models that record a training curve.

    Returns
    -------
    HeldOutPredictions or None
    str
        Why there are none, for the reader; else empty.

    Raises
    ------
    InvalidParameterError
        If ``split`` or ``test`` is given and the results come from another plan.
    """
    best = results.best_row
    if best is None:
        return None, "no model was tested"
    plan = get_plan(results)
    if plan is None:
        if ratings is None:
            return None, "for that the ratings are needed"
        plan = make_plan(ratings, split, test)
        if plan.description != results.protocol:
            if split is not None or test is not None:
                raise InvalidParameterError(
                    f"the results were computed on other rows: {results.protocol}; split and test give: "
                    f"{plan.description}",
                    hint="the ratings and the split that compare was called with",
                )
            return None, "the rows held out are not those of HoldOut(0.2, seed=0), and no split was given"
    models = models_to_refit(results)
    if not models or models[0][0] is not best:
        reason = (
            f"{best['model']} cannot be fitted once more here, or only in more than {MAX_REFIT_SECONDS:g} s"
        )
        return None, reason
    return _refit(models, plan, progress), ""


def get_plan(results: Results) -> EvaluationPlan | None:
    """Return the evaluation plan of results that hold it: those of a comparison in this process."""
    return None if results.predictions is None else results.predictions.plan


def check_ratings(results: Results, ratings: Ratings) -> None:
    """Check that the results can come from these ratings.

    Raises
    ------
    InvalidParameterError
        If the numbers of ratings, users or items differ.
    """
    expected = [results.dataset[name] for name in ("ratings", "users", "items")]
    actual = [len(ratings), len(ratings.users), len(ratings.items)]
    if expected != actual:
        descriptions = [
            "{:,} ratings, {:,} users x {:,} items".format(*counts) for counts in (expected, actual)
        ]
        raise InvalidParameterError(
            f"the results were computed on other ratings: {descriptions[0]}; ratings= has {descriptions[1]}",
            hint="the ratings that compare was called with",
        )


def models_to_refit(results: Results) -> list[tuple[Row, Model]]:
    """Return rows and unfitted models to refit: the best, and those that record a training curve."""
    seconds = 0.0
    known_models = set(MODELS.names())
    models: list[tuple[Row, Model]] = []
    for row in results.rows:
        if "error" in row or row["model"] not in known_models:
            continue
        has_curve = MODELS[row["model"]].fitted_shapes().get("train_rmse_") == ("epochs",)
        if row is not results.best_row and not has_curve:
            continue
        seconds += row["fit_seconds"] or 0.0
        if seconds > MAX_REFIT_SECONDS or len(models) == _MAX_CURVES:
            break
        try:
            models.append((row, from_spec({"model": row["model"], "params": row["params"]})))
        except ForetasteError:  # a model of another package or version
            continue
    return models


def _refit(models: list[tuple[Row, Model]], plan: EvaluationPlan, progress: Progress) -> HeldOutPredictions:
    train, test = plan.train_test(0)
    curves: dict[str, list[float]] = {}
    predicted = np.empty(0)
    with progress.start_task("report", len(models)) as task:
        for index, (row, model) in enumerate(models):
            label = model_label(row)
            task.step(0, label)
            model.fit(train, progress=progress)
            if index == 0:
                predicted = model.predict(test).astype(np.float64)
            curve = getattr(model, "train_rmse_", None)
            if curve is not None and len(curve):
                curves[label] = [float(error) for error in curve]
            task.step()
    return HeldOutPredictions(
        model_label(models[0][0]),
        len(plan),
        test.value.astype(np.float64),
        predicted,
        float(train.value.astype(np.float64).mean()),
        _count_support(train.user, train.users, test.users, test.user),
        _count_support(train.item, train.items, test.items, test.item),
        curves,
    )


def _count_support(codes: Any, known: Any, test_ids: Any, test_codes: Any) -> Int64Array:
    """Return the number of training ratings of the user (or item) of each test row."""
    counts = np.bincount(codes, minlength=len(known))
    index = known.indices_of(test_ids.ids)
    support: Int64Array = np.where(index >= 0, counts[index], 0)[test_codes]
    return support
