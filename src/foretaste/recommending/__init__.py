"""What to recommend and why: the best items, what is like an item, new people, explanations, questions."""

from foretaste.recommending.asking import next_question, question_gains
from foretaste.recommending.explaining import explain
from foretaste.recommending.explanation import Explanation, Part, Reason
from foretaste.recommending.folding import fold_in
from foretaste.recommending.lists import Recommendations
from foretaste.recommending.similar import Similar, similar_items, similar_users
from foretaste.recommending.streaming import recommend_all
from foretaste.recommending.top import recommend

__all__ = [
    "Explanation",
    "Part",
    "Reason",
    "Recommendations",
    "Similar",
    "explain",
    "fold_in",
    "next_question",
    "question_gains",
    "recommend",
    "recommend_all",
    "similar_items",
    "similar_users",
]
