"""Factor models, baselines, co-clustering and random ratings against the installed scikit-surprise."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from real_data import data_file

import foretaste.compat.surprise as ours
from foretaste.compat.surprise import prediction_algorithms as algorithms
from foretaste.compat.surprise._warnings import SurpriseCompatWarning

pytestmark = pytest.mark.peer


def make_rows(seed=0, users=40, items=30, n=600, fractions=False):
    """Make distinct pairs in no order, with whole or half ratings."""
    rng = np.random.RandomState(seed)
    pairs = rng.permutation(users * items)[:n]
    values = rng.randint(2, 11, n) / 2 if fractions else rng.randint(1, 6, n)
    return [
        (f"u{pair // items}", f"i{pair % items}", float(value))
        for pair, value in zip(pairs, values, strict=True)
    ]


def trainset_of(library, rows, scale=(1, 5)):
    reader = library.Reader(rating_scale=scale)
    data = library.Dataset(reader)
    return data.construct_trainset([(*row, None) for row in rows])


def make_testset(rows):
    """Give what a test asks for: known pairs, an unknown user, item, and both."""
    return [*rows[:200], ("nobody", "i1", 3.0), ("u1", "nothing", 2.0), ("nobody", "nothing", 1.0)]


def fit_both(peer, name, rows, scale=(1, 5), /, **options):
    """Fit scikit-surprise's algorithm and ours on the same rows, each on its own trainset."""
    theirs = getattr(importlib.import_module("surprise.prediction_algorithms"), name)(**options)
    own = getattr(algorithms, name)(**options)
    return theirs.fit(trainset_of(peer, rows, scale)), own.fit(trainset_of(ours, rows, scale))


def check_equal(theirs, own, rows, tolerance, attributes=()):
    for name in attributes:
        wanted, got = np.asarray(getattr(theirs, name)), np.asarray(getattr(own, name))
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        np.testing.assert_allclose(got, wanted, rtol=0, atol=tolerance, err_msg=name)
    wanted, got = theirs.test(make_testset(rows)), own.test(make_testset(rows))
    assert [(*p[:3], p.details) for p in got] == [(*p[:3], p.details) for p in wanted]
    np.testing.assert_allclose([p.est for p in got], [p.est for p in wanted], rtol=0, atol=tolerance)
    one = own.predict("u3", "i4")
    assert one.est == pytest.approx(theirs.predict("u3", "i4").est, abs=tolerance)


FACTORS = ("pu", "qi", "bu", "bi")
RATES = {"lr_bu": 0.01, "lr_bi": 0.02, "lr_pu": 0.03, "lr_qi": 0.04}
REGS = {"reg_bu": 0.1, "reg_bi": 0.2, "reg_pu": 0.3, "reg_qi": 0.4}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_factors": 20, "n_epochs": 5},
        {"n_factors": 1, "biased": False},
        {"n_factors": 7, "init_mean": 0.2, "init_std_dev": 0.3, **RATES, **REGS},
        {"n_factors": 33, "biased": False, "lr_all": 0.02, "reg_all": 0.1},
        {"n_factors": 0},
        {"n_factors": 5, "n_epochs": 0},
    ],
)
@pytest.mark.parametrize("seed", [0, 7])
def test_svd_equals_the_peer(peer, options, seed):
    rows = make_rows(seed)
    check_equal(*fit_both(peer, "SVD", rows, random_state=seed, **options), rows, 1e-9, FACTORS)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cache_ratings": True, "n_factors": 3},
        {"n_factors": 9, "init_mean": 0.1, "lr_yj": 0.02, "reg_yj": 0.3, **RATES, **REGS},
        {"n_factors": 30, "lr_all": 0.01, "reg_all": 0.05},
    ],
)
def test_svdpp_equals_the_peer(peer, options):
    rows = make_rows(1, n=400)
    check_equal(
        *fit_both(peer, "SVDpp", rows, random_state=3, n_epochs=4, **options), rows, 1e-9, (*FACTORS, "yj")
    )


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"biased": True, "n_factors": 5, "lr_bu": 0.01, "lr_bi": 0.02, "reg_bu": 0.1, "reg_bi": 0.05},
        {"n_factors": 22, "n_epochs": 7, "reg_pu": 0.2, "reg_qi": 0.01},
        {"init_low": 0.5, "init_high": 2},
        {"init_high": 0},
    ],
)
def test_nmf_equals_the_peer(peer, options):
    rows = make_rows(2)
    check_equal(*fit_both(peer, "NMF", rows, random_state=5, **options), rows, 1e-6, FACTORS)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "als", "n_epochs": 3, "reg_u": 2, "reg_i": 0.5},
        {"method": "sgd"},
        {"method": "sgd", "n_epochs": 5, "reg": 0.1, "learning_rate": 0.02},
    ],
)
@pytest.mark.parametrize("fractions", [False, True])
def test_baselines_equal_the_peer(peer, options, fractions):
    rows = make_rows(3, fractions=fractions)
    found = fit_both(peer, "BaselineOnly", rows, bsl_options=options, verbose=False)
    check_equal(*found, rows, 1e-9, ("bu", "bi"))


