"""Folds, cross-validation and searches: scikit-surprise's results, sequential and in parallel."""

from __future__ import annotations

import re
import threading
from itertools import pairwise

import numpy as np
import pytest

from foretaste.compat.surprise import AlgoBase, Dataset, KNNBasic, Reader, SlopeOne
from foretaste.compat.surprise import model_selection as ours
from foretaste.compat.surprise._warnings import SurpriseCompatWarning
from foretaste.compat.surprise.model_selection import parallel
from foretaste.compat.surprise.model_selection.split import get_cv
from foretaste.compat.surprise.model_selection.validation import print_summary
from foretaste.errors import InvalidParameterError

SCALE = Reader(rating_scale=(1, 5))


@pytest.fixture
def data(ratings_file):
    return Dataset.load_from_file(ratings_file, Reader(line_format="user item rating timestamp", sep="\t"))


@pytest.fixture
def peer_data(peer, ratings_file):
    reader = peer.Reader(line_format="user item rating timestamp", sep="\t")
    return peer.Dataset.load_from_file(str(ratings_file), reader)


class Mean(AlgoBase):
    """An algorithm of a program's own, which draws a random number in each fit."""

    def __init__(self, random_state=None):
        super().__init__()
        self.random_state = random_state

    def fit(self, trainset):
        AlgoBase.fit(self, trainset)
        rng = self.random_state or np.random.mtrand._rand
        self.noise = rng.normal(0, 0.5)
        return self

    def estimate(self, u, i):
        return self.trainset.global_mean + self.noise


def make_mean_class(peer):
    """Return the same algorithm on the base class of the installed package."""

    def fit(self, trainset):
        peer.AlgoBase.fit(self, trainset)
        rng = self.random_state or np.random.mtrand._rand
        self.noise = rng.normal(0, 0.5)
        return self

    return type("Mean", (peer.AlgoBase,), {**vars(Mean), "__init__": _init(peer), "fit": fit})


def _init(peer):
    def init(self, random_state=None):
        peer.AlgoBase.__init__(self)
        self.random_state = random_state

    return init


# Folds ---------------------------------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("KFold", {}),
        ("KFold", {"n_splits": 7, "random_state": 4}),
        ("KFold", {"shuffle": False}),
        ("RepeatedKFold", {"n_splits": 3, "n_repeats": 2}),
        ("RepeatedKFold", {"n_splits": 2, "n_repeats": 3, "random_state": 1}),
        ("ShuffleSplit", {}),
        ("ShuffleSplit", {"test_size": None, "train_size": 0.5, "random_state": 3}),
        ("ShuffleSplit", {"test_size": 7, "train_size": 33, "random_state": 3}),
        ("ShuffleSplit", {"test_size": 0.333, "shuffle": False, "n_splits": 1}),
        ("ShuffleSplit", {"test_size": 1.0, "n_splits": 1}),
        ("LeaveOneOut", {}),
        ("LeaveOneOut", {"min_n_ratings": 9, "n_splits": 2, "random_state": 8}),
    ],
)
def test_folds_equal_the_peer(peer, peer_data, data, name, options):
    np.random.seed(5)
    wanted = list(getattr(peer.model_selection, name)(**options).split(peer_data))
    np.random.seed(5)
    cv = getattr(ours, name)(**options)
    found = list(cv.split(data))
    assert len(found) == cv.get_n_folds() == len(wanted)
    for (train, test), (train_, test_) in zip(wanted, found, strict=True):
        assert test == test_
        assert train._raw2inner_id_users == train_._raw2inner_id_users
        assert train._raw2inner_id_items == train_._raw2inner_id_items
        assert list(train.all_ratings()) == list(train_.all_ratings())
        assert train.ur == train_.ur
        assert train.ir == train_.ir
        assert not train.n_ratings or train.global_mean == train_.global_mean
        assert (train.n_users, train.n_items, train.n_ratings) == (
            train_.n_users,
            train_.n_items,
            train_.n_ratings,
        )


@pytest.mark.peer
def test_train_test_split_equals_the_peer(peer, peer_data, data):
    options = {"test_size": 0.25, "random_state": np.random.RandomState(3)}
    train, test = peer.model_selection.train_test_split(peer_data, **options)
    train_, test_ = ours.train_test_split(data, test_size=0.25, random_state=np.random.RandomState(3))
    assert test == test_
    assert train.ur == train_.ur


