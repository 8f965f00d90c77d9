"""scikit-surprise's public names, its numbers, and kernels of foretaste's own."""

from foretaste.compat.surprise.builtin_datasets import get_dataset_dir
from foretaste.compat.surprise.dataset import Dataset
from foretaste.compat.surprise.prediction_algorithms import (
    AlgoBase,
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
    Prediction,
    PredictionImpossible,
    SlopeOne,
)
from foretaste.compat.surprise.reader import Reader
from foretaste.compat.surprise.trainset import Trainset

__all__ = [
    "AlgoBase",
    "Dataset",
    "KNNBaseline",
    "KNNBasic",
    "KNNWithMeans",
    "KNNWithZScore",
    "Prediction",
    "PredictionImpossible",
    "Reader",
    "SlopeOne",
    "Trainset",
    "get_dataset_dir",
]

__version__ = "1.1.5"  # of the interface: the release of scikit-surprise whose names these are
