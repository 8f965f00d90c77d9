"""Fuzzing: model files, corrupted as bytes and as JSON."""

from __future__ import annotations

import functools
import json
import struct
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import corrupt_texts as texts
import numpy as np
from model_files import parts, whole

from foretaste.models import MODELS
from foretaste.persistence import save
from foretaste.ratings import Ratings


@functools.cache
def models() -> tuple[bytes, ...]:
    """Return a small file of every model, and one with text ids."""
    user, item = np.divmod(np.random.default_rng(0).choice(80, 50, replace=False), 8)
    when = 1_600_000_000 + 5000 * np.arange(50)
    ratings = Ratings.from_columns(3 * user + 1, 2 * item + 5, (user + item) % 5 + 1, timestamp=when)
    named = Ratings.from_columns([f"ü{u}" for u in user], [f"i{i}" for i in item], ratings.value)
    small = {"factors": 2, "epochs": 2}
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for place, (name, kind) in enumerate([*MODELS.items(), ("Bias", MODELS["Bias"])]):
            params = {key: value for key, value in small.items() if key in kind.param_specs()}
            path = Path(folder) / name
            save(kind(**params).fit(named if place == len(MODELS) else ratings), path)
            made.append(path.read_bytes())
    return tuple(made)


def with_learned(data: bytes, name: str, value: object) -> bytes:
    """Return a model file with one fitted scalar replaced."""
    header, rest = parts(data)
    ours = json.loads(header["__metadata__"]["foretaste"])
    ours["learned"][name] = value
    header["__metadata__"]["foretaste"] = json.dumps(ours)
    return whole(header, rest)


def make_model(rng: Random) -> tuple[bytes, dict[str, Any], str]:
    """Return a spoilt model file."""
    data = rng.choice(models())
    what = rng.random()
    if what < 0.4:
        data = texts.spoilt(rng, data, texts.BYTES, 2)
    elif what < 0.6:
        end = 8 + struct.unpack("<Q", data[:8])[0]
        head = texts.spoilt(rng, data[8:end], texts.BYTES, 2)
        size = len(head) if rng.random() < 0.9 else rng.choice([0, 1, 2**31, 2**63, len(data)])
        data = struct.pack("<Q", size) + head + data[end:]
    else:
        header, rest = parts(data)
        if rng.random() < 0.3:
            header = _other_json(rng, header)
        else:
            ours = _other_json(rng, json.loads(header["__metadata__"]["foretaste"]))
            header["__metadata__"]["foretaste"] = json.dumps(ours)
        data = whole(header, rest if rng.random() < 0.9 else texts.spoilt(rng, rest, texts.BYTES, 1))
    return data, {}, "model.foretaste"


_JSON: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 0.5, 1e308, -1e308, float("nan"), float("inf"), 2**31, 2**63,
    2**70, 10**400, "",
    "x", "x" * 5000, "0.1.0", "Bias", "SVD", "F32", "I64", "BOOL", [], {}, [0, 8], [8, 0], [0,
    2**63], [[[]]], {"x": {}},
)  # fmt: skip


def _other_json(rng: Random, value: Any) -> Any:
    """Return JSON with one place in it replaced, removed, added or copied from another."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key, what = rng.choice(list(value)), rng.random()
        if what < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.2:
            return value | {
                rng.choice(["x", "", "format", "users_", "items_", "mean_", "seed"]): rng.choice(_JSON)
            }
        if what < 0.3:
            return value | {key: rng.choice(list(value.values()))}
        return value | {key: _other_json(rng, value[key])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        place = rng.randrange(len(value))
        return [*value[:place], _other_json(rng, value[place]), *value[place + 1 :]]
    return rng.choice(_JSON)
