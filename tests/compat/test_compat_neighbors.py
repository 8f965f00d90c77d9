"""Neighbors and Slope One of compat.surprise equal scikit-surprise to 1e-9 at least.

Similarities are equal bit for bit, so that ties at the k-th neighbor are broken alike.
"""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import pickle

import numpy as np
import pytest
from neighbor_rows import check_predictions, every_pair, rows_of, trainsets
from real_data import data_file

import foretaste.compat.surprise as ours
from foretaste.compat.surprise.prediction_algorithms import _neighborhood, algo_base
from foretaste.compat.surprise.prediction_algorithms.algo_base import UnknownSimilarityError
from foretaste.compat.surprise.similarities import SimilarityUndefinedError

pytestmark = pytest.mark.peer
surprise = pytest.importorskip("surprise", reason='needs a peer: pip install "foretaste[peers]"')

FORMS = ("KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline")
MEASURES = ("cosine", "msd", "pearson", "pearson_baseline")
OPTIONS = ((40, 1, 1), (3, 2, 2), (1, 0, 1))  # k, min_k, min_support; the last but for KNNBasic


@pytest.fixture
def same_baselines(monkeypatch):
    """Use scikit-surprise's baselines in our algorithms, so that only neighbors are compared."""

    def compute_baselines(self):
        if self.bu is None:
            algo = surprise.BaselineOnly(bsl_options=self.bsl_options, verbose=False)
            algo.fit(self.trainset.theirs)
            self.bu, self.bi = algo.bu, algo.bi
        return self.bu, self.bi

    monkeypatch.setattr(algo_base.AlgoBase, "compute_baselines", compute_baselines)


def check_attributes(theirs, mine):
    for name in ("means", "sigmas", "overall_sigma", "n_x", "n_y"):
        if hasattr(theirs, name):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), err_msg=name)
    assert {key: list(pairs) for key, pairs in mine.yr.items()} == dict(theirs.yr)
    assert {key: list(pairs) for key, pairs in mine.xr.items()} == dict(theirs.xr)


@pytest.mark.parametrize("items", [False, True], ids=["users", "items"])
@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("kind", ["stars", "halves", "likes", "thirds", "repeated", "signed"])
def test_predictions_and_similarities_equal_surprise(same_baselines, kind, measure, items):
    rows = rows_of(kind)
    testset = every_pair(rows)
    for form, (k, min_k, min_support) in itertools.product(FORMS, OPTIONS):
        options = {"name": measure.upper(), "user_based": not items, "min_support": min_support}
        if measure == "pearson_baseline":
            options["shrinkage"] = 10 * k
        own = {"k": k, "min_k": max(min_k, 1) if form == "KNNBasic" else min_k, "verbose": False}
        a, b = trainsets(rows, (-10, 10))
        theirs = getattr(surprise, form)(sim_options=dict(options), **own).fit(a)
        mine = getattr(ours, form)(sim_options=dict(options), **own).fit(b)
        check_predictions(theirs, mine, testset)
        check_attributes(theirs, mine)
        np.testing.assert_array_equal(mine.sim, theirs.sim)
        assert mine.sim.dtype == np.float64
        check_predictions(theirs, mine, testset)  # now from the matrix


def test_single_predictions_equal_batch_predictions(same_baselines):
    rows = rows_of("likes")
    _, trainset = trainsets(rows)
    testset = every_pair(rows)[::37]
    for form, items in itertools.product(FORMS, (False, True)):
        algo = getattr(ours, form)(k=4, min_k=2, sim_options={"user_based": not items}, verbose=False)
        many = algo.fit(trainset).test(testset)
        assert [algo.predict(*one) for one in testset] == many
        for user, item, _ in testset:
            inner = [
                to_inner(raw) if raw not in ("nobody", "nothing") else f"UKN__{raw}"
                for to_inner, raw in ((trainset.to_inner_uid, user), (trainset.to_inner_iid, item))
            ]
            estimated = algo.predict(user, item, clip=False)
            if estimated.details["was_impossible"]:
                with pytest.raises(ours.PredictionImpossible, match=estimated.details["reason"]):
                    algo.estimate(*inner)
                continue
            found = algo.estimate(*inner)
            value, details = found if isinstance(found, tuple) else (found, {})
            assert value == estimated.est
            assert details | {"was_impossible": False} == estimated.details


