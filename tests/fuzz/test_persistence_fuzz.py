"""Fuzzed model files: a clear error or a working model, never anything else."""

from __future__ import annotations

import json
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import parts, rejected, whole, with_ours

from foretaste.errors import ModelFileError
from foretaste.models import MODELS
from foretaste.persistence import inspect, load


def refuses_or_loads(path, data: bytes) -> bool:
    """Load a possibly corrupt file: it must raise, or give a working model."""
    path.write_bytes(data)
    try:
        inspect(path)
        model = load(path)
    except ModelFileError:
        return False
    assert type(model) in MODELS.values()
    value = model.predict(
        [(model.users_.ids[0], model.items_.ids[0]), (model.users_.ids[-1], model.items_.ids[-1])]
    )
    assert value.shape == (2,)
    return True


KINDS = st.sampled_from(["numbers", "texts", "factors", "blend"])


@settings(max_examples=1000)
@given(
    KINDS, st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=4)
)
def test_flipped_bits_raise_or_load(folder, model_bytes, kind, flips):
    data = bytearray(model_bytes[kind])
    for place, bit in flips:
        data[int(place * len(data))] ^= 1 << bit
    refuses_or_loads(folder / "fuzz", bytes(data))


@settings(max_examples=1000)
@given(KINDS, st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4))
def test_overwritten_header_bytes_raise_or_load(folder, model_bytes, kind, place, noise):
    data = bytearray(model_bytes[kind])
    start = int(place * (8 + struct.unpack("<Q", model_bytes[kind][:8])[0]))
    data[start : start + len(noise)] = noise
    refuses_or_loads(folder / "fuzz", bytes(data))


@settings(max_examples=500)
@given(KINDS, st.floats(0, 1, exclude_max=True))
def test_any_truncation_raises(folder, model_bytes, kind, place):
    rejected(folder / "cut", model_bytes[kind][: int(place * len(model_bytes[kind]))])


@settings(max_examples=200)
@given(KINDS, st.binary(min_size=1, max_size=30))
def test_trailing_bytes_raise(folder, model_bytes, kind, more):
    rejected(folder / "longer", model_bytes[kind] + more)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
BLOCK = st.fixed_dictionaries({"version": st.integers(0, 2) | JSON, "required": st.booleans() | JSON}) | JSON
HEADERS = JSON | st.fixed_dictionaries(
    {
        "format": st.sampled_from([1, 2]) | JSON,
        "library": st.just("0.1.0") | JSON,
        "model": st.sampled_from([*MODELS, "Model", ""]) | JSON,
        "params": st.dictionaries(
            st.sampled_from(["clip", "seed", "epochs", "user_damping", "models", ""]), JSON
        )
        | JSON,
        "learned": st.dictionaries(
            st.sampled_from(["mean_", "low_", "n_ratings_", "users_", "members_"]), JSON
        )
        | JSON,
        "blocks": st.dictionaries(st.sampled_from(["state", "index", ""]), BLOCK) | JSON,
    }
)


@settings(max_examples=500)
@given(KINDS, HEADERS)
def test_arbitrary_json_header_raises_or_loads(folder, model_bytes, kind, ours):
    refuses_or_loads(folder / "fuzz", with_ours(model_bytes[kind], lambda _: json.dumps(ours)))


@settings(max_examples=600)
@given(KINDS, st.sampled_from(["format", "model", "params", "learned", "blocks"]), st.data())
def test_one_replaced_header_field_raises_or_loads(folder, model_bytes, kind, field, data):
    def change(ours):
        place, key = ours, field
        if field in ("params", "learned", "blocks") and data.draw(st.booleans()):
            place, key = ours[field], data.draw(st.sampled_from(sorted(ours[field])))
        place[key] = data.draw(JSON)

    refuses_or_loads(folder / "fuzz", with_ours(model_bytes[kind], change))


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(["users_", "user_bias_", "__metadata__", "x"]), JSON, max_size=3))
def test_arbitrary_safetensors_header_raises_or_loads(folder, model_bytes, header):
    known, rest = parts(model_bytes["numbers"])
    refuses_or_loads(folder / "fuzz", whole(header, rest))
    refuses_or_loads(folder / "fuzz", whole(known | header, rest))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise(folder, data):
    rejected(folder / "any", data)
