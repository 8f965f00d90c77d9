"""Recommendations: top-N, similar items and users, fold-in, explanations and active learning."""

from foretaste.recommendation.active_learning import next_question, question_gains
from foretaste.recommendation.batch import recommend_all
from foretaste.recommendation.explanation import Explanation, Part, Reason, explain
from foretaste.recommendation.new_entities import fold_in
from foretaste.recommendation.recommendations import Recommendations
from foretaste.recommendation.similar import SimilarEntities, similar_items, similar_users
from foretaste.recommendation.top_n import recommend

__all__ = [
    "Explanation",
    "Part",
    "Reason",
    "Recommendations",
    "SimilarEntities",
    "explain",
    "fold_in",
    "next_question",
    "question_gains",
    "recommend",
    "recommend_all",
    "similar_items",
    "similar_users",
]
