"""Fit on all ratings, predict one, then all known ones."""

from surprise import Dataset, KNNBasic

data = Dataset.load_builtin("ml-100k")
trainset = data.build_full_trainset()
algo = KNNBasic()
algo.fit(trainset)
one = algo.predict(str(7), str(4), r_ui=4, verbose=True)
known = algo.test(trainset.build_testset()[:300])
stranger = algo.predict("nobody", "4")
result = [
    one.est,
    one.details["actual_k"],
    [prediction.est for prediction in known],
    stranger.est,
    stranger.details["was_impossible"],
    str(one),
]
