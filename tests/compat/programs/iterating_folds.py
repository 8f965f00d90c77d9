"""A loop over folds, with numpy's global generator."""

from surprise import SVD, Dataset, accuracy
from surprise.model_selection import KFold

data = Dataset.load_builtin("ml-100k")
algo = SVD(n_epochs=2)
result = []
for trainset, testset in KFold(n_splits=3).split(data):
    algo.fit(trainset)
    result.append(accuracy.rmse(algo.test(testset), verbose=True))
