"""Metrics: of predicted ratings, of ranked lists, beyond accuracy; and scorers for scikit-learn."""

from foretaste.metrics.beyond_accuracy import coverage, diversity, gini, novelty
from foretaste.metrics.ranking import average_precision, hit_rate, ndcg, precision, recall, reciprocal_rank
from foretaste.metrics.rating import METRICS, Metric, fcp, mae, nmae, r2, rmse, rmse_per_user
from foretaste.metrics.scorer import Scorer, scorer

__all__ = [
    "METRICS",
    "Metric",
    "Scorer",
    "average_precision",
    "coverage",
    "diversity",
    "fcp",
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
