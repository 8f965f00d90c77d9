"""Model files: exact round trips, and clear errors for anything invalid."""

from __future__ import annotations

import pickle
import struct
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import parts, rejected, whole, with_arrays, with_ours
from safetensors.numpy import save_file

from foretaste import persistence
from foretaste.errors import ModelFileError, NotFittedError, NotFoundError, NotSupportedError
from foretaste.models import ALS, Bias, GlobalMean, NormalRandom, UserMean
from foretaste.params import estimator, fitted_attribute
from foretaste.persistence import inspect, load, save
from foretaste.ratings import Ratings

# What a file is ------------------------------------------------------------------------------------------


def test_inspect_returns_the_header(folder, model_bytes, ratings):
    found = inspect(folder / "numbers.foretaste")
    assert found["format"] == 2
    assert found["model"] == "Bias"
    assert found["params"] == Bias(user_damping=3).get_params()
    assert found["learned"]["n_ratings_"] == 900
    assert found["shapes"]["users_"] == (len(ratings.users),)
    assert found["shapes"]["user_bias_"] == (len(ratings.users),)
    assert inspect(folder / "texts.foretaste")["shapes"]["items_.offsets"] == (len(ratings.items) + 1,)


def test_saving_is_deterministic(folder, model_bytes, ratings):
    save(Bias(user_damping=3).fit(ratings), folder / "again.foretaste")
    assert (folder / "again.foretaste").read_bytes() == model_bytes["numbers"]


def test_unusual_ids_round_trip(folder):
    ids = ["", " ", "007", "7", "a\0b", "é", "e\u0301", "😀", "\uffff", "x" * 5000]
    ratings = Ratings.from_columns(ids, [-(2**63), *range(8), 2**63 - 1], np.arange(10))
    model = UserMean().fit(ratings)
    save(model, folder / "ids.foretaste")
    back = load(folder / "ids.foretaste")
    assert back.users_.ids.tolist() == sorted(ids)
    assert back.items_.ids.tolist() == [-(2**63), *range(8), 2**63 - 1]
    np.testing.assert_array_equal(back.predict(ratings), model.predict(ratings))


@given(st.floats(-(2.0**100), 2.0**100, allow_subnormal=True))
@settings(max_examples=200)
def test_scalars_round_trip_exactly(folder, number):
    model = GlobalMean().fit(Ratings.from_columns([1], [1], [1]))
    model.mean_ = number
    save(model, folder / "number.foretaste")
    back = load(folder / "number.foretaste").mean_
    assert struct.pack("<d", back) == struct.pack("<d", number)


def test_arrays_of_any_layout_round_trip(folder, model_bytes, ratings):
    model = Bias().fit(ratings)
    model.user_bias_ = np.repeat(model.user_bias_, 2)[::2]
    model.item_bias_ = np.asfortranarray(model.item_bias_)[::-1]
    save(model, folder / "layout.foretaste")
    back = load(folder / "layout.foretaste")
    np.testing.assert_array_equal(back.user_bias_, model.user_bias_)
    np.testing.assert_array_equal(back.item_bias_, model.item_bias_)


def test_numpy_scalar_parameters_round_trip(folder, ratings):
    save(Bias(user_damping=np.float64(0.1), epochs=np.int32(7)).fit(ratings), folder / "p.foretaste")
    assert load(folder / "p.foretaste").get_params() == Bias(user_damping=0.1, epochs=7).get_params()


def test_missing_parameters_get_their_defaults(folder, model_bytes):
    def forget(ours):
        del ours["params"]["epochs"]

    (folder / "older.foretaste").write_bytes(with_ours(model_bytes["numbers"], forget))
    assert load(folder / "older.foretaste").epochs == Bias().epochs


def test_interrupted_save_keeps_the_old_file(folder, model_bytes, ratings, monkeypatch):
    path = folder / "kept.foretaste"
    path.write_bytes(model_bytes["numbers"])
    before = sorted(folder.iterdir())

    def stop(arrays, partial, metadata):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.numpy.save_file", stop)
    with pytest.raises(KeyboardInterrupt):
        save(GlobalMean().fit(ratings), path)
    assert path.read_bytes() == model_bytes["numbers"]
    assert sorted(folder.iterdir()) == before


def test_unsavable_objects_raise(folder, ratings):
    with pytest.raises(NotFittedError, match="has not been fitted"):
        save(GlobalMean(), folder / "no.foretaste")

    class Own(GlobalMean):
        pass

    with pytest.raises(NotSupportedError, match="a Own cannot be saved"):
        save(Own().fit(ratings), folder / "no.foretaste")
    for wrong in (np.float64(1), float("nan"), None, [1.0]):
        model = GlobalMean().fit(ratings)
        model.mean_ = wrong
        with pytest.raises(NotSupportedError, match=r"GlobalMean\.mean_ is "):
            save(model, folder / "no.foretaste")
    assert not (folder / "no.foretaste").exists()


