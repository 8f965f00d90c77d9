"""Maps ranking scores to ratings by an increasing line, which preserves the order."""

from __future__ import annotations

import numpy as np

from foretaste.typing import AnyArray

_MIN_RISE = 0.1  # standard deviations of the ratings, from the lowest score to the highest


def fit_increasing_line(
    score: AnyArray,
    value: AnyArray,
    weight: AnyArray | None = None,
    bounds: tuple[tuple[float, float], tuple[float, float]] | None = None,
) -> tuple[float, float]:
    """Return intercept and slope of the least-squares line of ratings on scores, with a minimal slope.

    Where higher scores do not go with higher ratings, least squares would reverse the order. The line rises
    by at least a tenth of the ratings' standard deviation over the range of the scores, so the order of the
    scores is preserved. It is flat only if all scores or all ratings are equal.

    Parameters
    ----------
    score : array, shape (n,)
    value : array, shape (n,)
        Ratings, in rating units.
    weight : array, shape (n,), optional
    bounds : ((low score, high score), (low rating, high rating)), optional
        The slope is reduced until the line stays within these ratings between these scores: clipped
        predictions would tie.
    """
    scores, values = score.astype(np.float64), value.astype(np.float64)
    mean = float(np.average(values, weights=weight))
    mean_score = float(np.average(scores, weights=weight))
    std = float(np.sqrt(np.average((values - mean) ** 2, weights=weight)))
    variance = float(np.average((scores - mean_score) ** 2, weights=weight))
    span = float(np.ptp(scores))
    if span == 0 or variance == 0:
        return mean, 0.0
    slope = float(np.average((scores - mean_score) * (values - mean), weights=weight)) / variance
    slope = max(slope, _MIN_RISE * std / span)
    if bounds is not None:
        for score_end, rating_end in zip(*bounds, strict=True):
            if score_end != mean_score:
                slope = min(slope, abs(rating_end - mean) / abs(score_end - mean_score))
    return mean - slope * mean_score, slope
