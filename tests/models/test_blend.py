"""Blend: unbiased weights, nested models, and files of them."""

from __future__ import annotations

import json
from typing import ClassVar

import numpy as np
import pytest
from click.testing import CliRunner
from contract.contract_table import assert_same_state, every_pair, same_bits
from model_files import parts, rejected, whole, with_arrays, with_ours
from real_data import lecture_parts
from sklearn.base import clone
from sklearn.ensemble import StackingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.model_selection import KFold as SklearnKFold

import foretaste
from foretaste.cli import cli
from foretaste.errors import InvalidParameterError, NotSupportedError
from foretaste.evaluation import compare
from foretaste.metrics.rating import rmse
from foretaste.models import MODELS, SVD, Bias, Blend, GlobalMean, ItemMean, KNNImputation, UserMean
from foretaste.params import estimator
from foretaste.persistence import inspect, load, save
from foretaste.ratings import Pairs
from foretaste.splits import HoldOut, KFold

SMALL = SVD(factors=3, epochs=8)


# Weights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("support", [False, True])
def test_weights_equal_ridge_regression_on_held_out_predictions(ratings, support, weighted):
    """The same by scikit-learn's folds and numpy's least squares."""
    weight = np.random.default_rng(0).choice([0.5, 1, 2], len(ratings)) if weighted else np.ones(len(ratings))
    given = ratings.replace(weight=weight.astype(np.float32) if weighted else None)
    models = [Bias(), UserMean(), ItemMean()]
    n, mean = len(ratings), np.average(ratings.value.astype(float), weights=weight)
    std = np.sqrt(np.average((ratings.value - mean) ** 2, weights=weight))
    guess, user, item = np.zeros((n, 3)), np.zeros(n), np.zeros(n)
    for kept, held in SklearnKFold(4, shuffle=True, random_state=9).split(np.arange(n)):
        for place, model in enumerate(models):
            guess[held, place] = model.fit(given[kept]).predict(given[held])
        for codes, counts in ((ratings.user, user), (ratings.item, item)):
            counts[held] = np.log1p(np.bincount(codes[kept], weight[kept], codes.max() + 1))[codes[held]]
    columns = np.column_stack([(guess - mean) / std, np.ones(n)])
    supports = [(s - s.mean()) / s.std() for s in (user, item)] if support else []
    design = np.hstack([columns, *(s[:, None] * columns for s in supports)])
    target = (ratings.value - mean) / std - columns[:, :3].mean(axis=1)
    size, root = design.shape[1], np.sqrt(weight)
    stacked = np.vstack([design * root[:, None], np.sqrt(5.0) * np.eye(size)])
    found = np.linalg.lstsq(stacked, np.r_[target * root, np.zeros(size)], rcond=None)[0]

    blend = Blend(models=models, folds=4, seed=9, regularization=5.0, support=support, clip=False).fit(given)
    members = np.column_stack([model.fit(given).predict(given) for model in models])
    columns = np.column_stack([(members - mean) / std, np.ones(n)])
    final = [np.log1p(np.bincount(codes, weight))[codes] for codes in (ratings.user, ratings.item)]
    spread = zip(final, (user, item), strict=True)
    supports = [(s - then.mean()) / then.std() for s, then in spread] if support else []
    design = np.hstack([columns, *(s[:, None] * columns for s in supports)])
    wanted = mean + std * (design @ found + columns[:, :3].mean(axis=1))
    np.testing.assert_allclose(blend.predict(ratings), wanted, rtol=0, atol=2e-4)


def test_memorizing_model_gets_no_undue_weight(ratings):
    """Its training error is 0; what counts is how it predicts what it has not seen."""
    blend = Blend(models=["KNNImputation", "Bias"], support=False).fit(ratings)
    alone = Blend(models=["Bias", "UserMean"], support=False).fit(ratings)
    assert rmse(ratings.value, KNNImputation().fit(ratings).predict(ratings)) == 0
    assert blend.weight_[0, 0] < 0.95
    assert blend.weight_[0, 1] > 0.3
    assert alone.weight_[0, 0] > 0.8