def test_custom_trainset_construction_is_used(data):
    class Doubling(type(data)):
        def construct_trainset(self, raw_trainset):
            return super().construct_trainset([*raw_trainset, *raw_trainset])

    data.__class__ = Doubling
    sizes = [trainset.n_ratings for trainset, _ in ours.KFold(3).split(data)]
    assert sizes == [400, 400, 400]


def test_predefined_folds_are_those_of_the_files(tmp_path, ratings_file):
    lines = ratings_file.read_text().splitlines(keepends=True)
    files = [tmp_path / name for name in ("a.base", "a.test", "b.base", "b.test")]
    for path, part in zip(files, [lines[:200], lines[200:], lines[100:], lines[:100]], strict=True):
        path.write_text("".join(part))
    reader = Reader(line_format="user item rating timestamp", sep="\t")
    data = Dataset.load_from_folds([files[:2], files[2:]], reader)
    cv = ours.PredefinedKFold()
    assert [(train.n_ratings, len(test)) for train, test in cv.split(data)] == [(200, 100), (200, 100)]
    assert cv.get_n_folds() == cv.n_splits == 2
    with pytest.raises(InvalidParameterError, match=r"its folds are files[^@]*PredefinedKFold"):
        ours.cross_validate(SlopeOne(), data)
    with pytest.raises(InvalidParameterError, match="refit cannot be used"):
        ours.GridSearchCV(KNNBasic, {"k": [3]}, refit=True, cv=cv).fit(data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda data: next(ours.KFold(1).split(data)), "n_splits=1: it must be from 2 to"),
        (lambda data: next(ours.KFold(301).split(data)), "n_splits=301: it must be from 2 to"),
        (lambda data: ours.ShuffleSplit(n_splits=0), "n_splits=0 is not allowed"),
        (lambda data: ours.ShuffleSplit(test_size=0.0), "test_size=0.0 is not allowed"),
        (lambda data: ours.ShuffleSplit(train_size=-1), "train_size=-1 is not allowed"),
        (lambda data: ours.train_test_split(data, test_size=300), "less than the number of ratings 300"),
        (lambda data: ours.train_test_split(data, test_size=1.5), "must not be above 1"),
        (lambda data: ours.train_test_split(data, 200, 200), r"sum of train_size and test_size \(400\)"),
        (lambda data: ours.train_test_split(data, None, None), "both None"),
        (lambda data: next(ours.LeaveOneOut(min_n_ratings=99).split(data)), "Could not build any trainset"),
        (lambda data: next(ours.PredefinedKFold().split(data)), "has no files of folds"),
        (lambda data: get_cv("5"), "Wrong CV object"),
        (lambda data: get_cv(2.5), "Wrong CV object"),
    ],
)
def test_invalid_folds_raise(data, make, message):
    with pytest.raises(InvalidParameterError, match=message):
        make(data)


# Cross-validation ----------------------------------------------------------------------------------------


@pytest.mark.peer
@pytest.mark.parametrize("cv", [None, 3, "loo"])
def test_cross_validate_equals_the_peer(peer, peer_data, data, cv):
    results = []
    for package, selection, rows in ((peer, peer.model_selection, peer_data), (None, ours, data)):
        np.random.seed(11)
        algo = Mean() if package is None else make_mean_class(peer)()
        folds = selection.LeaveOneOut(n_splits=3) if cv == "loo" else cv
        options = {"measures": ["RMSE", "fcp", "mse"], "return_train_measures": True, "cv": folds}
        if cv == "loo":  # each user has one tested rating, of which no pair can be made
            options["measures"] = ["RMSE", "mae"]
        results.append(selection.cross_validate(algo, rows, **options))
    wanted, found = results
    assert list(wanted) == list(found)
    for key in wanted:
        assert type(wanted[key]) is type(found[key])
        assert len(wanted[key]) == len(found[key])
        if not key.endswith("time"):
            assert found[key].dtype == wanted[key].dtype
            assert found[key] == pytest.approx(wanted[key], abs=1e-9), key


@pytest.mark.peer
def test_generator_advances_across_folds(peer, peer_data, data):
    rng, rng_ = np.random.RandomState(2), np.random.RandomState(2)
    wanted = peer.model_selection.cross_validate(
        make_mean_class(peer)(rng), peer_data, cv=peer.model_selection.KFold(3, rng)
    )
    found = ours.cross_validate(Mean(rng_), data, cv=ours.KFold(3, rng_))
    assert found["test_rmse"] == pytest.approx(wanted["test_rmse"], abs=1e-9)
    assert rng.randint(10**6) == rng_.randint(10**6)