# What is wrong with a file -------------------------------------------------------------------------------


def test_missing_file_raises(folder, model_bytes):
    for ask in (load, inspect):
        with pytest.raises(NotFoundError, match="there is no file") as missing:
            ask(folder / "number.foretaste2")
        assert missing.value.hint
    with pytest.raises(NotFoundError, match=r'did you mean "numbers\.foretaste"'):
        load(folder / "numbrs.foretaste")
    with pytest.raises(NotFoundError):
        load(folder / "no" / "such" / "folder")
    with pytest.raises(NotFoundError):
        load("a\0b")


def test_folder_raises(folder):
    with pytest.raises(ModelFileError, match="is not a file"):
        load(folder)


@pytest.mark.parametrize(
    "data",
    [b"", b"\0", b"user,item,rating\n1,2,3\n", b"\x89PNG\r\n" + bytes(100), bytes(4096),
     b"\xff" * 64, struct.pack("<Q", 2**63) + b"{}",
     struct.pack("<Q", 2) + b"{}", struct.pack("<Q", 2) + b"[]",
     pickle.dumps({"a": 1}), b"PK\x03\x04" + bytes(60), struct.pack("<Q", 90_000_000) + b'{"a'],
)  # fmt: skip
def test_foreign_files_raise(folder, data):
    rejected(folder / "foreign", data)


def test_other_safetensors_file_raises(folder):
    save_file({"a": np.zeros(3)}, folder / "other.safetensors")
    with pytest.raises(ModelFileError, match="is a safetensors file, but no foretaste model"):
        load(folder / "other.safetensors")


def test_newer_format_suggests_an_upgrade(folder, model_bytes):
    def newer(ours):
        return {"format": 3, "library": "3.1.4", "anything": ["else"]}

    error = rejected(folder / "newer", with_ours(model_bytes["numbers"], newer))
    assert "has format 3, written by foretaste 3.1.4" in error.message
    assert error.hint == "pip install --upgrade foretaste"


def with_block(data, required=False):
    """Return a file whose header lists a block that this version does not know."""
    block = {"version": 1, "required": required}
    return with_ours(data, lambda ours: ours["blocks"].update({"index": block}))


def test_an_unknown_optional_block_is_ignored_with_a_log_line(folder, model_bytes, caplog):
    path = folder / "block"
    data = with_block(model_bytes["numbers"])
    arrays = {"index/vectors": np.ones((3, 2), np.float32), "index/ids": np.arange(3)}
    path.write_bytes(with_arrays(path, data, **arrays))
    (folder / "plain").write_bytes(model_bytes["numbers"])
    for memory_map in (False, True):
        caplog.clear()
        again = load(path, memory_map=memory_map)
        assert "has block 'index' version 1, which this version does not read; it is ignored" in caplog.text
        np.testing.assert_array_equal(again.predict_matrix(), load(folder / "plain").predict_matrix())
    assert inspect(path)["blocks"]["index"] == {"version": 1, "required": False}
    assert not [name for name in inspect(path)["shapes"] if name.startswith("index/")]


def test_an_unknown_required_block_is_refused(folder, model_bytes):
    error = rejected(folder / "block", with_block(model_bytes["numbers"], required=True))
    assert "needs block 'index' version 1" in error.message
    assert error.hint == "pip install --upgrade foretaste"


def test_a_newer_version_of_a_known_block_is_refused(folder, model_bytes):
    newer = with_ours(model_bytes["numbers"], set_in("blocks", "state", "version", 2))
    assert "needs block 'state' version 2" in rejected(folder / "block", newer).message


def test_tensors_of_a_block_that_is_not_listed_are_refused(folder, model_bytes):
    path = folder / "stray"
    data = with_arrays(path, model_bytes["numbers"], **{"index/vectors": np.ones(3)})
    assert "unexpected ['index/vectors']" in rejected(path, data).message


def test_names_of_0_1_0_are_not_read_from_files_of_today(folder, model_bytes, ratings):
    path = folder / "als"
    save(ALS(factors=2, epochs=1).fit(ratings), path)
    data = with_ours(
        path.read_bytes(), lambda ours: ours["params"].update(biases=ours["params"].pop("biased"))
    )
    assert "ALS has no parameter 'biases'" in rejected(path, data).message


