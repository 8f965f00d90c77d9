"""Disassembles and corrupts model files for the persistence tests."""

from __future__ import annotations

import json
import struct

import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from foretaste.errors import ModelFileError
from foretaste.persistence import load


def parts(data: bytes) -> tuple[dict, bytes]:
    """Return the header of a safetensors file and the bytes behind it."""
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def whole(header: object, rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def with_ours(data: bytes, change) -> bytes:
    """Return a file whose own JSON header was changed by a function."""
    header, rest = parts(data)
    ours = json.loads(header["__metadata__"]["foretaste"])
    ours = change(ours) or ours
    header["__metadata__"]["foretaste"] = ours if isinstance(ours, str) else json.dumps(ours)
    return whole(header, rest)


def rejected(path, data: bytes) -> ModelFileError:
    path.write_bytes(data)
    with pytest.raises(ModelFileError) as refused:
        load(path)
    assert str(path) in refused.value.message
    assert refused.value.hint
    assert len(str(refused.value)) < 1000
    return refused.value


def with_arrays(path, data: bytes, **changes) -> bytes:
    """Return a file with some arrays replaced, or left out where None."""
    path.write_bytes(data)
    with safe_open(path, "np") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        told = file.metadata()
    arrays = {name: array for name, array in (arrays | changes).items() if array is not None}
    save_file(arrays, path, metadata=told)
    return path.read_bytes()