def test_trainset_pairs_are_their_own_neighbors(same_baselines):
    a, b = trainsets(rows_of("stars"))
    for form in FORMS:
        theirs = getattr(surprise, form)(k=5, verbose=False).fit(a)
        mine = getattr(ours, form)(k=5, verbose=False).fit(b)
        check_predictions(theirs, mine, a.build_testset())


def test_ties_at_the_last_neighbor_are_broken_like_surprise(same_baselines):
    rows = rows_of("likes", users=60, items=20, n=700)
    a, b = trainsets(rows)
    theirs = surprise.KNNBasic(k=4, verbose=False).fit(a)
    tied = 0
    for user, item in itertools.product(a.all_users(), a.all_items()):
        alike = np.sort([theirs.sim[user, other] for other, _ in a.ir[item]])[::-1]
        tied += len(alike) > 4 and alike[3] == alike[4] > 0
    assert tied > 100
    check_predictions(theirs, ours.KNNBasic(k=4, verbose=False).fit(b), every_pair(rows))


def test_nan_similarities_are_ordered_like_surprise():
    rng = np.random.default_rng(0)
    # most give one rating only: rounding leaves variances below 0
    usual = rng.choice([0.1, 0.7, 1.3, 2.9, 3.3], 20)
    rows = [
        (f"u{u}", f"i{i}", float(usual[u] if u % 4 else rng.choice(usual)), None)
        for u in range(20)
        for i in range(15)
        if rng.random() < 0.6
    ]
    a, b = trainsets(rows)
    sim = surprise.KNNBasic(sim_options={"name": "pearson"}, verbose=False).fit(a).sim
    raters = [[rater for rater, _ in a.ir[item]] for item in a.all_items()]
    assert any(np.isnan(sim[user, others]).any() for user in a.all_users() for others in raters)
    for items, k in itertools.product((False, True), (1, 3, 40)):
        options = {"name": "pearson", "user_based": not items}
        theirs = surprise.KNNBasic(k=k, sim_options=dict(options), verbose=False).fit(a)
        mine = ours.KNNBasic(k=k, sim_options=dict(options), verbose=False).fit(b)
        check_predictions(theirs, mine, every_pair(rows))
        np.testing.assert_array_equal(mine.sim, theirs.sim)


@pytest.mark.dataset
@pytest.mark.parametrize("measure", MEASURES)
def test_movielens_predictions_equal_surprise(same_baselines, measure):
    columns = [
        np.loadtxt(data_file(f"ml-100k/{name}"), dtype=str, usecols=(0, 1, 2)).tolist()
        for name in ("u1.base", "u1.test")
    ]
    rows, test = ([(user, item, float(rating)) for user, item, rating in part] for part in columns)
    rows = [(*row, None) for row in rows if int(row[0]) <= 300]
    a, b = trainsets(rows)
    for form, items in (("KNNBasic", False), ("KNNBaseline", True), ("KNNWithZScore", False)):
        options = {"name": measure, "user_based": not items}
        theirs = getattr(surprise, form)(sim_options=dict(options), verbose=False).fit(a)
        mine = getattr(ours, form)(sim_options=dict(options), verbose=False).fit(b)
        check_predictions(theirs, mine, test[::20])
    theirs, mine = surprise.SlopeOne().fit(a), ours.SlopeOne().fit(b)
    check_predictions(theirs, mine, test[::20])


def test_own_baselines_give_the_same_predictions():
    rows = rows_of("halves")
    a, b = trainsets(rows)
    for method, items in itertools.product(("als", "sgd"), (False, True)):
        own = {"bsl_options": {"method": method, "n_epochs": 5}, "verbose": False}
        options = {"name": "pearson_baseline", "user_based": not items, "shrinkage": 20}
        for form in ("KNNBaseline", "KNNBasic"):
            theirs = getattr(surprise, form)(sim_options=dict(options), **own).fit(a)
            mine = getattr(ours, form)(sim_options=dict(options), **own).fit(b)
            check_predictions(theirs, mine, every_pair(rows))
            np.testing.assert_allclose(mine.sim, theirs.sim, rtol=0, atol=1e-9)