@estimator
class Watched(Bias):
    """Records its training and prediction rows."""

    summary: ClassVar[str] = "watched"
    learned_from: ClassVar[list[set[tuple[int, int]]]] = []
    asked_for: ClassVar[list[set[tuple[int, int]]]] = []

    def fit(self, X, y=None, sample_weight=None, *, progress=False):
        self.learned_from.append(set(zip(X.user_ids.tolist(), X.item_ids.tolist(), strict=True)))
        return super().fit(X, y, sample_weight, progress=progress)

    def predict(self, X):
        self.asked_for.append(set(zip(X.user_ids.tolist(), X.item_ids.tolist(), strict=True)))
        return super().predict(X)


def test_weights_use_out_of_fold_predictions_only(ratings):
    Watched.learned_from.clear()
    Watched.asked_for.clear()
    Blend(models=[Watched(), "UserMean"], folds=4).fit(ratings)
    everything = set(zip(ratings.user_ids.tolist(), ratings.item_ids.tolist(), strict=True))
    assert len(Watched.learned_from) == 5
    assert Watched.learned_from[-1] == everything
    for learned_from, asked_for in zip(Watched.learned_from, Watched.asked_for, strict=False):
        assert not learned_from & asked_for
        assert learned_from | asked_for == everything
    assert set().union(*Watched.asked_for) == everything


def test_weights_depend_on_the_number_of_ratings(larger_ratings):
    """Trust the items' means where a user is hardly known, and the users' where they are."""
    count = np.bincount(larger_ratings.user)[larger_ratings.user]
    item_mean, user_mean = (
        model().fit(larger_ratings).predict(larger_ratings) for model in (ItemMean, UserMean)
    )
    value = np.where(count > np.median(count), user_mean, item_mean)
    given = larger_ratings.replace(value=value.astype(np.float32))
    with_it = Blend(models=["ItemMean", "UserMean"]).fit(given)
    without = Blend(models=["ItemMean", "UserMean"], support=False).fit(given)
    assert not without.weight_[1:].any()
    assert with_it.weight_[1, 0] < 0 < with_it.weight_[1, 1]
    assert rmse(value, with_it.predict(given)) < 0.9 * rmse(value, without.predict(given))