def set_in(*keys):
    """Return a function that sets a value deep inside a header: the last of ``keys`` is the value."""

    def change(ours):
        place = ours
        for key in keys[:-2]:
            place = place[key]
        place[keys[-2]] = keys[-1]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_in("model", "Bais"), 'no model "Bais"; did you mean "Bias"'),
        (set_in("model", "os.system"), 'no model "os.system"'),
        (set_in("model", "Model"), 'no model "Model"'),
        (set_in("model", ["Bias"]), "its header is not that of a model"),
        (set_in("format", 0), "its header is not that of a model"),
        (set_in("format", True), "its header is not that of a model"),
        (set_in("format", 1.0), "its header is not that of a model"),
        (set_in("more", 1), "its header is not that of a model"),
        (set_in("params", []), "its header is not that of a model"),
        (set_in("blocks", []), "its header is not that of a model"),
        (set_in("blocks", {}), "its header is not that of a model"),
        (set_in("blocks", "state", 1), "its header is not that of a model"),
        (set_in("blocks", "state", "required", False), "its header is not that of a model"),
        (set_in("blocks", "state", "version", True), "its header is not that of a model"),
        (set_in("blocks", "state", "version", 0), "needs block 'state' version 0"),
        (lambda ours: ours.pop("blocks") and None, "its header is not that of a model"),
        (lambda ours: [ours], "its header is not that of a model"),
        (lambda ours: "null", "its header is not that of a model"),
        (lambda ours: "{", "its header cannot be read"),
        (lambda ours: "[" * 100_000, "its header cannot be read"),
        (lambda ours: '{"format": ' + "9" * 5000 + "}", "its header cannot be read"),
        (set_in("learned", "mean_", float("nan")), "NaN is no number"),
        (set_in("learned", "mean_", float("inf")), "Infinity is no number"),
        (set_in("params", "epochs", 0), "epochs=0 is not allowed"),
        (set_in("params", "epochs", 2.5), "epochs=2.5 is not allowed"),
        (set_in("params", "epochs", 10**400), "is not allowed"),
        (set_in("params", "user_damping", "3"), 'user_damping="3" is not allowed'),
        (set_in("params", "user_damping", [3]), "is not allowed"),
        (set_in("params", "clip", 1), "clip=1 is not allowed"),
        (set_in("params", "depth", 1), "Bias has no parameter 'depth'"),
        (set_in("params", "self", 1), "Bias has no parameter 'self'"),
        (set_in("learned", "mean_", "3"), "mean_ in the file is invalid"),
        (set_in("learned", "mean_", None), "mean_ in the file is neither a number nor a text"),
        (set_in("learned", "mean_", True), "mean_ in the file is neither"),
        (set_in("learned", "mean_", [1.0]), "mean_ in the file is neither"),
        (set_in("learned", "mean_", 1e39), "too large"),
        (set_in("learned", "mean_", 10**400), "too large"),
        (set_in("learned", "low_", 9.5), "cannot come from any ratings"),
        (set_in("learned", "n_ratings_", 0), "cannot come from any ratings"),
        (set_in("learned", "n_ratings_", 1.5), "not a whole number"),
        (set_in("learned", "fingerprint_", 1), "fingerprint_ in the file is invalid"),
        (set_in("learned", "user_bias_", 1.0), "user_bias_ stands in the file twice"),
        (set_in("learned", "users_", 1), "users_ stands in the file twice"),
        (set_in("learned", "extra_", 1), "unexpected ['extra_']"),
        (set_in("learned", "__class__", 1), "unexpected ['__class__']"),
        (lambda ours: ours["learned"].pop("mean_") and None, "missing ['mean_']"),
        (lambda ours: ours["learned"].pop("n_ratings_") and None, "not a whole number"),
    ],
)  # fmt: skip
def test_invalid_header_raises(folder, model_bytes, change, words):
    assert words in rejected(folder / "wrong", with_ours(model_bytes["numbers"], change)).message