# What fit does, and what programs do with algorithms ----------------------------------------------------


def test_fit_and_predict_allocate_no_matrix(monkeypatch):
    made = []
    matrix = _neighborhood.Neighborhood.matrix
    monkeypatch.setattr(_neighborhood.Neighborhood, "matrix", lambda self: made.append(1) or matrix(self))
    rows = rows_of("stars")
    _, trainset = trainsets(rows)
    for form in FORMS[:3]:
        algo = getattr(ours, form)(verbose=True).fit(trainset)
        algo.test(every_pair(rows))
        algo.predict("u1", "i1")
        algo.get_neighbors(0, 3)
        assert made == []
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            assert algo.sim is algo.sim
        assert made.pop() == 1
        assert printed.getvalue().splitlines() == [
            "Computing the msd similarity matrix...", "Done computing similarity matrix.",
        ]  # fmt: skip


def test_row_cache_stays_within_its_limit():
    read = []

    def read_row(x):
        read.append(x)
        return np.full(10, float(x))

    cache = _neighborhood.RowCache(read_row, width=10, max_bytes=8 * 10 * 5)
    for x in range(20):
        assert cache.row(x)[0] == x
    assert len(cache) == 5
    assert [cache.row(x)[0] for x in (19, 15)] == [19, 15]
    assert read == list(range(20))
    cache.row(14)  # in the place of 16, the least recently used
    cache.row(15)
    assert read[20:] == [14]


@pytest.mark.parametrize("items", [False, True], ids=["users", "items"])
def test_get_neighbors_equals_surprise(items):
    a, b = trainsets(rows_of("likes"))
    options = {"name": "cosine", "user_based": not items}
    theirs = surprise.KNNBasic(sim_options=dict(options), verbose=False).fit(a)
    mine = ours.KNNBasic(sim_options=dict(options), verbose=False).fit(b)
    for _ in ("by rows", "from the matrix"):
        for one, k in itertools.product(range(theirs.n_x), (1, 5, 100)):
            assert mine.get_neighbors(one, k) == theirs.get_neighbors(one, k)
        for wrong in (theirs.n_x, "u1"):
            with pytest.raises(IndexError):
                mine.get_neighbors(wrong, 1)
        assert mine.sim is not None


def test_edited_similarity_matrix_is_used():
    rows = rows_of("stars")
    a, b = trainsets(rows)
    theirs, mine = (kind(k=3, verbose=False) for kind in (surprise.KNNWithMeans, ours.KNNWithMeans))
    theirs.fit(a), mine.fit(b)
    for algo in (theirs, mine):
        algo.sim[algo.sim < 0.4] = 0
    check_predictions(theirs, mine, every_pair(rows))
    for algo in (theirs, mine):
        algo.sim = algo.sim**2
    check_predictions(theirs, mine, every_pair(rows))


def test_overridden_methods_are_called():
    def of(library):
        class Constant(library.KNNBasic):
            def compute_similarities(self):
                return np.ones((self.n_x, self.n_x)) * np.arange(1, self.n_x + 1)

        class Shifted(library.KNNWithMeans):
            def estimate(self, u, i):
                value, details = library.KNNWithMeans.estimate(self, u, i)
                return value + self.sim[u, 0] + len(self.xr[u]), details | {"mine": 1}

        class Median(library.AlgoBase):
            def fit(self, trainset):
                library.AlgoBase.fit(self, trainset)
                self.sim = self.compute_similarities()
                return self

            def estimate(self, u, i):
                if not (self.trainset.knows_user(u) and self.trainset.knows_item(i)):
                    raise library.PredictionImpossible("no")
                return float(np.median([self.sim[u, v] * r for v, r in self.trainset.ir[i]]))

        return Constant(k=3, verbose=False), Shifted(verbose=False), Median(sim_options={"name": "cosine"})

    rows = rows_of("stars")
    a, b = trainsets(rows)
    for theirs, mine in zip(of(surprise), of(ours), strict=True):
        check_predictions(theirs.fit(a), mine.fit(b), every_pair(rows))


