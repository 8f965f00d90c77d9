"""Cross-validate on a built-in dataset."""

from surprise import SVD, Dataset
from surprise.model_selection import cross_validate

data = Dataset.load_builtin("ml-100k")
algo = SVD(n_epochs=3, random_state=1)
measured = cross_validate(algo, data, measures=["RMSE", "MAE"], cv=3, verbose=True)
result = [measured["test_rmse"], measured["test_mae"]]
