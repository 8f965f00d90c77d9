"""Judging models honestly: nothing of the rows judged by is used to learn, stop or choose."""

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
