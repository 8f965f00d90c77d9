"""All algorithms on the same folds."""

import time

import numpy as np
from surprise import (
    NMF,
    SVD,
    BaselineOnly,
    CoClustering,
    Dataset,
    KNNBaseline,
    KNNBasic,
    KNNWithMeans,
    KNNWithZScore,
    NormalPredictor,
    SlopeOne,
    SVDpp,
)
from surprise.model_selection import KFold, cross_validate

data = Dataset.load_builtin("ml-100k")
data.raw_ratings = data.raw_ratings[:4000]
folds = KFold(n_splits=2, random_state=0)
algos = [
    SVD(random_state=0, n_epochs=3),
    SVDpp(random_state=0, n_epochs=2),
    NMF(random_state=0, n_epochs=5),
    SlopeOne(),
    KNNBasic(verbose=False),
    KNNWithMeans(verbose=False),
    KNNWithZScore(verbose=False),
    KNNBaseline(verbose=False),
    CoClustering(random_state=0, n_epochs=5),
    BaselineOnly(verbose=False),
    NormalPredictor(),
]
np.random.seed(0)
start, result = time.time(), []
for algo in algos:
    measured = cross_validate(algo, data, ["rmse", "mae"], folds)
    result.append([type(algo).__name__, np.mean(measured["test_rmse"]), np.mean(measured["test_mae"])])
print(f"{time.time() - start:.1f} s")
