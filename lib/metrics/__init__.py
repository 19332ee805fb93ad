"""Metrics: errors of predicted ratings, quality of recommendation lists, and both by segment.

It imports `lib.data`.
"""

from lib.metrics.lists import TopK, recommend, top_k
from lib.metrics.per_user import PerUser
from lib.metrics.ranking import Ranking, evaluate_ranking
from lib.metrics.rating import mae, rmse, user_errors

__all__ = ["PerUser", "Ranking", "TopK", "evaluate_ranking", "mae", "recommend", "rmse", "top_k", "user_errors"]