def swapped(array):
    array = array.copy()
    array[[3, 4]] = array[[4, 3]]
    return array


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("users_", swapped, "users_ in the file is not sorted"),
        ("users_", lambda a: np.where(np.arange(len(a)) == 3, a[2], a), "holds an id twice"),
        ("users_", lambda a: a.astype(np.int32), "not one column of int64"),
        ("users_", lambda a: a.astype(np.uint64), "not one column of int64"),
        ("users_", lambda a: a[:, None], "not one column of int64"),
        ("users_", lambda a: a[:-1], "user_bias_ in the file is invalid"),
        ("users_", lambda a: a[:0], "is invalid: expected"),
        ("users_", lambda a: None, "users_ is missing"),
        ("user_bias_", lambda a: a[:-1], "user_bias_ in the file is invalid"),
        ("user_bias_", lambda a: a[:, None], "user_bias_ in the file is invalid"),
        (
            "user_bias_",
            lambda a: a.astype(np.float64),
            "user_bias_ in the file is invalid: expected float32",
        ),
        ("user_bias_", lambda a: a.astype(np.int32), "user_bias_ in the file is invalid"),
        ("user_bias_", lambda a: a > 0, "user_bias_ in the file is invalid"),
        ("user_bias_", lambda a: a * np.float32("nan"), "user_bias_ in the file is invalid"),
        ("user_bias_", lambda a: np.where(a == a[5], np.float32("inf"), a), "is invalid: expected"),
        ("user_bias_", lambda a: None, "missing ['user_bias_']"),
        ("mean_", lambda a: np.zeros(1), "mean_ stands in the file twice"),
        ("more_", lambda a: np.zeros(1), "unexpected ['more_']"),
    ],
)
def test_invalid_arrays_raise(folder, model_bytes, name, change, words):
    old = load(folder / "numbers.foretaste").get_state()
    old = old[name].ids if name == "users_" else old.get(name)
    data = with_arrays(folder / "arrays", model_bytes["numbers"], **{name: change(old)})
    assert words in rejected(folder / "arrays", data).message


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("users_.offsets", None, "users_ is missing"),
        ("users_.bytes", None, "users_ is missing"),
        ("users_.offsets", np.array([0, 5, 3, 6]), "offsets do not cover"),
        ("users_.offsets", np.array([0, 2**62]), "offsets do not cover"),
        ("users_.offsets", np.array([], np.int64), "offsets do not cover"),
        ("users_.offsets", np.array([0, 1], np.int32), "not made of bytes and offsets"),
        ("users_.bytes", np.zeros(3, np.int8), "not made of bytes and offsets"),
        ("users_.bytes", np.zeros((1, 3), np.uint8), "not made of bytes and offsets"),
    ],
)
def test_invalid_text_ids_raise(folder, model_bytes, name, array, words):
    data = with_arrays(folder / "texts", model_bytes["texts"], **{name: array})
    assert words in rejected(folder / "texts", data).message


def test_text_ids_of_invalid_utf8_raise(folder, model_bytes):
    raw = np.frombuffer(model_bytes["texts"], np.uint8).copy()
    place = model_bytes["texts"].index("ü1".encode())
    raw[place] = 0xFF
    assert "cannot be read as texts" in rejected(folder / "utf8", raw.tobytes()).message


def test_two_id_indices_of_one_entity_raise(folder, model_bytes):
    data = with_arrays(folder / "both", model_bytes["texts"], users_=np.arange(3))
    assert "cannot be used" in rejected(folder / "both", data).message


@pytest.mark.parametrize(
    "shape", [[2**40], [2**62, 4], [2**63], [2**64], [-1], [0, 2**62], [2**32] * 4, "x", None]
)
@pytest.mark.parametrize("dtype", ["F32", "F64", "BF16", "F8_E4M3", "C64", "I64", "Q7", "BOOL"])
def test_declared_sizes_are_not_trusted(folder, model_bytes, shape, dtype):
    header, rest = parts(model_bytes["numbers"])
    header["user_bias_"] |= {"shape": shape, "dtype": dtype}
    rejected(folder / "sizes", whole(header, rest))
    header["user_bias_"]["data_offsets"] = [0, 2**62]
    rejected(folder / "sizes", whole(header, rest))


def test_hostile_file_is_refused_quickly(folder):
    start = time.perf_counter()
    for size in (2**20, 99_000_000, 2**40):
        rejected(folder / "bomb", struct.pack("<Q", size) + b"[" * 2**20)
    assert time.perf_counter() - start < 5


def test_only_known_models_are_instantiated(folder, model_bytes, monkeypatch):
    """Only the registry decides which classes load; a file cannot."""

    @estimator
    class Stranger(UserMean):
        more_: float = fitted_attribute()

    path = folder / "stranger"
    path.write_bytes(with_ours(model_bytes["numbers"], set_in("model", "Stranger")))
    with pytest.raises(ModelFileError, match='no model "Stranger"'):
        load(path)
    monkeypatch.setitem(persistence.MODELS, "Stranger", Stranger)
    with pytest.raises(ModelFileError, match="Stranger has no parameter"):
        load(path)


def test_a_loaded_model_can_be_saved_again(folder, ratings):
    save(NormalRandom(seed=3).fit(ratings), folder / "one.foretaste")
    save(load(folder / "one.foretaste"), folder / "two.foretaste")
    assert (folder / "one.foretaste").read_bytes() == (folder / "two.foretaste").read_bytes()
