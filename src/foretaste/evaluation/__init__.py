"""Judging models honestly: nothing of the rows judged by is used to learn, stop or choose."""

from foretaste.evaluation.comparing import compare
from foretaste.evaluation.ranking import evaluate_ranking
from foretaste.evaluation.ranking_results import RankingResults
from foretaste.evaluation.results import Results

__all__ = ["RankingResults", "Results", "compare", "evaluate_ranking"]
