"""Saves and loads predictions and algorithms; loading executes no code from the file.

A dump is a safetensors file. Its metadata holds one JSON text, ``foretaste-surprise``: format, version of
foretaste, the algorithm's name and its parameters. The trainset, the predictions and the fitted arrays
are tensors. Algorithms whose fit is deterministic (neighbors, Slope One, the normal predictor) are stored
as parameters and trainset, and refitted by ``load``.
"""

from __future__ import annotations

import inspect
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.files import atomic_write
from foretaste.compat.surprise.dump_format import (
    pack_predictions,
    pack_random,
    pack_trainset,
    to_json_value,
    unpack_predictions,
    unpack_random,
    unpack_trainset,
)
from foretaste.compat.surprise.prediction_algorithms.predictions import Prediction
from foretaste.errors import ForetasteError, ModelFileError, NotFoundError, NotSupportedError
from foretaste.persistence import library_version
from foretaste.typing import ArrayDict

FORMAT = 1
_KEY = "foretaste-surprise"
_FIELDS = {"format": int, "library": str, "algo": (str, type(None)), "params": dict, "fitted": bool}
_DUMP_HINT = "dump.dump(file_name, predictions, algo), with foretaste.compat.surprise"
_MAX_EPOCHS = 100_000

# Expected shapes of restored arrays: parameter, array and axis.
_SIZE_PARAMS: dict[str, tuple[tuple[str, str, int], ...]] = {
    "BaselineOnly": (),
    "SVD": (("n_factors", "pu", 1),),
    "SVDpp": (("n_factors", "pu", 1),),
    "NMF": (("n_factors", "pu", 1),),
    "CoClustering": (("n_cltr_u", "avg_cltr_u", 0), ("n_cltr_i", "avg_cltr_i", 0)),
}
_REFITTED_ALGORITHMS = (
    "NormalPredictor",
    "KNNBasic",
    "KNNWithMeans",
    "KNNWithZScore",
    "KNNBaseline",
    "SlopeOne",
)
_CLUSTER_PARAMS = {
    "cltr_u": "n_cltr_u",
    "cltr_i": "n_cltr_i",
}  # arrays of cluster indices, all below this parameter


def dump(file_name: Any, predictions: Any = None, algo: Any = None, verbose: Any = 0) -> None:
    """Write predictions, an algorithm or both to a file, atomically.

    Unlike a pickle of scikit-surprise, it holds algorithms of this package only: a custom class, or an
    attribute that is no number, text or array, raises ``NotSupportedError``.
    """
    from safetensors.numpy import save_file

    header: dict[str, Any] = {
        "format": FORMAT, "library": library_version(), "algo": None, "params": {}, "fitted": False,
    }  # fmt: skip
    arrays: ArrayDict = {}
    if algo is not None:
        header |= _pack_algo(algo, arrays)
    if predictions is not None:
        arrays |= pack_predictions(predictions)
    with atomic_write(file_name) as partial:
        save_file(arrays, partial, metadata={_KEY: json.dumps(header)})
    if verbose:
        print("The dump has been saved as file", file_name)  # noqa: T201 - what verbose=1 asks for


def load(file_name: Any) -> tuple[list[Prediction] | None, Any]:
    """Read what ``dump`` wrote: the predictions or None, and the algorithm or None.

    A dump of scikit-surprise is a pickle, which can run code when read: it raises ``ModelFileError``, as does
    a corrupt or inconsistent file.
    """
    path = Path(file_name)
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", hint=_DUMP_HINT)
    header, arrays = _read(path)
    try:
        predictions = unpack_predictions(arrays) if "predictions" in arrays else None
        algo = None if header["algo"] is None else _unpack_algo(header, arrays)
        if arrays:
            raise ModelFileError(f"there is something more in it: {sorted(arrays)[0][:80]}")
    except ForetasteError as error:
        raise ModelFileError(f"{path} cannot be used: {error.message}", hint=_DUMP_HINT) from error
    return predictions, algo


# Algorithms ----------------------------------------------------------------------------------------------


def _classes() -> dict[str, Any]:
    from foretaste.compat.surprise import prediction_algorithms

    return {name: getattr(prediction_algorithms, name) for name in (*_SIZE_PARAMS, *_REFITTED_ALGORITHMS)}