@pytest.mark.parametrize("options", [{}, {"n_cltr_u": 5, "n_cltr_i": 2, "n_epochs": 6}, {"n_epochs": 0}])
@pytest.mark.parametrize("seed", range(4))
def test_coclustering_equals_the_peer(peer, options, seed):
    rows = make_rows(seed)
    names = ("cltr_u", "cltr_i", "user_mean", "item_mean", "avg_cltr_u", "avg_cltr_i", "avg_cocltr")
    check_equal(*fit_both(peer, "CoClustering", rows, random_state=seed, **options), rows, 1e-9, names)


def test_coclustering_warns_about_truncated_ratings(peer):
    rows = make_rows(fractions=True)
    with pytest.warns(SurpriseCompatWarning, match="counts as"):
        theirs, own = fit_both(peer, "CoClustering", rows, (1, 5), random_state=0)
    check_equal(theirs, own, rows, 1e-9, ("cltr_u", "user_mean", "avg_cocltr"))


def test_normal_predictor_equals_the_peer(peer):
    rows = make_rows(4)
    theirs, own = fit_both(peer, "NormalPredictor", rows)
    assert own.sigma == theirs.sigma
    np.random.seed(11)
    wanted = [p.est for p in theirs.test(make_testset(rows))]
    np.random.seed(11)
    assert [p.est for p in own.test(make_testset(rows))] == wanted


@pytest.mark.parametrize("name", ["SVD", "SVDpp"])
def test_duplicate_pair_equals_the_peer(peer, name):
    rows = make_rows(5, n=200)
    again = [*rows, *[(user, item, 1.0) for user, item, _ in rows[:20]], *rows[-1:], *rows[-1:]]
    theirs = getattr(peer, name)(n_factors=6, n_epochs=3, random_state=0).fit(trainset_of(peer, again))
    own = getattr(algorithms, name)(n_factors=6, n_epochs=3, random_state=0).fit(trainset_of(ours, again))
    check_equal(theirs, own, rows, 1e-9, FACTORS)


@pytest.mark.parametrize("name", ["SVD", "SVDpp", "NMF", "CoClustering"])
def test_verbose_prints_epochs_without_changing_results(peer, name, capsys):
    rows = make_rows(6, n=200)
    _, loud = fit_both(peer, name, rows, n_epochs=3, random_state=1, verbose=True)
    printed = capsys.readouterr().out
    assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]
    assert "epoch 2" in printed
    quiet = getattr(algorithms, name)(n_epochs=3, random_state=1).fit(loud.trainset)
    assert [p.est for p in quiet.test(rows)] == [p.est for p in loud.test(rows)]


def test_generator_advances_and_seed_repeats(peer):
    rows = make_rows(6, n=200)
    for state in (np.random.RandomState, lambda _: None):
        found = []
        for library, trainset in ((peer, trainset_of(peer, rows)), (ours, trainset_of(ours, rows))):
            np.random.seed(3)
            kind = peer.SVD if library is peer else algorithms.SVD
            algorithm = kind(n_factors=4, random_state=state(3))
            found.append([algorithm.fit(trainset).pu.copy() for _ in range(2)])
        np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-9)
        assert not np.allclose(found[1][0], found[1][1])
    algorithm = algorithms.SVD(random_state=9)
    np.testing.assert_array_equal(algorithm.fit(trainset).pu, algorithm.fit(trainset).pu)


def test_division_by_zero_raises_the_same_error(peer):
    rows = make_rows(7)
    heard = trainset_of(ours, rows)
    count = int(np.diff(heard.by_item().starts)[0])
    for library, trainset in ((peer, trainset_of(peer, rows)), (algorithms, heard)):
        with pytest.raises(ZeroDivisionError):
            library.BaselineOnly(bsl_options={"reg_i": -count}, verbose=False).fit(trainset)


def test_negative_init_low_raises():
    with pytest.raises(ValueError, match="init_low=-1"):
        algorithms.NMF(init_low=-1)


def test_edited_factors_change_predictions(peer):
    rows = make_rows(8)
    theirs, own = fit_both(peer, "SVD", rows, n_factors=3, random_state=0)
    for one in (theirs, own):
        one.qi = one.qi * 2
    check_equal(theirs, own, rows, 1e-9, ("qi",))


@pytest.mark.dataset
@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("SVD", {"n_factors": 20, "n_epochs": 2, "random_state": 0}, 1e-9),
        ("NMF", {"n_epochs": 2, "random_state": 1}, 1e-6),
        ("BaselineOnly", {"verbose": False, "bsl_options": {"n_epochs": 2}}, 1e-9),
        ("BaselineOnly", {"verbose": False, "bsl_options": {"method": "sgd", "n_epochs": 3}}, 1e-6),
        ("CoClustering", {"n_epochs": 1, "random_state": 2}, 1e-9),
    ],
)
def test_movielens_100k_fold_1_equals_the_peer(peer, name, options, tolerance):
    folder = data_file("ml-100k/u1.base").parent
    train, test = (np.loadtxt(folder / f"u1.{part}", dtype=np.int64) for part in ("base", "test"))
    rows = [(str(user), str(item), float(value)) for user, item, value, _ in train.tolist()]
    asked = [(str(user), str(item), float(value)) for user, item, value, _ in test.tolist()]
    found = [one.test(asked) for one in fit_both(peer, name, rows, **options)]
    estimates = [[p.est for p in predictions] for predictions in found]
    assert len(estimates[1]) == 20_000
    np.testing.assert_allclose(estimates[1], estimates[0], rtol=0, atol=tolerance)
