"""Grid search, then a fit of the best setting on all ratings."""

from surprise import SVD, Dataset
from surprise.model_selection import GridSearchCV, KFold

data = Dataset.load_builtin("ml-100k")
grid = {"n_epochs": [2, 4], "lr_all": [0.002, 0.005], "reg_all": [0.4], "random_state": [3]}
search = GridSearchCV(SVD, grid, measures=["rmse", "mae"], cv=KFold(3, random_state=2), refit=True)
search.fit(data)
algo = search.best_estimator["rmse"]
columns = [key for key in search.cv_results if "time" not in key and not key.startswith("param")]
result = [
    search.best_score,
    search.best_params,
    search.best_index,
    {key: search.cv_results[key] for key in columns},
    search.cv_results["params"],
    algo.predict("3", "11").est,
]
