"""AlgoBase: custom algorithms work as in scikit-surprise, and may predict many rows at once."""

from __future__ import annotations

import numpy as np
import pytest

from foretaste.compat.surprise import AlgoBase, Dataset, Prediction, PredictionImpossible, Reader
from foretaste.compat.surprise.prediction_algorithms.algo_base import BatchEstimates, UnknownSimilarityError


def make_custom_algo(base, impossible):
    """Return a user's algorithm on one or the other base class, in the style of the documentation."""

    class MeanOfBoth(base):
        def __init__(self, sim_options=None, bsl_options=None):
            base.__init__(self, sim_options=sim_options or {}, bsl_options=bsl_options or {})

        def fit(self, trainset):
            base.fit(self, trainset)
            self.the_mean = np.mean([r for (_, _, r) in self.trainset.all_ratings()])
            return self

        def estimate(self, u, i):
            sums, div = self.the_mean, 1
            if self.trainset.knows_user(u):
                sums += np.mean([r for (_, r) in self.trainset.ur[u]])
                div += 1
            if self.trainset.knows_item(i):
                sums += 3 * np.mean([r for (_, r) in self.trainset.ir[i]])
                div += 1
            if div == 1:
                raise impossible("User and item are unknown.")
            return sums / div if div == 2 else (sums / div, {"div": div})

    return MeanOfBoth


@pytest.fixture
def fitted_pair(peer, raw_ratings):
    ours = make_custom_algo(AlgoBase, PredictionImpossible)().fit(
        Dataset(Reader()).construct_trainset(raw_ratings)
    )
    theirs = make_custom_algo(peer.AlgoBase, peer.PredictionImpossible)()
    return ours, theirs.fit(peer.Dataset(peer.Reader()).construct_trainset(raw_ratings))


@pytest.mark.peer
def test_custom_algorithm_predicts_as_in_the_peer(fitted_pair):
    ours, theirs = fitted_pair
    strangers = [("u1", "new", 3), ("new", "i2", 4.0), ("new", "new", None)]
    testset = [*theirs.trainset.build_testset()[:60], *strangers]
    assert ours.test(testset) == theirs.test(testset)
    assert {tuple(one.details) for one in ours.test(testset)} == {
        ("div", "was_impossible"), ("was_impossible",), ("was_impossible", "reason"),
    }  # fmt: skip
    for clip in (True, False):
        assert ours.predict("u1", "i1", 4, clip=clip) == theirs.predict("u1", "i1", 4, clip=clip)
    assert ours.predict("new", "new").est == ours.default_prediction() == theirs.trainset.global_mean


@pytest.mark.peer
def test_printed_output_equals_the_peer(fitted_pair, capsys):
    ours, theirs = fitted_pair
    printed = []
    for algo in (theirs, ours):
        algo.predict("u1", "i1", 4, verbose=True)
        algo.test([("u1", "new", 3), ("new", "new", 2)], verbose=True)
        algo.predict("u1", "new", verbose=True)
        printed.append(capsys.readouterr().out.replace("np.float64", ""))
    assert printed[0] == printed[1]
    assert len(printed[0].splitlines()) == 4


class BatchAlgo(AlgoBase):
    """Answers many rows at once, as the algorithms of the package do."""

    batches = 0

    def estimate(self, u, i):
        found = self._estimate_rows(*(np.array([one if isinstance(one, int) else -1]) for one in (u, i)))
        if found.impossible:
            raise PredictionImpossible(found.impossible[0])
        return float(found.value[0])

    def _estimate_rows(self, users, items):
        type(self).batches += 1
        bad = np.flatnonzero(users < 0).tolist()
        return BatchEstimates(10.0 * users + items, dict.fromkeys(bad, "who?"), {"actual_k": items + 1})


@pytest.fixture
def trainset(raw_ratings):
    return Dataset(Reader(rating_scale=(1, 50))).construct_trainset(raw_ratings)


def test_rows_are_predicted_in_batches(trainset, monkeypatch):
    monkeypatch.setattr(BatchAlgo, "batches", 0)
    algo = BatchAlgo().fit(trainset)
    testset = [(trainset.to_raw_uid(u), trainset.to_raw_iid(i), 3.0) for u, i in ((0, 0), (2, 4), (9, 9))]
    found = algo.test([*testset, ("new", "i1", None)])
    assert BatchAlgo.batches == 1
    assert [one.est for one in found] == [1, 24.0, 50, trainset.global_mean]
    assert [one.details for one in found[:3]] == [
        {"actual_k": k, "was_impossible": False} for k in (1, 5, 10)
    ]
    assert found[3].details == {"was_impossible": True, "reason": "who?"}
    assert [algo.predict(*row) for row in testset] == found[:3]
    assert algo.predict(*testset[2], clip=False).est == 99.0
    assert algo.test([]) == []


