"""Save and load fitted models, exact to the bit.

A model file is a safetensors file. Fitted arrays are its tensors; an id map is one int64 tensor, or two for
text (UTF-8 bytes and offsets). The metadata entry ``foretaste`` is a JSON object with the format, the library
version, the model's name and parameters, the fitted numbers and the blocks of the file (see
``models.file_format``). The nested model k has its arrays under ``members_.k.`` and its numbers in a list; id
maps are those of the outer model. Nothing in a file is executed, and classes are looked up in
``models.MODELS`` alone; the weights of a network are arrays named by the attribute that holds them.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.files import atomic_write
from foretaste._utils.text_arrays import pack_texts, unpack_texts
from foretaste.errors import (
    ForetasteError,
    InvalidParameterError,
    MissingDependencyError,
    ModelFileError,
    NotFoundError,
    NotSupportedError,
)
from foretaste.ids import IdIndex
from foretaste.models import MODELS, Model
from foretaste.models.file_format import (
    FIT_HINT,
    FORMAT,
    HEADER_KEY,
    STATE_BLOCKS,
    parse_header,
    select_state,
)
from foretaste.models.spec import clone_members, from_spec, params_as_json
from foretaste.typing import ArrayDict

_MAX_VALUE = float(np.finfo(np.float32).max)  # ratings are float32: no fitted number is larger
_SHARED_IDS = ("users_", "items_")  # nested models have those of the outer model
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"
}  # fmt: skip

PathLike = str | os.PathLike[str]


def save(model: Model, path: PathLike) -> None:
    """Write a fitted model to a file; an existing file is replaced atomically.

    The same model gives the same bytes.

    Parameters
    ----------
    model : Model
    path : str or path

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    NotSupportedError
        If the model is not one of ``foretaste.models.MODELS``, or has values that a file cannot store.
    NotFoundError, InvalidParameterError
        If the path cannot be written.
    """
    from safetensors.numpy import save_file

    name = type(model).__name__
    arrays, numbers = _serialize_model(model, "")
    params = {key: _check_json_param(f"{name}: {key}", value) for key, value in params_as_json(model).items()}
    header = {
        "format": FORMAT,
        "library": library_version(),
        "model": name,
        "params": params,
        "learned": numbers,
        "blocks": STATE_BLOCKS,
    }
    with atomic_write(path) as partial:
        save_file(arrays, partial, metadata={HEADER_KEY: json.dumps(header, allow_nan=False)})


def load(path: PathLike, *, memory_map: bool = False, **callables: Any) -> Model:
    """Read a fitted model from a file.

    Parameters
    ----------
    path : str or path
    memory_map : bool
        Map the fitted arrays read-only from the file, shared between processes, instead of copying them. The
        file must not be modified while the model is used; replacing it, as ``save`` does, is safe.
    **callables
        Custom functions and classes that the model was made with, by parameter name: ``module=MyNet``. A file
        stores only their names, which are never looked up.

    Returns
    -------
    Model
        Its predictions equal those of the saved model to the bit.

    Raises
    ------
    NotFoundError
        If there is no such file.
    ModelFileError
        If it is truncated, no model file, newer than this library, inconsistent, or was made with custom code
        that is not given.
    InvalidParameterError
        If custom code is given that it does not need.
    MissingDependencyError
        If the model needs a package that is not installed.
    """
    path = _check_exists(path)
    header, arrays = _read_file(path, with_arrays=not memory_map)
    unused = sorted(set(callables) - _callable_params(header["params"]))
    if unused:
        raise InvalidParameterError(
            f"{path} was not made with a {unused[0]} of your own", hint=f"load({str(path)!r})"
        )
    if memory_map:
        arrays = select_state(header, _memory_map_arrays(path))
    try:
        model = from_spec({"model": header["model"], "params": header["params"]}, code=callables)
        _restore_state(model, arrays, header["learned"], {})
    except MissingDependencyError:
        raise
    except ForetasteError as error:
        hint = error.hint if isinstance(error, ModelFileError) else None
        raise ModelFileError(f"{path} cannot be used: {error.message}", hint=hint or FIT_HINT) from error
    return model


def inspect(path: PathLike) -> dict[str, Any]:
    """Return the header of a model file, without loading the arrays.

    Returns
    -------
    dict
        ``format``, ``library`` (the version that wrote it), ``model``, ``params``, ``learned`` (numbers and
        texts, among them ``fingerprint_`` of the training ratings), ``blocks`` and ``shapes`` of arrays.

    Raises
    ------
    NotFoundError, ModelFileError
        As ``load``, as far as the header shows.
    """
    header, arrays = _read_file(_check_exists(path), with_arrays=False)
    return header | {"shapes": dict(sorted(arrays.items()))}


# Writing -----------------------------------------------------------------------------------------------


def _serialize_model(model: Model, prefix: str) -> tuple[ArrayDict, dict[str, Any]]:
    """Return the arrays of a model, named by ``prefix``, and its numbers; nested models have no id maps."""
    arrays: ArrayDict = {}
    numbers: dict[str, Any] = {}
    if MODELS.get(type(model).__name__) is not type(model):
        raise NotSupportedError(
            f"a {type(model).__name__} cannot be saved",
            hint="models that can: " + ", ".join(MODELS.names()),
        )
    for key, value in model.get_state().items():
        if isinstance(value, IdIndex):
            id_arrays = {} if prefix and key in _SHARED_IDS else _serialize_ids(key, value)
            arrays |= {prefix + name: array for name, array in id_arrays.items()}
        elif isinstance(value, np.ndarray):
            arrays[prefix + key] = np.ascontiguousarray(value)
        elif isinstance(value, dict):
            arrays |= {f"{prefix}{key}.{name}": np.ascontiguousarray(array) for name, array in value.items()}
        elif isinstance(value, list) and all(isinstance(element, Model) for element in value):
            serialized = [
                _serialize_model(member, f"{prefix}{key}.{position}.")
                for position, member in enumerate(value)
            ]
            arrays |= {name: array for nested, _ in serialized for name, array in nested.items()}
            numbers[key] = [nested for _, nested in serialized]
        else:
            numbers[key] = _check_json_value(f"{type(model).__name__}.{key}", value, (int, float, str))
    return arrays, numbers


def _serialize_ids(key: str, index: IdIndex) -> ArrayDict:
    if index.dtype == "int":
        return {key: np.ascontiguousarray(index.ids)}
    data, offsets = pack_texts(index.ids.tolist())
    return {f"{key}.bytes": data, f"{key}.offsets": offsets}


def _check_json_param(name: str, value: Any) -> Any:
    """Return a hyperparameter after checking it, also of nested models."""
    if isinstance(value, list):
        return [_check_json_param(name, element) for element in value]
    if isinstance(value, dict) and "code" in value:  # the name of a function or class
        return value
    if isinstance(value, dict):  # a nested model
        nested = {
            key: _check_json_param(f"{name}, {key}", element) for key, element in value["params"].items()
        }
        return value | {"params": nested}
    return _check_json_value(name, value)


def _check_json_value(
    name: str, value: Any, types: tuple[type, ...] = (bool, int, float, str, type(None))
) -> Any:
    """Return a value that JSON preserves exactly; a numpy number would be read as another type."""
    if type(value) not in types or (isinstance(value, float) and not math.isfinite(value)):
        raise NotSupportedError(
            f"{name} is {value!r} of type {type(value).__name__}, which a model file cannot store"
        )
    return value


def library_version() -> str:
    """Return the version of foretaste that files record; "unknown" in a source tree."""
    from importlib import metadata  # slow to import, needed for saving alone

    try:
        return metadata.version("foretaste")
    except metadata.PackageNotFoundError:  # run from a source tree
        return "unknown"


# Reading -----------------------------------------------------------------------------------------------


def _check_exists(path: PathLike) -> Path:
    path = Path(path)
    if not path.exists():
        siblings = [p.name for p in path.parent.glob("*.foretaste")] if path.parent.is_dir() else []
        raise NotFoundError(f"there is no file {path}", misspelled=(path.name, siblings), hint=FIT_HINT)
    if not path.is_file():
        raise ModelFileError(f"{path} is not a file", hint="give the file that foretaste fit or save() wrote")
    return path


def _read_file(path: Path, *, with_arrays: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the validated header, and the arrays or their shapes by name."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            header = parse_header(path, file.metadata())
            if with_arrays:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            else:
                tensors = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            return header, select_state(header, tensors)
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        if isinstance(error, ModelFileError):
            raise
        if not _has_safetensors_header(path):
            raise ModelFileError(f"{path} is no foretaste model", hint=FIT_HINT) from error
        raise ModelFileError(f"{path} is damaged or no foretaste model: {error}", hint=FIT_HINT) from error


def _memory_map_arrays(path: Path) -> ArrayDict:
    """Return the arrays of a file that ``_read_file`` has validated, as read-only memory maps."""
    with path.open("rb") as file:
        pages = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(pages[:8], "little")
    entries = json.loads(pages[8:start])
    entries.pop("__metadata__", None)
    arrays: ArrayDict = {}
    for name, tensor in entries.items():
        if tensor["dtype"] not in _DTYPES:
            raise ModelFileError(f"{path} holds {tensor['dtype']}, which no model has", hint=FIT_HINT)
        begin_offset, end_offset = tensor["data_offsets"]
        dtype = np.dtype(_DTYPES[tensor["dtype"]])
        count = (end_offset - begin_offset) // dtype.itemsize
        flat = np.frombuffer(pages, dtype, count, start + begin_offset) if count else np.empty(0, dtype)
        arrays[name] = np.require(flat.reshape(tensor["shape"]), requirements="A")  # aligned: else copied
    return arrays


def _has_safetensors_header(path: Path) -> bool:
    """Whether a file starts like safetensors: the length of a header, and its opening brace."""
    with path.open("rb") as file:
        return file.read(9)[5:] == b"\0\0\0{"


def _callable_params(params: Any) -> set[str]:
    """Return the parameters, also of nested models, that were functions or classes."""
    if isinstance(params, list):
        return {name for element in params for name in _callable_params(element)}
    if not isinstance(params, dict):
        return set()
    callables = {name for name, value in params.items() if isinstance(value, dict) and set(value) == {"code"}}
    return callables | {name for value in params.values() for name in _callable_params(value)}


def _restore_state(
    model: Model, file_arrays: ArrayDict, numbers: dict[str, Any], ids: dict[str, IdIndex]
) -> None:
    """Set the state of a model, which checks shapes and finiteness.

    ``ids`` are the id maps of the outer model, for a nested one.
    """
    arrays: dict[str, Any] = dict(file_arrays)
    state: dict[str, Any] = {}
    numbers = dict(numbers)
    for name, shape in model.fitted_shapes().items():
        is_absent = name in model.optional_attributes() and not {
            name,
            f"{name}.bytes",
            f"{name}.offsets",
        } & set(arrays)
        if shape == ("ids",) and not is_absent:
            state[name] = ids[name] if ids and name in _SHARED_IDS else _deserialize_ids(name, arrays)
    for name, shape in model.fitted_shapes().items():
        if shape == ("models",):
            inner_ids = {key: index for key, index in state.items() if isinstance(index, IdIndex)}
            state[name] = _restore_members(model, name, arrays, numbers.pop(name, None), inner_ids)
        if shape == ("weights",):
            prefixed = [key for key in arrays if key.startswith(f"{name}.")]
            state[name] = {key.removeprefix(f"{name}."): arrays.pop(key) for key in prefixed}
    for name, value in numbers.items():
        if type(value) in (int, float) and abs(value) > _MAX_VALUE:
            raise ModelFileError(f"{name[:100]} in the file is too large for any rating")
        if type(value) not in (int, float, str):
            raise ModelFileError(f"{name[:100]} in the file is neither a number nor a text")
    repeated = (set(state) & set(numbers)) | (set(state) & set(arrays)) | (set(numbers) & set(arrays))
    if repeated:
        raise ModelFileError(f"{sorted(repeated)[0][:100]} stands in the file twice")
    if type(numbers.get("n_ratings_")) is not int:
        raise ModelFileError("n_ratings_ in the file is not a whole number")
    model.set_state(state | numbers | arrays)
    if model.n_ratings_ < 1 or not model.low_ <= model.high_ or not len(model.users_) * len(model.items_):
        raise ModelFileError("its range, its number of ratings or its id maps cannot come from any ratings")


def _restore_members(
    model: Model, name: str, arrays: dict[str, Any], numbers: Any, ids: dict[str, IdIndex]
) -> list[Model]:
    """Take the nested models out of ``arrays``: as many, of the classes, that the parameters say."""
    members = clone_members(model)
    if not isinstance(numbers, list) or len(numbers) != len(members):
        raise ModelFileError(f"{name} in the file are not as many models as there must be: {len(members)}")
    for position, (member, member_numbers) in enumerate(zip(members, numbers, strict=True)):
        if not isinstance(member_numbers, dict):
            raise ModelFileError(f"{name} in the file does not hold what model {position} learned")
        prefix = f"{name}.{position}."
        member_arrays = {
            key.removeprefix(prefix): arrays.pop(key) for key in list(arrays) if key.startswith(prefix)
        }
        _restore_state(member, member_arrays, member_numbers, ids)
    return members


def _deserialize_ids(name: str, arrays: dict[str, Any]) -> IdIndex:
    """Take the tensors of an id map out of ``arrays``, checking that ids are sorted and distinct."""
    ids = arrays.pop(name, None)
    if ids is None:
        data, offsets = arrays.pop(f"{name}.bytes", None), arrays.pop(f"{name}.offsets", None)
        if data is None or offsets is None:
            raise ModelFileError(f"{name} is missing from the file")
        if data.dtype != np.uint8 or offsets.dtype != np.int64 or data.ndim != 1 or offsets.ndim != 1:
            raise ModelFileError(f"{name} in the file is not made of bytes and offsets")
        try:
            ids = unpack_texts(data, offsets)
        except ValueError as error:
            raise ModelFileError(f"{name} in the file cannot be read as texts: {error}") from error
    elif ids.dtype != np.int64 or ids.ndim != 1:
        raise ModelFileError(f"{name} in the file is not one column of int64")
    if not (ids[1:] > ids[:-1]).all():
        raise ModelFileError(f"{name} in the file is not sorted, or holds an id twice")
    return IdIndex(ids)
