"""Evaluation of models without leakage: comparison, cross-validation, ranking metrics, tuning."""

from foretaste.evaluation.comparison import compare
from foretaste.evaluation.cross_validation import CrossValidation, cross_validate
from foretaste.evaluation.error_breakdown import Breakdown, breakdown
from foretaste.evaluation.ranking import evaluate_ranking
from foretaste.evaluation.ranking_results import RankingResults
from foretaste.evaluation.results import Results
from foretaste.evaluation.tuning.results import TuningResult
from foretaste.evaluation.tuning.search_space import default_space
from foretaste.evaluation.tuning.tune import tune

__all__ = [
    "Breakdown",
    "CrossValidation",
    "RankingResults",
    "Results",
    "TuningResult",
    "breakdown",
    "compare",
    "cross_validate",
    "default_space",
    "evaluate_ranking",
    "tune",
]