def test_custom_estimate_overrides_batch_prediction(trainset):
    class Later(BatchAlgo):
        def estimate(self, u, i):
            return super().estimate(u, i) + 1

    class Default(BatchAlgo):
        def default_prediction(self):
            return 7

    class Predicting(BatchAlgo):
        def predict(self, uid, iid, r_ui=None, clip=True, verbose=False):
            return "mine"

    raw = trainset.to_raw_uid(2), trainset.to_raw_iid(4), None
    assert Later().fit(trainset).test([raw])[0].est == 25.0
    assert Default().fit(trainset).test([("new", "i1", None)])[0].est == 7
    assert Predicting().fit(trainset).test([raw, raw]) == ["mine", "mine"]
    patched = BatchAlgo().fit(trainset)
    patched.estimate = lambda u, i: 3.5
    assert patched.test([raw])[0].est == 3.5


@pytest.mark.peer
def test_nan_and_clipping_equal_the_peer(peer, raw_ratings):
    for value in (float("nan"), 5, 5.0, 1, 0.0, 9, np.float64(2)):
        results = []
        for package in (peer, None):
            base = package.AlgoBase if package else AlgoBase
            made = type("Always", (base,), {"estimate": lambda self, u, i, value=value: value})()
            data = (package.Dataset(package.Reader()) if package else Dataset(Reader())).construct_trainset(
                raw_ratings
            )
            results.append(made.fit(data).predict("u1", "i1").est)
        assert results[0] == results[1]
        assert type(results[0]) is type(results[1])


def test_fit_resets_baselines_and_returns_self(trainset):
    algo = AlgoBase()
    algo.bu = algo.bi = [1]
    assert algo.fit(trainset) is algo
    assert algo.bu is None
    assert algo.bi is None
    algo.bu, algo.bi = [1], [2]
    assert algo.compute_baselines() == ([1], [2])


def test_bsl_and_sim_options_are_copied():
    options = {"name": "cosine"}
    algo = AlgoBase(sim_options=options, bsl_options={"method": "sgd"})
    assert algo.sim_options == {"name": "cosine", "user_based": True}
    assert options == {"name": "cosine"}
    assert algo.bsl_options == {"method": "sgd"}
    with pytest.raises(ValueError, match="it must be a dict"):
        AlgoBase(sim_options="cosine")


def test_predict_before_fit_raises():
    with pytest.raises(AttributeError, match=r"algo\.fit\(trainset\)"):
        BatchAlgo().predict("u1", "i1")
    with pytest.raises(ValueError, match="BatchAlgo has not been fitted"):
        BatchAlgo().test([("u1", "i1", 3)])


def test_algorithm_without_estimate_raises(trainset):
    with pytest.raises(NotImplementedError, match=r"has no estimate\(u, i\)"):
        AlgoBase().fit(trainset).predict("u1", "i1")


@pytest.mark.peer
@pytest.mark.parametrize("user_based", [True, False])
def test_neighbors_are_in_the_order_of_the_peer(peer, raw_ratings, user_based):
    n = 30 if user_based else 20
    sim = np.round(np.random.RandomState(0).rand(n, n), 1)  # with many equals
    results = []
    for base, dataset, reader in (
        (AlgoBase, Dataset, Reader),
        (peer.AlgoBase, peer.Dataset, peer.Reader),
    ):
        algo = base(sim_options={"user_based": user_based}).fit(
            dataset(reader()).construct_trainset(raw_ratings)
        )
        algo.sim = sim
        results.append([algo.get_neighbors(one, k) for one in (0, 7) for k in (1, 5, 99)])
    assert results[0] == results[1]
    algo = AlgoBase(sim_options={"user_based": user_based}).fit(
        dataset(reader()).construct_trainset(raw_ratings)
    )
    algo.sim = {(a, b): sim[a, b] for a in range(n) for b in range(n)}
    assert algo.get_neighbors(7, 5) == results[0][4]


def test_unknown_names_raise(trainset):
    with pytest.raises(NameError, match=r'did you mean "cosine"') as caught:
        AlgoBase(sim_options={"name": "cosin"}).fit(trainset).compute_similarities()
    assert isinstance(caught.value, UnknownSimilarityError)


def test_prediction_is_a_named_tuple():
    one = Prediction("196", 302, 4, 4.0625, {"was_impossible": False})
    assert one == ("196", 302, 4, 4.0625, {"was_impossible": False})
    assert str(one) == (
        "user: 196        item: 302        r_ui = 4.00   est = 4.06   {'was_impossible': False}"
    )
    assert one._replace(est=1.0).est == 1.0
    assert str(Prediction(None, "b", None, 1, {})).startswith("user: None       item: b")