@pytest.mark.peer
@pytest.mark.parametrize("train", [False, True])
def test_printed_table_equals_the_peer(peer, capsys, train):
    measures = {"rmse": np.array([0.91234, 0.9, 1.0]), "mae": np.array([0.7, 0.75, 0.8])}
    table = (
        SlopeOne(),
        ["rmse", "mae"],
        measures,
        measures if train else {},
        (0.123, 1.0, 12.5),
        (0, 0, 1),
        3,
    )
    peer.model_selection.validation.print_summary(*table)
    wanted = capsys.readouterr().out
    print_summary(*table)
    assert capsys.readouterr().out == wanted
    assert "RMSE (testset)" in wanted


def test_verbose_prints_the_table(data, capsys):
    ours.cross_validate(SlopeOne(), data, cv=2, verbose=True)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Evaluating RMSE, MAE of algorithm SlopeOne on 2 split(s)."
    assert said[2] == f"{'':18}{'Fold 1':8}{'Fold 2':8}{'Mean':8}{'Std':8}"
    assert [line[:18].strip() for line in said[3:]] == [
        "RMSE (testset)",
        "MAE (testset)",
        "Fit time",
        "Test time",
    ]


def test_repeated_folds_are_all_printed(data, capsys):
    folds = ours.RepeatedKFold(n_splits=2, n_repeats=2, random_state=0)
    found = ours.cross_validate(SlopeOne(), data, cv=folds, verbose=True)
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("RMSE"))
    figures = [float(word) for word in row.split()[2:]]
    assert figures[:4] == pytest.approx(found["test_rmse"], abs=1e-4)
    assert figures[4] == pytest.approx(np.mean(found["test_rmse"]), abs=1e-4)


@pytest.mark.parametrize("n_jobs", [2, -1])
def test_parallel_folds_give_the_same_results(data, n_jobs):
    algo = KNNBasic(k=5, verbose=False)
    folds = ours.KFold(4, random_state=0)
    alone = ours.cross_validate(KNNBasic(k=5, verbose=False), data, cv=folds, measures=["rmse", "fcp"])
    beside = ours.cross_validate(algo, data, cv=folds, measures=["rmse", "fcp"], n_jobs=n_jobs)
    assert beside["test_rmse"].tolist() == alone["test_rmse"].tolist()
    assert beside["test_fcp"].tolist() == alone["test_fcp"].tolist()


def test_only_sequential_folds_leave_the_algorithm_fitted(data):
    alone, beside = SlopeOne(), SlopeOne()
    ours.cross_validate(alone, data, cv=2)
    ours.cross_validate(beside, data, cv=2, n_jobs=2)
    assert alone.trainset.n_ratings == 150
    assert "trainset" not in vars(beside)