def test_strong_regularization_gives_equal_weights(ratings):
    few = ratings[[1, 5, 9]]
    blend = Blend(models=["UserMean", "ItemMean", "GlobalMean"], regularization=1e9).fit(few)
    np.testing.assert_allclose(blend.weight_[0], [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6)
    mean = np.mean([m().fit(few).predict(few) for m in (UserMean, ItemMean, GlobalMean)], axis=0)
    np.testing.assert_allclose(blend.predict(few), mean, atol=1e-5)


@pytest.mark.dataset
@pytest.mark.nightly
def test_blend_beats_every_model_of_the_course():
    train, valid = lecture_parts()
    error = rmse(valid.value, Blend().fit(train).predict(valid))
    print(f"Blend {error:.4f}")
    assert error <= 4.42
    assert error < rmse(valid.value, SVD().fit(train).predict(valid))


def test_stacking_regressor_is_as_accurate():
    ratings = foretaste.load_dataset("sample")
    ((train_rows, test_rows),) = HoldOut(0.2).split(ratings)
    train, test = ratings[train_rows], ratings[test_rows]
    pairs = np.column_stack([train.user_ids, train.item_ids])
    models = [("svd", SVD(factors=8)), ("effects", MODELS["GlobalEffects"]()), ("ease", MODELS["EASE"]())]
    folds = SklearnKFold(5, shuffle=True, random_state=0)
    stack = StackingRegressor(models, RidgeCV(), cv=folds).fit(pairs, train.value)
    theirs = rmse(test.value, stack.predict(np.column_stack([test.user_ids, test.item_ids])))
    ours = rmse(test.value, Blend(models=[model for _, model in models]).fit(train).predict(test))
    alone = [rmse(test.value, model.fit(train).predict(test)) for _, model in models]
    assert ours < min(alone)
    assert ours < theirs * 1.01


def test_threads_of_nested_models_change_no_bit(larger_ratings):
    one, two = (
        Blend(models=[SVD(factors=4, threads=n), MODELS["EASE"](threads=n)]).fit(larger_ratings)
        for n in (1, 2)
    )
    assert same_bits(one.predict(larger_ratings), two.predict(larger_ratings))


# Models inside -------------------------------------------------------------------------------------------


def test_models_passed_in_stay_unfitted(ratings):
    given = SVD(factors=3, epochs=2)
    blend = Blend(models=["Bias", given]).fit(ratings)
    assert not given.__sklearn_is_fitted__()
    assert blend.models[1] is given
    assert [type(member) for member in blend.members_] == [Bias, SVD]
    assert blend.members_[1].factors == 3
    assert all(member.users_ is blend.users_ for member in blend.members_)
    assert blend.predict_details(ratings).fallback.sum() == 0


def test_default_model_list_is_not_shared():
    one, other = Blend(), Blend()
    assert one.models == other.models == Blend.param_specs()["models"].default
    one.models.append("Bias")
    assert other.models == Blend().models == Blend.param_specs()["models"].default


def test_default_models_exist():
    assert set(Blend().models) <= set(MODELS)


def test_repr_recreates_the_blend():
    blend = Blend(models=["Bias", SVD(factors=3), Blend(models=["UserMean"])], folds=3)
    text = "Blend(models=['Bias', SVD(factors=3), Blend(models=['UserMean'])], folds=3)"
    assert repr(blend) == text
    assert repr(eval(text, dict(MODELS))) == text  # noqa: S307 - our own text


def test_nested_parameters_have_names():
    blend = Blend(models=["Bias", SVD(factors=3), SVD(factors=4), Blend(models=[Bias(epochs=7)])])
    params = blend.get_params()
    assert params["SVD__factors"] == 3
    assert params["SVD_2__factors"] == 4
    assert params["Blend__Bias__epochs"] == 7
    assert "Bias__epochs" not in params
    assert list(blend.get_params(deep=False)) == list(Blend.param_specs())
    blend.set_params(SVD_2__factors=5, Blend__Bias__epochs=8, Bias__epochs=9, folds=2)
    assert [getattr(blend.models[k], "factors", None) for k in (1, 2)] == [3, 5]
    assert blend.models[0].epochs == 9
    assert blend.models[3].models[0].epochs == 8
    assert blend.folds == 2
    assert blend.set_params(models=["SVD"], SVD__factors=2).models[0].factors == 2
    for wrong, words in (
        ({"SVDD__factors": 1}, 'no model of this Blend is called "SVDD"; did you mean "SVD"'),
        ({"SVD__factor": 1}, 'SVD has no parameter "factor"; did you mean "factors"'),
    ):
        with pytest.raises(InvalidParameterError, match=words):
            blend.set_params(**wrong)


def test_clones_share_no_nested_model():
    blend = Blend(models=["Bias", SVD(factors=3)])
    copied = clone(blend)
    assert repr(copied) == repr(blend)
    copied.set_params(SVD__factors=9)
    assert blend.models[1].factors == 3


def test_grid_search_over_nested_parameters(ratings):
    grid = {"SVD__factors": [1, 4], "Bias__user_damping": [1.0, 9.0]}
    for models in (["Bias", SVD(epochs=5)], ["Bias", "SVD"]):
        search = GridSearchCV(Blend(models=models, folds=2), grid, cv=SklearnKFold(2, shuffle=True))
        search.fit(ratings, ratings.value)
        assert len(set(search.cv_results_["mean_test_score"])) == 4
        best = search.best_estimator_
        assert best.models[1].factors == search.best_params_["SVD__factors"]
        assert best.members_[0].user_damping == search.best_params_["Bias__user_damping"]


@pytest.mark.parametrize(
    ("models", "words"),
    [
        (["Bais"], 'there is no model "Bais"; did you mean "Bias"'),
        ([SVD(factors=0)], "SVD: factors=0 is not allowed"),
        (["Bias"] * 101, "models holds 101 models"),
        ([Blend(models=[Blend(models=[Blend(models=["Bias"])])])], "at depth 4"),
        ([SVD], "it must be a list of models or model names"),
        ("SVD", "it must be a list of models or model names"),
    ],
)
def test_invalid_models_raise(ratings, models, words):
    with pytest.raises(InvalidParameterError, match=words):
        Blend(models=models).fit(ratings)


def test_weights_raise_if_a_nested_model_does_not_support_them(ratings):
    heavy = np.ones(len(ratings))
    with pytest.raises(
        NotSupportedError, match="does not support sample weights, because KNNImputation does not"
    ):
        Blend(models=["Bias", "KNNImputation"]).fit(ratings, sample_weight=heavy)


def test_explanation_has_one_part_per_model(ratings):
    model = Blend(models=["Bias", "Bias", SMALL], folds=3, clip=False).fit(ratings)
    asked = every_pair(ratings)
    pairs = Pairs(model.users_.encode(asked[:, 0], "user"), model.items_.encode(asked[:, 1], "item"))
    contributions = model.contributions(pairs)
    assert contributions.parts == ("mean", "Bias", "Bias_2", "SVD")
    np.testing.assert_allclose(contributions.values.sum(axis=1), model.predict(asked), rtol=0, atol=1e-4)


def test_fold_in_requires_every_nested_model_to_support_it(ratings, other_ratings):
    able = Blend(models=["GlobalEffects", "EASE"], folds=3).fit(ratings)
    folded = able.fold_in(other_ratings)
    assert folded.users_ == other_ratings.users
    assert np.isfinite(folded.predict_matrix()).all()
    again = able.fold_in(ratings)
    np.testing.assert_allclose(again.predict(ratings), able.predict(ratings), rtol=0, atol=0.02)
    with pytest.raises(NotSupportedError, match="cannot fold in new users"):
        Blend(models=["GlobalEffects", "NormalRandom"], folds=2).fit(ratings).fold_in(other_ratings)


# Files ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nested(ratings):
    """Return a blend with a name, a model and a blend inside."""
    inside = Blend(models=["UserMean", "EASE"], folds=2)
    return Blend(models=["Bias", SVD(factors=3, epochs=2), inside], folds=2).fit(ratings)


@pytest.fixture(scope="module")
def nested_bytes(nested, tmp_path_factory):
    path = tmp_path_factory.mktemp("blend") / "nested.foretaste"
    save(nested, path)
    return path.read_bytes()


def test_blend_is_saved_to_one_file(nested, nested_bytes, ratings, tmp_path):
    path = tmp_path / "nested.foretaste"
    path.write_bytes(nested_bytes)
    back = load(path)
    assert repr(back) == repr(nested)
    assert_same_state(back, nested)
    assert same_bits(back.predict(every_pair(ratings)), nested.predict(every_pair(ratings)))
    assert same_bits(back.members_[1].predict(ratings), nested.members_[1].predict(ratings))
    found = inspect(path)
    assert found["params"]["models"][0] == "Bias"
    assert found["params"]["models"][1]["params"]["factors"] == 3
    assert "members_.2.members_.1.weight_" in found["shapes"]
    assert sum("users_" in name for name in found["shapes"]) == 1  # id maps once
    save(back, tmp_path / "again.foretaste")
    assert (tmp_path / "again.foretaste").read_bytes() == nested_bytes


def test_text_ids_are_stored_once(ratings, tmp_path):
    texts = type(ratings).from_columns(
        [f"ü{u}" for u in ratings.user_ids], [f"i{i}" for i in ratings.item_ids], ratings.value
    )
    model = Blend(models=["Bias", "EASE"], folds=2).fit(texts)
    save(model, tmp_path / "texts.foretaste")
    assert same_bits(load(tmp_path / "texts.foretaste").predict(texts), model.predict(texts))


def at(*keys):
    """Return a function that sets a value deep inside a header: the last of ``keys`` is the value."""

    def change(ours):
        place = ours
        for key in keys[:-2]:
            place = place[key]
        place[keys[-2]] = keys[-1]

    return change


def deep(ours):
    spec = {"model": "Bias", "params": {}}
    for _ in range(50):
        spec = {"model": "Blend", "params": {"models": [spec]}}
    ours["params"]["models"][0] = spec


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (at("params", "models", 0, "Bais"), 'there is no model "Bais"'),
        (at("params", "models", 0, "os.system"), 'there is no model "os.system"'),
        (at("params", "models", 0, 1), "must be described by a name and parameters"),
        (at("params", "models", 0, {"model": "Bias"}), "must be described by a name and parameters"),
        (at("params", "models", 0, {"model": 1, "params": {}}), "must be described by a name and parameters"),
        (at("params", "models", 0, {"model": "Model", "params": {}}), 'no model "Model"'),
        (at("params", "models", 0, {"model": "Bias", "params": {"self": 1}}), "no parameter 'self'"),
        (at("params", "models", 1, "params", "factors", 0), "factors=0 is not allowed"),
        (at("params", "models", 1, "params", "factors", 4), None),  # not read: the arrays determine it
        (at("params", "models", []), "is not allowed"),
        (at("params", "models", "Bias"), "is not allowed"),
        (at("params", "models", ["Bias"] * 101), "models holds 101"),
        (at("params", "models", ["Bias"]), "as many models as there must be"),
        (at("params", "models", 0, "UserMean"), "does not hold the attributes of a UserMean"),
        (deep, "must be described by a name and parameters"),
        (at("learned", "members_", None), "as many models as there must be"),
        (at("learned", "members_", {}), "as many models as there must be"),
        (at("learned", "members_", 0, None), "does not hold what model 0 learned"),
        (at("learned", "members_", 0, {}), "n_ratings_ in the file is not a whole number"),
        (at("learned", "members_", 0, "users_", 1), "users_ stands in the file twice"),
        (at("learned", "members_", 0, "mean_", [1]), "mean_ in the file is neither a number nor a text"),
        (at("learned", "members_", 0, "low_", 99.0), "cannot come from any ratings"),
        (at("learned", "members_", 0, "extra_", 1), "unexpected ['extra_']"),
        (at("learned", "members_", 2, "members_", []), "as many models as there must be"),
        (lambda ours: ours["learned"].pop("members_") and None, "as many models as there must be"),
    ],
)
def test_invalid_blend_header_raises(nested_bytes, tmp_path, change, words):
    data = with_ours(nested_bytes, change)
    if words is None:
        (tmp_path / "fine").write_bytes(data)
        load(tmp_path / "fine")
        return
    assert words in rejected(tmp_path / "wrong", data).message


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("members_.0.user_bias_", lambda a: None, "missing ['user_bias_']"),
        ("members_.0.user_bias_", lambda a: a[:-1], "user_bias_ in the file is invalid"),
        ("members_.0.user_bias_", lambda a: a * np.float32("nan"), "is invalid: expected"),
        ("members_.1.user_factors_", lambda a: a[:, :2].copy(), "item_factors_ in the file is invalid"),
        ("members_.2.members_.1.rated_", lambda a: a + 1000, "do not fit its users and items"),
        ("members_.3.user_bias_", lambda a: np.zeros(3, np.float32), "unexpected ['members_.3.user_bias_']"),
        ("members_.0.users_", lambda a: np.arange(3), "users_ stands in the file twice"),
        ("members_", lambda a: np.zeros(3, np.float32), "members_ stands in the file twice"),
        ("weight_", lambda a: a[:2].copy(), "do not match the parameters of the blend"),
        ("weight_", lambda a: a[:, :2].copy(), "do not match the parameters of the blend"),
        ("weight_", lambda a: a.astype(np.float32), "weight_ in the file is invalid"),
        ("user_support_", lambda a: a[:-1], "user_support_ in the file is invalid"),
    ],
)
def test_invalid_blend_arrays_raise(nested_bytes, tmp_path, name, change, words):
    path = tmp_path / "arrays"
    header, _ = parts(nested_bytes)
    old = None
    if name in header:
        from safetensors import safe_open

        path.write_bytes(nested_bytes)
        with safe_open(path, "np") as file:
            old = file.get_tensor(name)
    data = with_arrays(path, nested_bytes, **{name: change(old)})
    assert words in rejected(path, data).message


