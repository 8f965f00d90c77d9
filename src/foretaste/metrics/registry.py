"""Metrics by name; names ignore case, and ``"NDCG@10"`` names a ranking metric with its cutoff."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from foretaste.errors import InvalidParameterError
from foretaste.metrics.rating import fcp, mae, nmae, r2, rmse, rmse_per_user


@dataclass(frozen=True)
class Metric:
    """A metric of predicted ratings: its name, label, function and direction, and the column it requires."""

    name: str
    label: str
    function: Callable[..., float]
    greater_is_better: bool = False
    requires: str | None = None


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rmse", "RMSE", rmse),
        Metric("rmse_per_user", "RMSE per user", rmse_per_user, requires="user"),
        Metric("mae", "MAE", mae),
        Metric("nmae", "NMAE", nmae, requires="scale"),
        Metric("r2", "R2", r2, greater_is_better=True),
        Metric("fcp", "FCP", fcp, greater_is_better=True, requires="user"),
    )
}


@dataclass(frozen=True)
class RankingMetric:
    """A metric of ranked lists: its name, its label with ``{n}`` for the cutoff, and its direction."""

    name: str
    label: str
    greater_is_better: bool = True
    beyond_accuracy: bool = False  # of the lists alone, whatever is relevant


RANKING_METRICS = {
    metric.name: metric
    for metric in (
        RankingMetric("ndcg", "nDCG@{n}"),
        RankingMetric("map", "MAP@{n}"),
        RankingMetric("precision", "precision@{n}"),
        RankingMetric("recall", "recall@{n}"),
        RankingMetric("mrr", "MRR@{n}"),
        RankingMetric("hit_rate", "hit rate@{n}"),
        RankingMetric("coverage", "coverage@{n}", beyond_accuracy=True),
        RankingMetric("novelty", "novelty@{n}", beyond_accuracy=True),
        RankingMetric("diversity", "diversity@{n}", beyond_accuracy=True),
        RankingMetric("gini", "Gini@{n}", greater_is_better=False, beyond_accuracy=True),
    )
}


def get_metric(name: str) -> Metric:
    """Return the metric of predicted ratings with a name.

    Parameters
    ----------
    name : str
        One of ``METRICS``, in any case; spaces and hyphens count as underscores (``"RMSE per user"``).

    Raises
    ------
    InvalidParameterError
        If there is no such metric.
    """
    key = _normalize(name)
    if key in METRICS:
        return METRICS[key]
    raise _unknown_metric("metric", name, key, METRICS)


def get_ranking_metric(name: str) -> tuple[RankingMetric, int | None]:
    """Return the metric of ranked lists with a name, and the cutoff in it.

    Parameters
    ----------
    name : str
        One of ``RANKING_METRICS``, in any case, optionally with a cutoff: ``"ndcg"``, ``"NDCG@10"``.

    Returns
    -------
    metric : RankingMetric
    cutoff : int or None
        10 of ``"NDCG@10"``; None where the name has none.

    Raises
    ------
    InvalidParameterError
        If there is no such metric.
    """
    base, at, cutoff = str(name).partition("@")
    key = _normalize(base)
    if key in RANKING_METRICS and (cutoff.isdecimal() or not at):
        return RANKING_METRICS[key], int(cutoff) if cutoff else None
    raise _unknown_metric("ranking metric", name, key, RANKING_METRICS)


def _normalize(name: object) -> str:
    return re.sub(r"[\s-]+", "_", str(name).strip().lower())


def _unknown_metric(noun: str, name: object, key: str, known: Iterable[str]) -> InvalidParameterError:
    return InvalidParameterError(
        f'no {noun} "{name}"',
        misspelled=(name, known),
        hint="one of " + ", ".join(known),
    )