def test_built_in_algorithms_run_in_threads():
    meet = threading.Barrier(2, timeout=30)
    limits = []

    def function(algo, *_):
        meet.wait()
        limits.append(parallel.resolve_threads())
        return {}, {}, 0.0, 0.0

    works = [parallel.FitTask(SlopeOne(), None, [], [], False)] * 4
    assert len(parallel.run_parallel(function, works, 2, "2*n_jobs")) == 4
    assert limits == [max(1, parallel.resolve_threads() // 2)] * 4


def test_folds_are_created_on_dispatch():
    made, done, ahead = [], [], []

    def works():
        for number in range(9):
            made.append(number)
            ahead.append(len(made) - len(done))
            yield parallel.FitTask(SlopeOne(), number, [], [], False)

    def function(_, number, *__):
        done.append(number)
        return {"fold": number}, {}, 0.0, 0.0

    found = parallel.run_parallel(function, works(), 2, "n_jobs + 1")
    assert [test["fold"] for test, *_ in found] == list(range(9))
    assert max(ahead) <= 4  # three that wait or run, and the one just made
    assert all(a < b for a, b in pairwise(made))


def test_fold_error_propagates(data):
    class InvariantError(KNNBasic):
        def fit(self, trainset):
            raise RuntimeError("no fit today")

    InvariantError.__module__ = KNNBasic.__module__  # in threads
    with pytest.raises(RuntimeError, match="no fit today"):
        ours.cross_validate(InvariantError(), data, n_jobs=2)


def test_custom_algorithm_runs_in_processes(data):
    pytest.importorskip("joblib", reason='needs pip install "foretaste[test]"')
    algo = Mean(np.random.RandomState(7))
    beside = ours.cross_validate(algo, data, cv=ours.KFold(2, 0), n_jobs=2)
    for error, (trainset, testset) in zip(beside["test_rmse"], ours.KFold(2, 0).split(data), strict=True):
        fitted = Mean(np.random.RandomState(7)).fit(trainset)  # each fold has its own copy of the generator
        errors = [prediction.est - prediction.r_ui for prediction in fitted.test(testset)]
        assert error == pytest.approx(np.sqrt(np.mean(np.square(errors))), abs=1e-12)
    assert not hasattr(algo, "noise")


def test_custom_algorithm_without_joblib_runs_in_threads(data, monkeypatch):
    monkeypatch.setattr(parallel, "find_spec", lambda name: None)
    names = []

    class Named(Mean):
        def fit(self, trainset):
            names.append(threading.current_thread().name)
            return super().fit(trainset)

    ours.cross_validate(Named(), data, n_jobs=2, cv=3)
    assert len(names) == 3
    assert all(name.startswith("fold") for name in names)


@pytest.mark.parametrize("n_jobs", [0, 1.5, "2", True])
def test_invalid_n_jobs_raises(data, n_jobs):
    with pytest.raises(InvalidParameterError, match="n_jobs="):
        ours.cross_validate(SlopeOne(), data, n_jobs=n_jobs)


def test_n_jobs_is_resolved(monkeypatch):
    monkeypatch.setattr(parallel, "resolve_threads", lambda: 4)
    assert [parallel.resolve_n_jobs(n) for n in (None, 1, 3, -1, -2, -9)] == [1, 1, 3, 4, 3, 1]


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ("2*n_jobs", 6),
        ("n_jobs", 3),
        (4, 4),
        ("1.5 * n_jobs", 4),
        ("n_jobs // 2 + 1", 2),
        (None, None),
        ("all", None),
    ],
)
def test_pre_dispatch_is_parsed(given, means):
    assert parallel.max_pending(given, 3) == means


@pytest.mark.parametrize("given", ["__import__('os')", "n_jobs**99", 0, "-1", "", "2*jobs", "n_jobs/0", [2]])
def test_pre_dispatch_is_never_evaluated(given):
    with pytest.raises(InvalidParameterError, match="pre_dispatch="):
        parallel.max_pending(given, 3)


@pytest.mark.parametrize("measures", [["rsme"], [], "rmse", ["defaultdicts"]])
def test_unknown_measure_raises_before_fitting(data, measures):
    with pytest.raises(InvalidParameterError, match="measure"):
        ours.cross_validate(None, data, measures=measures)


# Searches ------------------------------------------------------------------------------------------------

GRID = {
    "k": [3, 9],
    "min_k": [1, 2],
    "sim_options": {"name": ["msd", "cosine"], "user_based": [True, False]},
    "verbose": [False],
}


def compare_searches(wanted, found):
    """Hold a search to one of the installed package."""
    assert list(map(dict, found.param_combinations)) == list(map(dict, wanted.param_combinations))
    assert type(found.param_combinations) is type(wanted.param_combinations)
    assert found.best_params == wanted.best_params
    assert found.best_index == wanted.best_index
    assert found.best_score == pytest.approx(wanted.best_score, abs=1e-9)
    assert list(found.cv_results) == list(wanted.cv_results)
    for key, values in wanted.cv_results.items():
        if "time" in key or key == "params" or key.startswith("param_"):
            assert len(found.cv_results[key]) == len(values)
        else:
            assert found.cv_results[key] == pytest.approx(values, abs=1e-9), key


