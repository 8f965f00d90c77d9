"""The algorithms that predict ratings, and the base of your own."""

from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase
from foretaste.compat.surprise.prediction_algorithms.predictions import Prediction, PredictionImpossible

__all__ = ["AlgoBase", "Prediction", "PredictionImpossible"]
