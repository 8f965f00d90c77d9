"""Randomized search, with dicts of options among the parameters."""

from surprise import Dataset, KNNBaseline
from surprise.model_selection import KFold, RandomizedSearchCV

data = Dataset.load_builtin("ml-100k")
distributions = {
    "k": [5, 10, 20],
    "bsl_options": {"method": ["als", "sgd"], "reg": [1, 2]},
    "sim_options": {"name": ["msd", "cosine"], "min_support": [1, 5], "user_based": [False]},
    "verbose": [False],
}
search = RandomizedSearchCV(KNNBaseline, distributions, n_iter=3, cv=KFold(2, random_state=2))
search.fit(data)
result = [search.best_score, search.best_params, search.cv_results["mean_test_rmse"]]