def test_copies_and_threads_predict_the_same(monkeypatch):
    rows = rows_of("thirds", users=300, items=200, n=9000)
    _, trainset = trainsets(rows)
    testset = every_pair(rows)[::11]
    for algo in (ours.KNNWithZScore(sim_options={"name": "pearson"}, verbose=False), ours.KNNBasic(k=5)):
        monkeypatch.setenv("FORETASTE_THREADS", "1")
        alone = algo.fit(trainset).test(testset)
        assert algo.predict(*testset[0]) == alone[0]
        for other in (copy.deepcopy(algo), pickle.loads(pickle.dumps(algo))):  # noqa: S301 - of our own
            monkeypatch.setenv("FORETASTE_THREADS", "3")
            assert other.test(testset) == alone
            assert other.predict(*testset[0]) == alone[0]


def test_refit_resets_the_state():
    first, second = rows_of("stars"), rows_of("stars", seed=5, users=12)
    _, trainset = trainsets(first)
    _, other = trainsets(second)
    algo = ours.KNNBasic(verbose=False)
    assert algo.fit(trainset).sim.shape == (trainset.n_users, trainset.n_users)
    algo.predict("u1", "i1")
    again = algo.fit(other).test(every_pair(second))
    assert again == ours.KNNBasic(verbose=False).fit(other).test(every_pair(second))
    assert algo.sim.shape == (other.n_users, other.n_users) != (trainset.n_users, trainset.n_users)


# What is refused ------------------------------------------------------------------------------------------


def test_invalid_options_raise_at_once():
    rows = rows_of("stars")
    a, b = trainsets(rows)
    with pytest.raises(NameError, match="hmm"):
        surprise.KNNBasic(sim_options={"name": "hmm"}, verbose=False).fit(a)
    with pytest.raises(UnknownSimilarityError, match="hmm") as caught:
        ours.KNNBasic(sim_options={"name": "hmm"}).fit(b)
    assert isinstance(caught.value, NameError)
    with pytest.raises(ValueError, match='min_support="2"'):
        ours.KNNBasic(sim_options={"min_support": "2"}).fit(b)
    for library, trainset in ((surprise, a), (ours, b)):
        with pytest.raises(TypeError):
            library.KNNBasic(k=2.5, verbose=False).fit(trainset).predict("u1", "i1")
        with pytest.raises(AttributeError):
            library.KNNBasic().sim  # noqa: B018 - it is asked for


def test_division_by_zero_raises_in_both():
    zeros = [("a", "x", 0.0, None), ("b", "x", 0.0, None), ("b", "y", 1.0, None), ("c", "y", 1.0, None)]
    apart = [("a", "x", 1.0, None), ("b", "y", 2.0, None)]
    for rows, options in ((zeros, {"name": "cosine"}), (apart, {"name": "msd", "min_support": 0})):
        a, b = trainsets(rows, (0, 5))
        with pytest.raises(ZeroDivisionError):
            surprise.KNNBasic(sim_options=dict(options), verbose=False).fit(a)
        mine = ours.KNNBasic(sim_options=dict(options), verbose=False).fit(b)
        asked = ("b", "x", 1.0) if rows is zeros else ("b", "y", 1.0)
        with pytest.raises(SimilarityUndefinedError, match="divides by 0"):
            mine.test([asked] * 2)
        with pytest.raises(SimilarityUndefinedError, match="divides by 0"):
            mine.predict(*asked)
        with pytest.raises(SimilarityUndefinedError, match="divides by 0"):
            mine.sim  # noqa: B018 - it is asked for
    a, b = trainsets([("a", "x", 1.0, None), ("b", "y", 2.0, None)])
    for library, trainset in ((surprise, a), (ours, b)):
        algo = library.KNNBasic(min_k=0, verbose=False).fit(trainset)
        with pytest.raises(ZeroDivisionError):
            algo.predict("a", "y")
