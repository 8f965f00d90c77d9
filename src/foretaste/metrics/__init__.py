"""Metrics of predicted ratings, of ranked lists and beyond accuracy, by name; scorers for scikit-learn."""

from foretaste.metrics.beyond_accuracy import coverage, diversity, gini, novelty
from foretaste.metrics.ranking import average_precision, hit_rate, ndcg, precision, recall, reciprocal_rank
from foretaste.metrics.rating import fcp, mae, nmae, r2, rmse, rmse_per_user
from foretaste.metrics.registry import (
    METRICS,
    RANKING_METRICS,
    Metric,
    RankingMetric,
    get_metric,
    get_ranking_metric,
)
from foretaste.metrics.scorer import Scorer, scorer

__all__ = [
    "METRICS",
    "RANKING_METRICS",
    "Metric",
    "RankingMetric",
    "Scorer",
    "average_precision",
    "coverage",
    "diversity",
    "fcp",
    "get_metric",
    "get_ranking_metric",
    "gini",
    "hit_rate",
    "mae",
    "ndcg",
    "nmae",
    "novelty",
    "precision",
    "r2",
    "recall",
    "reciprocal_rank",
    "rmse",
    "rmse_per_user",
    "scorer",
]