def _pack_algo(algo: Any, arrays: ArrayDict) -> dict[str, Any]:
    """Return the header fields of an algorithm; its arrays are added to ``arrays``."""
    name = type(algo).__name__
    if _classes().get(name) is not type(algo):
        raise NotSupportedError(
            f"a {name} is none of the algorithms of this package, so a dump cannot hold it",
            hint=f"dump.dump(file_name, predictions), and numpy.savez for what {name} learned; or pickle, if "
            "only you read the file; supported algorithms: " + ", ".join(_classes()),
        )
    fitted = hasattr(algo, "trainset")
    params = _params(algo)
    unknown = set(vars(algo)) - set(vars(_construct(type(algo), params))) - {"trainset", "bu", "bi"}
    if fitted:
        _check_epochs(params)
        arrays |= pack_trainset(algo.trainset)
        template = _fit_template(name, params, algo.trainset)
        unknown -= set(vars(template))
        if name in _SIZE_PARAMS:
            arrays |= _fitted_arrays(algo, template)
    extra = sorted(key for key in unknown if not key.startswith("_"))
    if extra:
        raise NotSupportedError(
            f"{name}.{extra[0]} is a custom attribute, which a dump cannot store",
            hint=f"del algo.{extra[0]}, and save it in a separate file",
        )
    packed_params = {
        key: pack_random(value)
        if key == "random_state"
        else _check_finite(to_json_value(value, f"{name}.{key}"), key)
        for key, value in params.items()
    }
    return {"algo": name, "params": packed_params, "fitted": fitted}


def _params(algo: Any) -> dict[str, Any]:
    """Return the constructor arguments that reproduce an algorithm; missing ones have their defaults."""
    known = inspect.signature(type(algo).__init__).parameters
    names = [*known, "verbose", "sim_options", "bsl_options"]
    return {name: vars(algo)[name] for name in names if name != "self" and name in vars(algo)}


def _construct(algo_class: Any, params: dict[str, Any]) -> Any:
    known = inspect.signature(algo_class.__init__).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    algo = algo_class(**{key: value for key, value in params.items() if key in known or open_ended})
    for key in ("sim_options", "bsl_options"):
        if key in params:
            setattr(algo, key, dict(params[key]))
    return algo


def _fit_template(name: str, params: dict[str, Any], trainset: Any) -> Any:
    """Return a fitted algorithm as a template of attributes, without lengthy training."""
    quiet = {"verbose": False} | ({"n_epochs": 0} if "n_epochs" in params else {})
    seed = {"random_state": 0} if "random_state" in params else {}
    return _construct(
        _classes()[name], params | {key: quiet[key] for key in quiet if key in params} | seed
    ).fit(trainset)


def _fitted_arrays(algo: Any, template: Any) -> ArrayDict:
    """Return the fitted arrays of an algorithm."""
    arrays: ArrayDict = {}
    for key, expected in vars(template).items():
        value = vars(algo).get(key)
        if isinstance(expected, np.ndarray):
            array = np.ascontiguousarray(value)
            if array.dtype != expected.dtype or array.shape != expected.shape:
                raise NotSupportedError(
                    f"{type(algo).__name__}.{key} is {array.dtype} {array.shape}; it should be "
                    f"{expected.dtype} {expected.shape}",
                    hint="fit it again",
                )
            arrays[f"learned.{key}"] = array
    return arrays


def _unpack_algo(header: dict[str, Any], arrays: ArrayDict) -> Any:
    name, params = header["algo"], dict(header["params"])
    if name not in _classes():
        raise ModelFileError(f"there is no algorithm {name[:80]!r}")
    if "random_state" in params:
        params["random_state"] = unpack_random(params["random_state"])
    _check_epochs(params)
    try:
        algo = _construct(_classes()[name], params)
        if set(_params(algo)) != set(params):
            raise ModelFileError(f"its parameters are not those of {name}")
        if not header["fitted"]:
            return algo
        trainset = unpack_trainset(arrays)
        if name in _REFITTED_ALGORITHMS:
            algo = _construct(
                _classes()[name], params | ({"verbose": False} if "verbose" in params else {})
            ).fit(trainset)
        else:
            _check_sizes(name, params, arrays)
            _restore(algo, _fit_template(name, params, trainset), arrays)
            algo.trainset = trainset
    except (
        TypeError,
        ValueError,
        LookupError,
        ArithmeticError,
        NameError,
        AttributeError,
        MemoryError,
    ) as error:
        if isinstance(error, ForetasteError):
            raise
        raise ModelFileError(f"its parameters cannot be those of {name}: {error}") from error
    if "verbose" in params:
        algo.verbose = params["verbose"]
    return algo


