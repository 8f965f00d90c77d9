"""Model files of earlier versions load, predict as before, and name what they lack."""

from __future__ import annotations

import numpy as np
import pytest
from model_files import with_arrays, with_ours

from foretaste.errors import ModelFileError, NotSupportedError
from foretaste.models import ALS, NMF, SVD, Blend, ItemKNN, SVDpp, TimeSVDpp, UserKNN
from foretaste.persistence import load, save
from foretaste.recommendation import explain, fold_in, next_question, question_gains

PENALTIES = ("user_penalty_", "item_penalty_")
MODELS = [SVD(factors=3, epochs=3), SVDpp(factors=3, epochs=3), TimeSVDpp(factors=3, epochs=3)]


def with_timestamps(ratings):
    return ratings.replace(timestamp=1_700_000_000 + np.arange(len(ratings)) * 3600)


def load_without(model, path, *lacks):
    """Write a model as it was written before these arrays existed, and load it."""
    save(model, path)
    path.write_bytes(with_arrays(path, path.read_bytes(), **dict.fromkeys(lacks)))
    return load(path)


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_missing_covariance_asks_for_retraining(ratings, model, tmp_path):
    model.fit(with_timestamps(ratings))
    again = load_without(model, tmp_path / "old.foretaste", *PENALTIES)
    np.testing.assert_array_equal(again.predict_matrix(), model.predict_matrix())
    explanation = explain(again, 11, 5)
    assert explanation.to_dict()["parts"] == explain(model, 11, 5).to_dict()["parts"]
    for what in (
        lambda: fold_in(again, users=with_timestamps(ratings)),
        lambda: fold_in(again, items=with_timestamps(ratings)),
        lambda: explain(again, 11, 5, ratings=with_timestamps(ratings)),
        lambda: next_question(again),
    ):
        with pytest.raises(NotSupportedError, match="comes from a file by an earlier version") as refused:
            what()
        assert f"foretaste fit {type(model).__name__} ratings.csv" in refused.value.hint
    save(again, tmp_path / "new.foretaste")
    assert load(tmp_path / "new.foretaste").user_penalty_.shape == (0, 0)
    assert (
        fold_in(again.fit(with_timestamps(ratings)), users=with_timestamps(ratings)).users_ == ratings.users
    )


def test_file_with_only_one_penalty_raises(ratings, tmp_path):
    model = SVD(factors=3, epochs=3).fit(ratings)
    for name in PENALTIES:
        with pytest.raises(ModelFileError, match="penalty_ in the file"):
            load_without(model, tmp_path / "half.foretaste", name)


@pytest.mark.parametrize("cls", [ALS, NMF], ids=lambda cls: cls.__name__)
def test_als_without_covariance_uses_hypothetical_answers(ratings, cls, tmp_path):
    model = cls(factors=3, epochs=5).fit(ratings)
    again = load_without(model, tmp_path / "old.foretaste", "user_covariance_")
    np.testing.assert_array_equal(
        fold_in(again, users=ratings).predict_matrix(), fold_in(model, users=ratings).predict_matrix()
    )
    gain = question_gains(again)[1]
    assert (gain > 0).all()
    assert not np.allclose(gain, question_gains(model)[1])


def test_malformed_covariance_raises(ratings, tmp_path):
    save(ALS(factors=3, epochs=3).fit(ratings), tmp_path / "als.foretaste")
    whole = (tmp_path / "als.foretaste").read_bytes()
    with_arrays(tmp_path / "als.foretaste", whole, user_covariance_=np.eye(3))
    with pytest.raises(ModelFileError, match="user_covariance_ in the file does not fit"):
        load(tmp_path / "als.foretaste")


@pytest.mark.parametrize("cls", [ItemKNN, UserKNN], ids=lambda cls: cls.__name__)
def test_older_neighbor_file_folds_in_like_a_new_one(ratings, other_ratings, cls, tmp_path):
    model = cls().fit(ratings)
    again = load_without(model, tmp_path / "old.foretaste", "source_ids_", "source_bias_", "source_std_")
    assert len(again.source_ids_) == 0
    for side in ("users", "items"):
        np.testing.assert_array_equal(
            fold_in(again, **{side: other_ratings}).predict_matrix(),
            fold_in(model, **{side: other_ratings}).predict_matrix(),
        )


def test_nested_models_without_covariance_predict_but_do_not_fold_in(ratings, other_ratings, tmp_path):
    blend = Blend(models=["UserKNN", SVD(factors=3, epochs=3)], folds=2).fit(ratings)
    lacks = [f"members_.1.{name}" for name in PENALTIES]
    again = load_without(blend, tmp_path / "old.foretaste", "members_.0.source_ids_", *lacks)
    np.testing.assert_array_equal(again.predict_matrix(), blend.predict_matrix())
    with pytest.raises(NotSupportedError, match="this SVD comes from a file by an earlier version"):
        fold_in(again, users=other_ratings)


def test_file_without_a_required_attribute_raises(ratings, tmp_path):
    with pytest.raises(ModelFileError, match="missing"):
        load_without(SVD(factors=3, epochs=3).fit(ratings), tmp_path / "old.foretaste", "item_factors_")


def test_file_of_a_newer_format_raises(ratings, tmp_path):
    save(SVD(factors=3, epochs=3).fit(ratings), tmp_path / "svd.foretaste")
    newer = with_ours((tmp_path / "svd.foretaste").read_bytes(), lambda ours: ours | {"format": 3})
    (tmp_path / "svd.foretaste").write_bytes(newer)
    with pytest.raises(ModelFileError, match="this version reads formats up to 2"):
        load(tmp_path / "svd.foretaste")
