"""From a score that only orders items to a rating: a line that always rises, so that the order is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LEAST_RISE = 0.1  # standard deviations of the ratings, from the lowest score to the highest


def rising_line(
    score: npt.NDArray[Any],
    value: npt.NDArray[Any],
    weight: npt.NDArray[Any] | None = None,
    ends: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> tuple[float, float]:
    """Return intercept and slope of the least-squares line of ratings on scores, never flat.

    Where higher scores do not go with higher ratings, least squares would turn the order round. Then the line
    rises by a tenth of the ratings' standard deviation over the range of the scores: the order is that of the
    scores, and the predicted ratings say that there is little in it. It is flat only if all scores or all
    ratings are equal.

    Parameters
    ----------
    score : array, shape (n,)
    value : array, shape (n,)
        Ratings, in rating units.
    weight : array, shape (n,), optional
    ends : ((low score, high score), (low rating, high rating)), optional
        The line is made less steep, around the mean, until it keeps within the ratings between these scores:
        what is clipped would be equal, and the order lost.
    """
    scores, values = score.astype(np.float64), value.astype(np.float64)
    mean = float(np.average(values, weights=weight))
    middle = float(np.average(scores, weights=weight))
    spread = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
    power = float(np.average((scores - middle) ** 2, weights=weight))
    span = float(np.ptp(scores))
    if span == 0 or power == 0:
        return mean, 0.0
    slope = float(np.average((scores - middle) * (values - mean), weights=weight)) / power
    slope = max(slope, _LEAST_RISE * spread / span)
    if ends is not None:
        for score_end, rating_end in zip(*ends, strict=True):
            if score_end != middle:
                slope = min(slope, abs(rating_end - mean) / abs(score_end - middle))
    return mean - slope * middle, slope