def _check_sizes(name: str, params: dict[str, Any], arrays: ArrayDict) -> None:
    """Reject parameters that do not match the stored arrays, before allocating memory."""
    for param, array_name, axis in _SIZE_PARAMS[name]:
        array_value = arrays.get(f"learned.{array_name}")
        if array_value is None or array_value.ndim <= axis or array_value.shape[axis] != params.get(param):
            raise ModelFileError(
                f"learned.{array_name} has not the shape that {param}={params.get(param)!r:.40} says"
            )


def _restore(algo: Any, template: Any, arrays: ArrayDict) -> None:
    """Set the fitted arrays of the file; everything else is as in the template."""
    attributes = vars(algo).copy()
    vars(algo).update(vars(template))
    vars(algo).update(attributes)
    for key, expected in vars(template).items():
        if not isinstance(expected, np.ndarray):
            continue
        array = arrays.pop(f"learned.{key}", None)
        if array is None or array.dtype != expected.dtype or array.shape != expected.shape:
            raise ModelFileError(
                f"learned.{key} is missing, or has another shape or type than {expected.shape} "
                f"{expected.dtype}"
            )
        if key in _CLUSTER_PARAMS and (array.min() < 0 or array.max() >= getattr(algo, _CLUSTER_PARAMS[key])):
            raise ModelFileError(f"learned.{key} holds a place that there is not")
        setattr(algo, key, array)


def _check_epochs(params: dict[str, Any]) -> None:
    """Reject excessive numbers of epochs, so that no file makes a program hang."""
    options = [params] + [
        params[key] for key in ("bsl_options", "sim_options") if isinstance(params.get(key), dict)
    ]
    for settings in options:
        epochs = settings.get("n_epochs", 0)
        if not isinstance(epochs, int) or not 0 <= epochs <= _MAX_EPOCHS:
            raise ModelFileError(
                f"n_epochs={epochs!r:.40} is not allowed; it must be between 0 and {_MAX_EPOCHS:,}"
            )


def _check_finite(value: Any, name: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotSupportedError(f"{name}={value} is not finite, which a dump cannot store")
    return value


# Files ---------------------------------------------------------------------------------------------------


def _read(path: Path) -> tuple[dict[str, Any], ArrayDict]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), framework="np") as file:
            header = _header(path, file.metadata())
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError, ValueError, TypeError, KeyError, AttributeError, MemoryError) as error:
        if isinstance(error, ModelFileError):
            raise
        with path.open("rb") as raw_file:
            if raw_file.read(1) == b"\x80":
                raise ModelFileError(
                    f"{path} is a pickle, as scikit-surprise writes: reading it could run any code",
                    hint="fit again: algo.fit(trainset), then " + _DUMP_HINT,
                ) from None
        raise ModelFileError(f"{path} is damaged or no dump: {error}", hint=_DUMP_HINT) from error


def _header(path: Path, metadata: dict[str, str] | None) -> dict[str, Any]:
    if not metadata or _KEY not in metadata:
        raise ModelFileError(
            f"{path} is a safetensors file, but no dump of this package",
            hint="foretaste.load(path), if foretaste fit or foretaste.save wrote it",
        )
    try:
        header = json.loads(metadata[_KEY])
    except (ValueError, RecursionError) as error:
        raise ModelFileError(
            f"{path} is damaged: its header cannot be read: {error}", hint=_DUMP_HINT
        ) from None
    version = header.get("format") if isinstance(header, dict) else None
    if type(version) is int and version > FORMAT:
        raise ModelFileError(
            f"{path} has format {version}; this version reads format {FORMAT}",
            hint="pip install --upgrade foretaste",
        )
    if (
        not isinstance(header, dict)
        or set(header) != set(_FIELDS)
        or version != FORMAT
        or not all(isinstance(header[key], kind) for key, kind in _FIELDS.items())  # type: ignore[arg-type]
    ):
        raise ModelFileError(f"{path} is damaged: its header is not that of a dump", hint=_DUMP_HINT)
    return header
