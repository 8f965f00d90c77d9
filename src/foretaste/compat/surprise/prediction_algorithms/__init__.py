"""Prediction algorithms and the base class for custom ones."""

from foretaste.compat.surprise.prediction_algorithms import optimize_baselines as optimize_baselines
from foretaste.compat.surprise.prediction_algorithms.algo_base import AlgoBase
from foretaste.compat.surprise.prediction_algorithms.baseline_only import BaselineOnly
from foretaste.compat.surprise.prediction_algorithms.co_clustering import CoClustering
from foretaste.compat.surprise.prediction_algorithms.knns import (
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
)
from foretaste.compat.surprise.prediction_algorithms.matrix_factorization import NMF, SVD, SVDpp
from foretaste.compat.surprise.prediction_algorithms.predictions import Prediction, PredictionImpossible
from foretaste.compat.surprise.prediction_algorithms.random_pred import NormalPredictor
from foretaste.compat.surprise.prediction_algorithms.slope_one import SlopeOne

__all__ = [
    "NMF",
    "SVD",
    "AlgoBase",
    "BaselineOnly",
    "CoClustering",
    "KNNBaseline",
    "KNNBasic",
    "KNNWithMeans",
    "KNNWithZScore",
    "NormalPredictor",
    "Prediction",
    "PredictionImpossible",
    "SVDpp",
    "SlopeOne",
]
