"""The algorithms that predict ratings, and the base of your own."""

from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase
from foretaste.compat.surprise.prediction_algorithms.knns import (
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
)
from foretaste.compat.surprise.prediction_algorithms.predictions import Prediction, PredictionImpossible
from foretaste.compat.surprise.prediction_algorithms.slope_one import SlopeOne

__all__ = [
    "AlgoBase",
    "KNNBaseline",
    "KNNBasic",
    "KNNWithMeans",
    "KNNWithZScore",
    "Prediction",
    "PredictionImpossible",
    "SlopeOne",
]
