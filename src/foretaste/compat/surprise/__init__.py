"""Drop-in replacement for scikit-surprise: its public API and results, on foretaste's native kernels.

Parameters, attributes and results are those of scikit-surprise 1.1.5 and documented there; the docstrings
here say what each name is and where it differs. Errors come with a hint; they are subclasses of the
exceptions that scikit-surprise raises, mostly ``ValueError``.
"""

from foretaste.compat.surprise import accuracy as accuracy
from foretaste.compat.surprise import dump, model_selection
from foretaste.compat.surprise import similarities as similarities
from foretaste.compat.surprise import utils as utils
from foretaste.compat.surprise.builtin_datasets import get_dataset_dir
from foretaste.compat.surprise.dataset import Dataset
from foretaste.compat.surprise.prediction_algorithms import (
    NMF,
    SVD,
    AlgoBase,
    BaselineOnly,
    CoClustering,
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
    NormalPredictor,
    Prediction,
    PredictionImpossible,
    SlopeOne,
    SVDpp,
)
from foretaste.compat.surprise.reader import Reader
from foretaste.compat.surprise.trainset import Trainset

__all__ = [
    "NMF",
    "SVD",
    "AlgoBase",
    "BaselineOnly",
    "CoClustering",
    "Dataset",
    "KNNBaseline",
    "KNNBasic",
    "KNNWithMeans",
    "KNNWithZScore",
    "NormalPredictor",
    "Prediction",
    "PredictionImpossible",
    "Reader",
    "SVDpp",
    "SlopeOne",
    "Trainset",
    "dump",
    "get_dataset_dir",
    "model_selection",
]

__version__ = "1.1.5"  # of the interface: the release of scikit-surprise whose names these are
