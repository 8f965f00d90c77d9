"""What only the predictions themselves can tell: how far they miss, for whom, and how models learn.

Results hold figures, not predictions, so the best model is fitted once more on the first fold of the very
protocol that the results come from.
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
from foretaste.report.html import MAX_CHARS, truncate
from foretaste.typing import Float64Array, Int64Array

MAX_REFIT_SECONDS = (
    120.0  # seconds of fitting, by the times in the results, that a page may ask for once more
)


@dataclass(frozen=True)
class HeldOutPredictions:
    """Predictions of one model for the rows of one fold that it did not learn from.

    Parameters
    ----------
    model : str
        As it is called in the results.
    folds : int
        How many folds the protocol has; these are the rows of the first.
    true, predicted, mean : float array, shape (n,)
        Ratings, what the model predicts, and the mean of the rows to learn from, in rating units.
    user_counts, item_counts : int array, shape (n,)
        How many of the rows to learn from are of the same user, of the same item.
    curves : dict of list of float
        Of each model that tells it, the error of each epoch on the rows it learns from.
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
        """How much too high each prediction is, in rating units."""
        return self.predicted - self.true


def refit_for_report(
    results: Results, ratings: Ratings | None, split: Any, test: Ratings | None, progress: Progress
) -> tuple[HeldOutPredictions | None, str]:
    """Fit the best model once more, and the other models that tell how they learn.

    Returns
    -------
    HeldOut or None, str
        None with the reason.

    Raises
    ------
    InvalidParameterError
        If ``split`` or ``test`` is given and the results come from another protocol.
    """
    best = results.best_row
    if best is None:
        return None, "no model was judged"
    plan = get_plan(results)
    if plan is None:
        if ratings is None:
            return None, "for that the ratings are needed"
        plan = make_plan(ratings, split, test)
        if plan.description != results.protocol:
            if split is not None or test is not None:
                raise InvalidParameterError(
                    f"the results do not come from these rows; theirs: {results.protocol}; "
                    f"those given: {plan.description}",
                    hint="the ratings and the split that compare was given",
                )
            return None, "the rows held out are not those of HoldOut(0.2, seed=0), and no split was given"
    models = models_to_refit(results)
    if not models or models[0][0] is not best:
        return (
            None,
            f"{best['model']} cannot be fitted once more here, or only in more than {MAX_REFIT_SECONDS:g} s",
        )
    return _refit(models, plan, progress), ""


def get_plan(results: Results) -> EvaluationPlan | None:
    """Return the protocol of results that still hold it: those of a comparison in this very process."""
    plan: EvaluationPlan | None = getattr(getattr(results, "kept", None), "protocol", None)
    return plan


def check_ratings(results: Results, ratings: Ratings) -> None:
    """Refuse ratings that the results cannot come from.

    Raises
    ------
    InvalidParameterError
        If there are more or fewer of them, or of their users or items.
    """
    expected = [results.dataset[name] for name in ("ratings", "users", "items")]
    actual = [len(ratings), len(ratings.users), len(ratings.items)]
    if expected != actual:
        descriptions = [
            "{:,} ratings, {:,} users x {:,} items".format(*counts) for counts in (expected, actual)
        ]
        raise InvalidParameterError(
            f"the results do not come from these ratings; theirs: {descriptions[0]}; those given: {descriptions[1]}",
            hint="the ratings that compare was given",
        )


def models_to_refit(results: Results) -> list[tuple[dict[str, Any], Model]]:
    """Return the rows and models to fit once more: the best, and those that tell how they learn."""
    seconds = 0.0
    models: list[tuple[dict[str, Any], Model]] = []
    for row in results.rows:
        if "error" in row or row["model"] not in MODELS:
            continue
        has_curve = MODELS[row["model"]].fitted_shapes().get("train_rmse_") == ("epochs",)
        if row is not results.best_row and not has_curve:
            continue
        seconds += row["fit_seconds"] or 0.0
        if seconds > MAX_REFIT_SECONDS or len(models) == 4:  # more curves than four cannot be told apart
            break
        try:
            models.append((row, from_spec({"model": row["model"], "params": row["params"]})))
        except ForetasteError:  # a row from elsewhere, or of another version
            continue
    return models


def _refit(
    models: list[tuple[dict[str, Any], Model]], plan: EvaluationPlan, progress: Progress
) -> HeldOutPredictions:
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
    """Return how many rows to learn from there are of the user (or item) of each row to judge by."""
    counts = np.bincount(codes, minlength=len(known))
    index = known.indices_of(test_ids.ids)
    support: Int64Array = np.where(index >= 0, counts[index], 0)[test_codes]
    return support


def model_label(row: dict[str, Any]) -> str:
    """Return what a row is called: the model, and the parameters that differ from its defaults."""
    return truncate(str(row["repr"]).removesuffix("()"), MAX_CHARS)
