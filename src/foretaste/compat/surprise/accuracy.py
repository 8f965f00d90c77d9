"""Accuracy metrics: RMSE, MSE, MAE, FCP."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretaste._native import concordant_pairs, group_rows
from foretaste.compat.surprise.trainset import assign_inner_ids
from foretaste.errors import DataError
from foretaste.typing import Float64Array


def rmse(predictions: Any, verbose: bool = True) -> Any:
    """Return the root of the mean squared error."""
    return _print_and_return("RMSE: ", np.sqrt(np.mean(_errors(predictions) ** 2)), verbose)


def mse(predictions: Any, verbose: bool = True) -> Any:
    """Return the mean squared error."""
    return _print_and_return("MSE: ", np.mean(_errors(predictions) ** 2), verbose)


def mae(predictions: Any, verbose: bool = True) -> Any:
    """Return the mean absolute error."""
    return _print_and_return("MAE:  ", np.mean(np.abs(_errors(predictions))), verbose)


def fcp(predictions: Any, verbose: bool = True) -> Any:
    """Return the fraction of concordant pairs: how often the item a user prefers is predicted higher.

    Of each user, the pairs in the right order are counted, and those in the wrong order or predicted alike;
    both are averaged over the users that have any, and the first mean is divided by the sum of the two.
    """
    true, predicted = _true_and_predicted(predictions)
    users, code_by_user = assign_inner_ids([row[0] for row in predictions])
    starts, order = group_rows(users, len(code_by_user))
    n_concordant, n_discordant = concordant_pairs(starts, true[order], predicted[order])
    concordant = np.mean(n_concordant[n_concordant > 0]) if n_concordant.any() else 0.0
    discordant = np.mean(n_discordant[n_discordant > 0]) if n_discordant.any() else 0.0
    if concordant + discordant == 0:
        raise DataError(
            "cannot compute fcp on this list of prediction. Does every user have at least two predictions? "
            "No user here has two with different true ratings",
            hint="accuracy.rmse(predictions), or more ratings of each user in the testset",
        )
    return _print_and_return("FCP:  ", concordant / (concordant + discordant), verbose)


def _errors(predictions: Any) -> Float64Array:
    true, predicted = _true_and_predicted(predictions)
    return true - predicted


def _true_and_predicted(predictions: Any) -> tuple[Float64Array, Float64Array]:
    """Return true and predicted ratings."""
    if len(predictions) == 0:
        raise DataError("Prediction list is empty.", hint="predictions = algo.test(testset)")
    true = [rating for _, _, rating, _, _ in predictions]
    if None in true:
        row = true.index(None)
        raise DataError(
            "a prediction has no true rating, so that no error can be computed",
            where=f"row {row}: {predictions[row]}",
            hint="algo.predict(uid, iid, r_ui=4.0), or algo.test(testset)",
        )
    predicted = [estimate for _, _, _, estimate, _ in predictions]
    return np.array(true, np.float64), np.array(predicted, np.float64)


def _print_and_return(name: str, value: Any, verbose: bool) -> Any:
    if verbose:
        print(f"{name}{value:1.4f}")  # noqa: T201 - verbose=True
    return value
