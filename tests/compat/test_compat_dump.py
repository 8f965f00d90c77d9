"""Dumps: algorithms and predictions round-trip, no code is executed, hostile files are refused."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from foretaste.compat.surprise import AlgoBase, Dataset, Prediction, Reader, dump, prediction_algorithms
from foretaste.errors import ForetasteError, ModelFileError

BUILT_IN = {
    "NormalPredictor": {},
    "BaselineOnly": {"bsl_options": {"method": "sgd", "n_epochs": 3}, "verbose": False},
    "KNNBasic": {"k": 7, "sim_options": {"user_based": False}, "verbose": False},
    "KNNWithMeans": {"verbose": False}, "KNNWithZScore": {"min_k": 2, "verbose": False},
    "KNNBaseline": {"sim_options": {"name": "pearson_baseline"}, "verbose": False},
    "SVD": {"n_factors": 3, "n_epochs": 2, "lr_all": 0.01}, "SVDpp": {"n_factors": 3, "n_epochs": 2},
    "NMF": {"n_factors": 3, "n_epochs": 2}, "SlopeOne": {}, "CoClustering": {"n_epochs": 2, "n_cltr_u": 2},
}  # fmt: skip


@pytest.fixture
def trainset(raw_ratings):
    return Dataset(Reader()).construct_trainset(raw_ratings)


@pytest.fixture(params=BUILT_IN)
def algo(request, trainset):
    made = getattr(prediction_algorithms, request.param)(**BUILT_IN[request.param])
    return made.fit(trainset)


def assert_same_predictions(algo, other, trainset):
    pairs = [*trainset.build_testset(), ("new", "i1", None), ("u1", "new", None), ("new", "new", 3.0)]
    for one in (algo, other):
        np.random.seed(0)
        one.answers = one.test(pairs)
    assert algo.answers == other.answers
    assert type(other) is type(algo)


def test_fitted_algorithm_and_predictions_round_trip(algo, trainset, tmp_path):
    predictions = algo.test(trainset.build_testset()[:9])
    dump.dump(tmp_path / "file", predictions, algo)
    dump_path, other = dump.load(tmp_path / "file")
    assert dump_path == predictions
    assert all(type(one) is Prediction for one in dump_path)
    assert_same_predictions(algo, other, trainset)
    for name, value in vars(algo).items():
        if not name.startswith("_") and isinstance(value, (int, float, dict)):
            assert getattr(other, name) == value, name
    for side in ("ur", "ir"):
        assert getattr(other.trainset, side) == getattr(trainset, side)
    assert other.trainset.rating_scale == (1, 5)
    assert other.fit(trainset) is other


@pytest.mark.parametrize("name", BUILT_IN)
def test_unfitted_algorithm_round_trips(name, trainset, tmp_path):
    made = getattr(prediction_algorithms, name)(**BUILT_IN[name])
    dump.dump(tmp_path / "file", algo=made)
    predictions, other = dump.load(tmp_path / "file")
    assert predictions is None
    assert type(other) is type(made)
    assert not hasattr(other, "trainset")
    for one in (made, other):
        np.random.seed(1)
        one.fit(trainset)
    assert_same_predictions(made, other, trainset)


def test_random_generator_state_round_trips(trainset, tmp_path):
    made = prediction_algorithms.SVD(n_factors=2, n_epochs=1, random_state=np.random.RandomState(3)).fit(
        trainset
    )
    dump.dump(tmp_path / "file", algo=made)
    _, other = dump.load(tmp_path / "file")
    assert (made.fit(trainset).pu == other.fit(trainset).pu).all()


def test_file_is_small_and_deterministic(trainset, tmp_path):
    made = prediction_algorithms.KNNBasic(verbose=False).fit(trainset)
    for name in ("one", "two"):
        dump.dump(tmp_path / name, algo=made)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


ids = st.one_of(
    st.text(max_size=5), st.integers(-(2**70), 2**70), st.floats(allow_nan=False), st.none(), st.booleans()
)
values = st.one_of(st.floats(allow_nan=False), st.integers(-9, 9))
details = st.dictionaries(
    st.text(max_size=3), st.one_of(ids, st.lists(st.integers(), max_size=2)), max_size=2
)


@given(st.lists(st.builds(Prediction, ids, ids, st.one_of(st.none(), values), values, details), max_size=5))
def test_predictions_alone_round_trip(tmp_path_factory, predictions):
    path = tmp_path_factory.mktemp("dump") / "file"
    dump.dump(path, predictions)
    dump_path, algo = dump.load(path)
    assert dump_path == predictions
    assert algo is None


def test_empty_dump_and_verbose_output(tmp_path, capsys):
    dump.dump(str(tmp_path / "file"), verbose=1)
    assert capsys.readouterr().out == f"The dump has been saved as file {tmp_path / 'file'}\n"
    assert dump.load(tmp_path / "file") == (None, None)


# What is not stored ----------------------------------------------------------------------------------------


class CustomAlgo(AlgoBase):
    def estimate(self, u, i):
        return 3


def test_custom_class_raises_with_an_alternative(trainset, tmp_path):
    for made in (CustomAlgo(), type("SVD", (prediction_algorithms.SVD,), {})()):
        with pytest.raises(NotImplementedError, match=r"dump\.dump\(file_name, predictions\)"):
            dump.dump(tmp_path / "file", None, made.fit(trainset))
    assert not (tmp_path / "file").exists()


def test_unsupported_attribute_is_named(trainset, tmp_path):
    made = prediction_algorithms.SlopeOne().fit(trainset)
    made.note = "mine"
    with pytest.raises(ForetasteError, match=r"SlopeOne\.note is a custom attribute"):
        dump.dump(tmp_path / "file", None, made)
    with pytest.raises(ForetasteError, match=r"predictions\[0\]\.uid is \(1, 2\)"):
        dump.dump(tmp_path / "file", [Prediction((1, 2), "i", None, 1.0, {})])
    assert not (tmp_path / "file").exists()


# Files of others -------------------------------------------------------------------------------------------


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was executed",))


def test_pickle_is_refused_unread(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"predictions": Bomb(), "algo": None}, protocol=pickle.HIGHEST_PROTOCOL))
    with pytest.raises(
        ModelFileError, match=r"is a pickle, as scikit-surprise writes(.|\n)*algo\.fit\(trainset\)"
    ):
        dump.load(path)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\0" * 100, b"\xff" * 8 + b"{"])
def test_foreign_file_raises(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ModelFileError, match="damaged or no dump"):
        dump.load(tmp_path / "file")


def test_missing_file_raises(tmp_path):
    with pytest.raises(LookupError, match="there is no file"):
        dump.load(tmp_path / "file")


def rewrite_dump(path, header=None, arrays=None):
    """Write a dump again with another header or other arrays."""
    from safetensors import safe_open

    with safe_open(path, framework="np") as file:
        dump_path = json.loads(file.metadata()["foretaste-surprise"])
    old = load_file(path)
    for key, value in (arrays or {}).items():
        old.pop(key, None)
        if value is not None:
            old[key] = value
    save_file(old, path, metadata={"foretaste-surprise": json.dumps(dump_path | (header or {}))})


@pytest.fixture
def dump_path(trainset, tmp_path):
    made = prediction_algorithms.SVD(n_factors=3, n_epochs=1).fit(trainset)
    dump.dump(tmp_path / "file", made.test(trainset.build_testset()[:3]), made)
    return tmp_path / "file"


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"format": 2}, "this version reads format 1"),
        ({"format": "1"}, "header is not that of a dump"),
        ({"more": 1}, "header is not that of a dump"),
        ({"algo": "AlgoBase"}, "there is no algorithm 'AlgoBase'"),
        ({"algo": "__class__"}, "there is no algorithm"),
        ({"params": {}}, "its parameters are not those of SVD"),
        ({"fitted": False}, "something more in it"),
    ],
)
def test_inconsistent_header_raises(dump_path, header, words):
    rewrite_dump(dump_path, header)
    with pytest.raises(ModelFileError, match=words):
        dump.load(dump_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_factors", 10**12), ("n_factors", 4), ("n_factors", "3"), ("n_epochs", 10**15), ("n_epochs", None),
        ("random_state", {"RandomState": ["MT19937", [1], 0, 0, 0.0]}), ("random_state", {"os": 1}),
        ("estimate", 3), ("trainset", 3), ("__class__", 3),
    ],
)  # fmt: skip
def test_invalid_parameters_raise(dump_path, name, value):
    from safetensors import safe_open

    with safe_open(dump_path, framework="np") as file:
        params = json.loads(file.metadata()["foretaste-surprise"])["params"]
    rewrite_dump(dump_path, {"params": params | {name: value}})
    with pytest.raises(ModelFileError):
        dump.load(dump_path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("learned.pu", lambda a: None),
        ("learned.pu", lambda a: a[1:].copy()),
        ("learned.pu", lambda a: a.astype(np.float32)),
        ("learned.bu", lambda a: a[:, None].copy()),
        ("learned.more", lambda a: np.zeros(1)),
        ("trainset.by_user.users", lambda a: a + 1),
        ("trainset.by_user.users", lambda a: a[::-1].copy()),
        ("trainset.by_user.items", lambda a: a * 0),
        ("trainset.by_user.values", lambda a: a[1:].copy()),
        ("trainset.by_item.values", lambda a: a + 1),
        ("trainset.by_item.users", lambda a: a.astype(np.int64)),
        ("trainset.by_item.items", lambda a: a - 1),
        ("trainset.raw_users", lambda a: a[:-1].copy()),
        ("trainset.raw_users", lambda a: np.frombuffer(b'["a", "a"]', np.uint8)),
        ("trainset.raw_users", lambda a: np.frombuffer(b"[" * 99999, np.uint8)),
        ("trainset.raw_items", lambda a: np.frombuffer(b"[[1]]", np.uint8)),
        ("trainset.rating_scale", lambda a: np.frombuffer(b"[5, 1]", np.uint8)),
        ("trainset.rating_scale", lambda a: np.frombuffer(b'["a", "b"]', np.uint8)),
        ("predictions", lambda a: np.frombuffer(b"[[1, 2, 3, 4]]", np.uint8)),
        ("predictions", lambda a: np.frombuffer(b'[[1, 2, "x", 4, {}]]', np.uint8)),
        ("predictions", lambda a: np.frombuffer(b"{}", np.uint8)),
        ("predictions", lambda a: np.zeros(3)),
    ],
)  # fmt: skip
def test_inconsistent_arrays_raise(dump_path, name, change):
    rewrite_dump(dump_path, arrays={name: change(load_file(dump_path).get(name))})
    with pytest.raises(ModelFileError):
        dump.load(dump_path)


def test_cluster_indices_are_validated(trainset, tmp_path):
    made = prediction_algorithms.CoClustering(n_epochs=1).fit(trainset)
    dump.dump(tmp_path / "file", algo=made)
    place = load_file(tmp_path / "file")["learned.cltr_u"]
    rewrite_dump(tmp_path / "file", arrays={"learned.cltr_u": place + 99})
    with pytest.raises(ModelFileError, match=r"learned\.cltr_u holds a place"):
        dump.load(tmp_path / "file")


@settings(max_examples=40)
@given(st.data())
def test_corrupt_file_raises_or_loads(tmp_path_factory, raw_ratings, data):
    path = tmp_path_factory.mktemp("dump") / "file"
    made = prediction_algorithms.SVD(n_factors=1, n_epochs=1)
    dump.dump(path, [], made.fit(Dataset(Reader()).construct_trainset(raw_ratings[:5])))
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(len(content) // 2, len(content)))])
    try:
        _, algo = dump.load(path)
    except ModelFileError:
        return
    if algo is not None and hasattr(algo, "trainset"):
        algo.test(algo.trainset.build_testset())
