"""Judging models honestly: nothing of the rows judged by is used to learn, stop or choose."""

from foretaste.evaluation.breaking_down import Breakdown, breakdown
from foretaste.evaluation.comparing import compare
from foretaste.evaluation.cross_validating import CrossValidation, cross_validate
from foretaste.evaluation.ranking import evaluate_ranking
from foretaste.evaluation.ranking_results import RankingResults
from foretaste.evaluation.results import Results
from foretaste.evaluation.spaces import default_space
from foretaste.evaluation.tuned import Tuned
from foretaste.evaluation.tuning import tune

__all__ = [
    "Breakdown",
    "CrossValidation",
    "RankingResults",
    "Results",
    "Tuned",
    "breakdown",
    "compare",
    "cross_validate",
    "default_space",
    "evaluate_ranking",
    "tune",
]