def test_declared_nested_sizes_are_not_trusted(nested_bytes, tmp_path):
    header, rest = parts(nested_bytes)
    header["members_.0.user_bias_"]["shape"] = [2**40]
    rejected(tmp_path / "sizes", whole(header, rest))


def test_unsavable_nested_model_raises(ratings, tmp_path):
    with pytest.raises(NotSupportedError, match="a Watched cannot be saved"):
        save(Blend(models=[Watched(), "Bias"], folds=2).fit(ratings), tmp_path / "no.foretaste")
    assert not (tmp_path / "no.foretaste").exists()


# Comparing and the command line --------------------------------------------------------------------------


def test_compared_blend_is_the_same_with_memory_measured(ratings):
    models = [Blend(models=["Bias", SVD(factors=2, epochs=3)], folds=2), "UserMean"]
    measured = compare(ratings, models, split=KFold(2), measure_memory=True)
    plain = compare(ratings, models, split=KFold(2))
    rows = {row["model"]: row for row in measured.rows}
    assert rows["Blend"]["rmse"] == next(row["rmse"] for row in plain.rows if row["model"] == "Blend")
    assert rows["Blend"]["params"]["models"][0] == "Bias"
    assert rows["Blend"]["params"]["models"][1]["params"]["factors"] == 2
    json.dumps(measured.to_dict(), allow_nan=False)


