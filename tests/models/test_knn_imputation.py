"""KNNImputation: fitted matrix, fallbacks, memory, fold-in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from imputation_reference import tied_cells
from model_files import with_arrays
from real_data import lecture_parts
from sklearn.impute import KNNImputer
from synthetic import planted

from foretaste._utils import memory
from foretaste.errors import InvalidParameterError, ModelFileError, NotEnoughMemoryError, NotSupportedError
from foretaste.metrics.rating import rmse
from foretaste.models import KNNImputation
from foretaste.models.knn_imputation import imputation_bytes
from foretaste.persistence import load, save
from foretaste.ratings import Ratings
from foretaste.recommendation import fold_in

NEW_USER, NEW_ITEM = 100_001, 100_003


def test_training_ratings_are_predicted_exactly(ratings):
    for weights in ("uniform", "distance"):
        assert np.array_equal(KNNImputation(weights=weights).fit(ratings).predict(ratings), ratings.value)


@pytest.mark.peer
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_imputed_matrix_equals_sklearn(weights):
    ratings = planted(users=120, rows=2000)  # sparse, so that many distances are equal
    matrix = ratings.to_matrix(dtype=np.float64)
    wanted = KNNImputer(n_neighbors=4, weights=weights).fit_transform(matrix)
    free = ~tied_cells(matrix, 4)
    assert free.mean() > 0.8
    model = KNNImputation(neighbors=4, weights=weights, clip=False).fit(ratings)
    np.testing.assert_allclose(model.predict_matrix()[free], wanted[free], rtol=0, atol=1e-6)


@pytest.mark.peer
def test_unknown_user_equals_an_empty_row_of_sklearn(ratings):
    imputer = KNNImputer(n_neighbors=10).fit(ratings.to_matrix(dtype=np.float64))
    wanted = imputer.transform(np.full((1, len(ratings.items)), np.nan))[0]
    details = KNNImputation().fit(ratings).predict_details([(NEW_USER, i) for i in ratings.items])
    np.testing.assert_allclose(details.value, wanted, rtol=0, atol=1e-6)
    assert (details.fallback == 1).all()


def test_unknown_item_gets_the_user_mean_or_zero(ratings):
    shifted = ratings.replace(value=ratings.value + 20)  # 0 is outside the range of the ratings
    pairs = [(user, NEW_ITEM) for user in shifted.users] + [(NEW_USER, NEW_ITEM)]
    means = [shifted.value[shifted.user == user].mean(dtype=np.float64) for user in range(len(shifted.users))]
    wanted = [*means, shifted.value.mean(dtype=np.float64)]
    np.testing.assert_allclose(KNNImputation().fit(shifted).predict(pairs), wanted, rtol=1e-6)
    zero = KNNImputation(unknown_item="zero", clip=False).fit(shifted)
    assert not zero.predict(pairs).any()
    assert zero.set_params(clip=True).predict(pairs)[0] == shifted.value.min()


def test_more_neighbors_than_users_are_all_users(ratings):
    many, all_ = KNNImputation(neighbors=10**12).fit(ratings), KNNImputation(neighbors=60).fit(ratings)
    assert np.array_equal(many.predict_matrix(), all_.predict_matrix())
    assert not np.array_equal(many.predict_matrix(), KNNImputation().fit(ratings).predict_matrix())


def test_too_little_memory_raises_with_the_size(ratings, monkeypatch):
    needed = imputation_bytes(len(ratings.users), len(ratings.items), len(ratings), 1)
    monkeypatch.setattr(memory, "available_bytes", lambda: needed)
    with pytest.raises(
        NotEnoughMemoryError, match=r"58 users x 40 items needs 16\.\d MB.*\ntry: .*SVD.*Bias"
    ):
        KNNImputation(threads=1).fit(ratings)
    monkeypatch.setattr(memory, "available_bytes", lambda: 2 * needed)
    KNNImputation(threads=1).fit(ratings)


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to know the peak (Linux)")
def test_peak_memory_is_close_to_the_estimate():
    """Peak memory grows with the cells as estimated, measured in a subprocess."""
    code = (
        "import numpy as np; from foretaste._native import impute_nearest; "
        "m = np.full((20_000, {items}), np.nan, np.float32); m[:, :3] = 1; m[:40, 3:] = 2; "
        "impute_nearest(m, 2, False, 1); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    peaks = []
    for items in (100, 1100):
        command = [sys.executable, "-c", code.format(items=items)]
        peaks.append(1024 * int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
    estimates = [imputation_bytes(20_000, items, 60_000 + 40 * items, 1) for items in (100, 1100)]
    assert peaks[1] - peaks[0] == pytest.approx(estimates[1] - estimates[0], rel=0.15)


@pytest.mark.parametrize(
    "params",
    [{"neighbors": 0}, {"neighbors": 2.5}, {"weights": "near"}, {"unknown_item": "mean"}, {"threads": 0}],
)
def test_invalid_parameter_raises_with_its_name(ratings, params):
    ((name, value),) = params.items()
    with pytest.raises(InvalidParameterError, match=rf"\b{name}=.?{value}.? is not allowed"):
        KNNImputation(**params).fit(ratings)


def test_sample_weights_raise(ratings):
    with pytest.raises(NotSupportedError, match="KNNImputation does not support sample weights"):
        KNNImputation().fit(ratings, sample_weight=np.ones(len(ratings)))


@pytest.mark.dataset
def test_rmse_equals_that_of_the_lecture():
    train, valid = lecture_parts()
    for unknown_item in ("user_mean", "zero"):
        model = KNNImputation(unknown_item=unknown_item).fit(train)
        assert rmse(train.value, model.predict(train)) == 0
        assert rmse(valid.value, model.predict(valid)) == pytest.approx(4.777, abs=0.005)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_folded_in_users_have_the_neighbors_of_training(ratings, other_ratings, weights):
    model = KNNImputation(weights=weights, neighbors=5, clip=False).fit(ratings)
    again = fold_in(model, users=ratings[np.random.default_rng(1).permutation(len(ratings))])
    assert np.array_equal(again.predict_matrix(), model.predict_matrix())
    known = other_ratings[np.isin(other_ratings.item_ids, ratings.items.ids)]
    folded = fold_in(model, users=other_ratings)
    for place in range(0, len(other_ratings.users), 3):
        one = known[known.user_ids == other_ratings.users.ids[place]]
        if len(one) == 0:
            continue
        ids = np.r_[ratings.user_ids, np.full(len(one), 10**6)]
        both = Ratings.from_columns(
            ids, np.r_[ratings.item_ids, one.item_ids], np.r_[ratings.value, one.value]
        )
        whole = KNNImputation(weights=weights, neighbors=5, clip=False).fit(both).predict_matrix()
        rated = np.isin(model.items_.ids, one.item_ids)
        found = folded.predict_matrix()[place]
        near = model.predict([(10**6, item) for item in model.items_.ids]) != whole[-1]
        assert near.sum() > 5
        np.testing.assert_allclose(found[rated], one.value[np.argsort(one.item_ids)], atol=1e-6)
        np.testing.assert_allclose(found[near & ~rated], whole[-1][near & ~rated], atol=1e-5)
    assert np.array_equal(fold_in(folded, users=other_ratings).predict_matrix(), folded.predict_matrix())


def test_older_file_without_ratings_raises_on_fold_in(ratings, tmp_path):
    path, lists = tmp_path / "old.foretaste", ("rated_start_", "rated_", "rating_")
    model = KNNImputation().fit(ratings)
    save(model, path)
    whole = path.read_bytes()
    with_arrays(path, whole, **dict.fromkeys(lists))
    again = load(path)
    assert np.array_equal(again.predict_matrix(), model.predict_matrix())
    with pytest.raises(NotSupportedError, match="lacks the training ratings"):
        fold_in(again, users=ratings)
    for wrong in (
        {"rated_start_": None},
        {"rated_": model.rated_ + 1000},
        {"rated_": model.rated_ - 50},
        {"rated_start_": model.rated_start_[::-1].copy()},
    ):
        with_arrays(path, whole, **wrong)
        with pytest.raises(ModelFileError, match="lists of rated items"):
            load(path)
