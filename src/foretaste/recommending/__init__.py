"""What to recommend: the best items of users, and what is like an item or who is like a user."""

from foretaste.recommending.lists import Recommendations
from foretaste.recommending.similar import Similar, similar_items, similar_users
from foretaste.recommending.streaming import recommend_all
from foretaste.recommending.top import recommend

__all__ = ["Recommendations", "Similar", "recommend", "recommend_all", "similar_items", "similar_users"]