def run(*words):
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_command_line_fits_shows_and_compares_blends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    foretaste.load_dataset("sample")
    run("fit", "Blend", "sample", "-o", "b.foretaste", "--models", "bias,user-item-mean", "--folds", 3, "-q")
    model = load("b.foretaste")
    assert model.models == ["Bias", "UserItemMean"]
    assert model.folds == 3
    shown = json.loads(run("show", "b.foretaste", "--json"))["data"]
    assert shown["params"]["models"] == ["Bias", "UserItemMean"]
    save(
        Blend(models=[SVD(factors=2, epochs=2), "Bias"], folds=2).fit(foretaste.load_dataset("sample")),
        "c.foretaste",
    )
    shown = json.loads(run("show", "c.foretaste", "--json"))["data"]
    assert shown["params"]["models"][0] == {"model": "SVD", "params": SVD(factors=2, epochs=2).get_params()}
    assert json.loads(run("evaluate", "c.foretaste", "sample", "--json"))["data"]["params"] == shown["params"]
    words = (
        "compare",
        "sample",
        "--models",
        "Blend,Bias",
        "--no-memory",
        "--save-best",
        "best.foretaste",
        "--json",
    )
    found = json.loads(run(*words))["data"]
    assert found["results"][0]["model"] == "Blend"
    assert found["results"][0]["params"]["models"] == Blend().models
    assert load("best.foretaste").models == Blend().models


def test_command_line_names_an_unknown_nested_model():
    words = ["fit", "Blend", "sample", "-o", "no.foretaste", "--models", "Bais"]
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 4
    assert 'no model "Bais"; did you mean "Bias"?' in result.output
