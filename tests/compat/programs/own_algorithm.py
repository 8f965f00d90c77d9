"""Custom algorithms: a constant, a mean, means of baselines and similarities."""

from surprise import AlgoBase, Dataset, PredictionImpossible
from surprise.model_selection import KFold, cross_validate


class Constant(AlgoBase):
    def __init__(self):
        AlgoBase.__init__(self)

    def estimate(self, u, i):
        return 3


class MeanOfMeans(AlgoBase):
    def fit(self, trainset):
        AlgoBase.fit(self, trainset)
        self.the_mean = sum(rating for _, _, rating in self.trainset.all_ratings()) / trainset.n_ratings
        return self

    def estimate(self, u, i):
        means = [self.the_mean]
        if self.trainset.knows_user(u):
            means.append(sum(rating for _, rating in self.trainset.ur[u]) / len(self.trainset.ur[u]))
        if self.trainset.knows_item(i):
            means.append(sum(rating for _, rating in self.trainset.ir[i]) / len(self.trainset.ir[i]))
        return sum(means) / len(means), {"means": len(means)}


class Near(AlgoBase):
    def __init__(self, sim_options=None, bsl_options=None):
        AlgoBase.__init__(self, sim_options=sim_options or {}, bsl_options=bsl_options or {})

    def fit(self, trainset):
        AlgoBase.fit(self, trainset)
        self.bu, self.bi = self.compute_baselines()
        self.sim = self.compute_similarities()
        return self

    def estimate(self, u, i):
        if not (self.trainset.knows_user(u) and self.trainset.knows_item(i)):
            raise PredictionImpossible("User and/or item is unknown.")
        base = self.trainset.global_mean + self.bu[u] + self.bi[i]
        near = sorted(((self.sim[u, v], r, v) for v, r in self.trainset.ir[i]), reverse=True)[:4]
        weight = sum(sim for sim, _, _ in near)
        above = sum(sim * (r - self.trainset.global_mean - self.bu[v] - self.bi[i]) for sim, r, v in near)
        return base + (above / weight if weight else 0)


data = Dataset.load_builtin("ml-100k")
result = []
for algo in (Constant(), MeanOfMeans(), Near({"name": "msd"}, {"n_epochs": 3})):
    measured = cross_validate(algo, data, cv=KFold(2, random_state=0), verbose=True)
    result += [measured["test_rmse"], measured["test_mae"]]
algo = MeanOfMeans()
algo.fit(data.build_full_trainset())
prediction = algo.predict("1", "nothing", r_ui=2)
result += [prediction.est, prediction.details["means"], prediction.r_ui]
