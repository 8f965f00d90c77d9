"""Select on one part of the ratings, test on the other."""

import random

from surprise import SVD, Dataset, accuracy
from surprise.model_selection import GridSearchCV, KFold

data = Dataset.load_builtin("ml-100k")
ratings = data.raw_ratings
random.Random(0).shuffle(ratings)
threshold = int(0.9 * len(ratings))
chosen_on, judged_by = ratings[:threshold], ratings[threshold:]
data.raw_ratings = chosen_on
grid = {"n_epochs": [2, 3], "lr_all": [0.002, 0.005], "random_state": [0]}
search = GridSearchCV(SVD, grid, measures=["rmse"], cv=KFold(3, random_state=0))
search.fit(data)
algo = search.best_estimator["rmse"]
trainset = data.build_full_trainset()
algo.fit(trainset)
seen = accuracy.rmse(algo.test(trainset.build_testset()))
testset = data.construct_testset(judged_by)
result = [seen, accuracy.rmse(algo.test(testset)), search.best_params]