@pytest.mark.peer
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_grid_search_equals_the_peer(peer, peer_data, data, n_jobs):
    options = {"measures": ["mae", "FCP"], "return_train_measures": True}
    wanted = peer.model_selection.GridSearchCV(
        peer.KNNBasic, GRID, cv=peer.model_selection.KFold(3, random_state=1), refit="fcp", **options
    )
    found = ours.GridSearchCV(
        KNNBasic, GRID, cv=ours.KFold(3, random_state=1), refit="fcp", n_jobs=n_jobs, **options
    )
    wanted.fit(peer_data)
    found.fit(data)
    compare_searches(wanted, found)
    assert found.refit == "fcp"
    assert found.predict("u1", "i1").est == pytest.approx(wanted.predict("u1", "i1").est, abs=1e-9)
    rows = [("u2", "i3", 4.0), ("u9", "i9", 2.0)]
    assert [p.est for p in found.test(rows)] == pytest.approx([p.est for p in wanted.test(rows)], abs=1e-9)
    assert found.best_estimator["mae"].k == found.best_params["mae"]["k"]


class Uniform:
    """A distribution, as those of scipy.stats."""

    def rvs(self, random_state):
        return int(random_state.randint(1, 20))


@pytest.mark.peer
def test_sampled_settings_equal_the_peer(peer, peer_data, data):
    grid = {"min_k": [1, 2, 3], "k": Uniform(), "verbose": [False]} | {"sim_options": GRID["sim_options"]}
    searches = [
        package.RandomizedSearchCV(algo, grid, n_iter=4, cv=package.KFold(2, random_state=0), random_state=3)
        for package, algo in ((peer.model_selection, peer.KNNBasic), (ours, KNNBasic))
    ]
    searches[0].fit(peer_data)
    searches[1].fit(data)
    compare_searches(*searches)


@pytest.mark.peer
def test_list_sampling_uses_the_numpy_generator(peer):
    for state in (None, 4):
        np.random.seed(9)
        wanted = peer.model_selection.RandomizedSearchCV(peer.KNNBasic, GRID, n_iter=5, random_state=state)
        np.random.seed(9)
        if state is None:
            found = ours.RandomizedSearchCV(KNNBasic, GRID, n_iter=5)
        else:
            with pytest.warns(SurpriseCompatWarning, match="random_state=4 has no part(.|\n)*np.random.seed"):
                found = ours.RandomizedSearchCV(KNNBasic, GRID, n_iter=5, random_state=state)
        assert found.param_combinations.tolist() == wanted.param_combinations.tolist()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.GridSearchCV(KNNBasic, {"k": 3}), r"k is 3; it must be a list"),
        (lambda: ours.GridSearchCV(KNNBasic, {"sim_options": {"name": "msd"}}), r"\['name'\] is 'msd'"),
        (lambda: ours.GridSearchCV(KNNBasic, {"bsl_options": ["als"]}), "must be a dict of lists"),
        (lambda: ours.GridSearchCV(KNNBasic, {"k": [3]}, refit="mse"), "refit='mse' is not among"),
        (lambda: ours.GridSearchCV(KNNBasic, {"k": [3]}, measures=["rsme"]), 'did you mean "rmse"'),
        (lambda: ours.RandomizedSearchCV(KNNBasic, {"k": [3, 4]}, n_iter=3), "more than the 2 combinations"),
        (lambda: ours.GridSearchCV(KNNBasic, {"k": [3]}).predict("u1", "i1"), "refit is False"),
        (lambda: ours.GridSearchCV(KNNBasic, {"k": [3]}).test([]), "refit is False"),
        (lambda: ours.GridSearchCV(KNNBasic, {"k": []}).fit(_tiny()), "no settings to try"),
    ],
)
def test_invalid_searches_raise(make, message):
    with pytest.raises(InvalidParameterError, match=message):
        make()


def _tiny():
    import polars as pl

    frame = pl.DataFrame({"u": [1, 1, 2, 2, 3], "i": [1, 2, 1, 2, 1], "r": [1.0, 2.0, 3.0, 4.0, 5.0]})
    return Dataset.load_from_df(frame, SCALE)


def test_base_search_is_abstract():
    from foretaste.compat.surprise.model_selection.search import BaseSearchCV

    with pytest.raises(TypeError, match="abstract"):
        BaseSearchCV(KNNBasic)


def test_joblib_verbose_prints_progress(data, capsys):
    ours.GridSearchCV(KNNBasic, {"k": [3, 4], "verbose": [False]}, cv=2, joblib_verbose=11).fit(data)
    said = capsys.readouterr().err.splitlines()
    assert [int(re.search(r"Done +(\d+)", line)[1]) for line in said] == [1, 2, 3, 4, 4]
    ours.GridSearchCV(KNNBasic, {"k": [3], "verbose": [False]}, cv=2).fit(data)
    assert capsys.readouterr().err == ""
