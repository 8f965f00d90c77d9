"""Keeping predictions and an algorithm in a file, and getting them back; nothing in a file is executed.

A dump is a safetensors file. Its metadata holds one JSON text, ``foretaste-surprise``: format, version of
foretaste, the algorithm's name, its parameters and the numbers that it learned. The trainset, the predictions
and the learned arrays are tensors. Algorithms that learn the same from the same ratings (neighbours, Slope
One, the normal predictor) are kept as their parameters and trainset, and learn again when they are read.
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
    plain,
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
_AGAIN = "dump.dump(file_name, predictions, algo), with foretaste.compat.surprise"
_MOST_EPOCHS = 100_000

# What is restored must have the shape that these parameters say: name of the parameter, array and axis.
_SIZES: dict[str, tuple[tuple[str, str, int], ...]] = {
    "BaselineOnly": (),
    "SVD": (("n_factors", "pu", 1),),
    "SVDpp": (("n_factors", "pu", 1),),
    "NMF": (("n_factors", "pu", 1),),
    "CoClustering": (("n_cltr_u", "avg_cltr_u", 0), ("n_cltr_i", "avg_cltr_i", 0)),
}
_LEARNS_AGAIN = ("NormalPredictor", "KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline", "SlopeOne")
_PLACES = {"cltr_u": "n_cltr_u", "cltr_i": "n_cltr_i"}  # arrays of places, all below this parameter


def dump(file_name: Any, predictions: Any = None, algo: Any = None, verbose: Any = 0) -> None:
    """Write predictions, an algorithm or both to a file; an older one is replaced when all is written.

    Parameters
    ----------
    file_name : str or path
    predictions : list of Prediction, optional
    algo : algorithm, optional
        One of those of this package, fitted or not.
    verbose : int
        Whether to say that the file was written.

    Raises
    ------
    NotSupportedError
        If the algorithm is of a class of your own, or has an attribute that a file cannot hold.
    NotFoundError, InvalidParameterError
        If the file cannot be written.
    """
    from safetensors.numpy import save_file

    header: dict[str, Any] = {
        "format": FORMAT, "library": library_version(), "algo": None, "params": {}, "fitted": False,
    }  # fmt: skip
    arrays: ArrayDict = {}
    if algo is not None:
        header |= _packed_algo(algo, arrays)
    if predictions is not None:
        arrays |= pack_predictions(predictions)
    with atomic_write(file_name) as partial:
        save_file(arrays, partial, metadata={_KEY: json.dumps(header)})
    if verbose:
        print("The dump has been saved as file", file_name)  # noqa: T201 - what verbose=1 asks for


def load(file_name: Any) -> tuple[list[Prediction] | None, Any]:
    """Read what ``dump`` wrote.

    Parameters
    ----------
    file_name : str or path

    Returns
    -------
    predictions : list of Prediction or None
    algo : algorithm or None
        Predicting what the kept one did.

    Raises
    ------
    NotFoundError
        If there is no such file.
    ModelFileError
        If it is no dump of this package (one of scikit-surprise is a pickle, which can run code when it is
        read), damaged, or says what cannot be.
    """
    path = Path(file_name)
    if not path.is_file():
        raise NotFoundError(f"there is no file {path}", hint=_AGAIN)
    header, arrays = _read(path)
    try:
        predictions = unpack_predictions(arrays) if "predictions" in arrays else None
        algo = None if header["algo"] is None else _unpacked_algo(header, arrays)
        if arrays:
            raise ModelFileError(f"there is something more in it: {sorted(arrays)[0][:80]}")
    except ForetasteError as error:
        raise ModelFileError(f"{path} cannot be used: {error.message}", hint=_AGAIN) from error
    return predictions, algo


# Algorithms ----------------------------------------------------------------------------------------------


def _classes() -> dict[str, Any]:
    from foretaste.compat.surprise import prediction_algorithms

    return {name: getattr(prediction_algorithms, name) for name in (*_SIZES, *_LEARNS_AGAIN)}


def _packed_algo(algo: Any, arrays: ArrayDict) -> dict[str, Any]:
    """Return what the header says of an algorithm; its arrays go into ``arrays``."""
    name = type(algo).__name__
    if _classes().get(name) is not type(algo):
        raise NotSupportedError(
            f"a {name} is none of the algorithms of this package, so a dump cannot hold it",
            hint=f"dump.dump(file_name, predictions), and numpy.savez for what {name} learned; or pickle, if "
            "only you read the file; algorithms that can be kept: " + ", ".join(_classes()),
        )
    fitted = hasattr(algo, "trainset")
    params = _params(algo)
    unknown = set(vars(algo)) - set(vars(_fresh(type(algo), params))) - {"trainset", "bu", "bi"}
    if fitted:
        _refuse_endless(params)
        arrays |= pack_trainset(algo.trainset)
        template = _template(name, params, algo.trainset)
        unknown -= set(vars(template))
        if name in _SIZES:
            arrays |= _learned(algo, template)
    own = sorted(key for key in unknown if not key.startswith("_"))
    if own:
        raise NotSupportedError(
            f"{name}.{own[0]} is an attribute of your own, which a dump cannot hold",
            hint=f"del algo.{own[0]}, and keep it in a file of your own",
        )
    kept = {
        key: pack_random(value) if key == "random_state" else _finite(plain(value, f"{name}.{key}"), key)
        for key, value in params.items()
    }
    return {"algo": name, "params": kept, "fitted": fitted}


def _params(algo: Any) -> dict[str, Any]:
    """Return the arguments that make an algorithm like this one; what is left out has its default."""
    known = inspect.signature(type(algo).__init__).parameters
    names = [*known, "verbose", "sim_options", "bsl_options"]
    return {name: vars(algo)[name] for name in names if name != "self" and name in vars(algo)}


def _fresh(kind: Any, params: dict[str, Any]) -> Any:
    known = inspect.signature(kind.__init__).parameters
    open_ended = any(one.kind is one.VAR_KEYWORD for one in known.values())
    made = kind(**{key: value for key, value in params.items() if key in known or open_ended})
    for key in ("sim_options", "bsl_options"):
        if key in params:
            setattr(made, key, dict(params[key]))
    return made


def _template(name: str, params: dict[str, Any], trainset: Any) -> Any:
    """Return a fitted algorithm that shows which attributes there are, without learning what takes long."""
    quiet = {"verbose": False} | ({"n_epochs": 0} if "n_epochs" in params else {})
    seed = {"random_state": 0} if "random_state" in params else {}
    return _fresh(_classes()[name], params | {key: quiet[key] for key in quiet if key in params} | seed).fit(
        trainset
    )


def _learned(algo: Any, template: Any) -> ArrayDict:
    """Return the learned arrays and numbers of an algorithm."""
    learned: ArrayDict = {}
    for key, like in vars(template).items():
        value = vars(algo).get(key)
        if isinstance(like, np.ndarray):
            found = np.ascontiguousarray(value)
            if found.dtype != like.dtype or found.shape != like.shape:
                raise NotSupportedError(
                    f"{type(algo).__name__}.{key} is {found.dtype} {found.shape}; it should be "
                    f"{like.dtype} {like.shape}",
                    hint="fit it again",
                )
            learned[f"learned.{key}"] = found
    return learned


def _unpacked_algo(header: dict[str, Any], arrays: ArrayDict) -> Any:
    name, params = header["algo"], dict(header["params"])
    if name not in _classes():
        raise ModelFileError(f"there is no algorithm {name[:80]!r}")
    if "random_state" in params:
        params["random_state"] = unpack_random(params["random_state"])
    _refuse_endless(params)
    try:
        algo = _fresh(_classes()[name], params)
        if set(_params(algo)) != set(params):
            raise ModelFileError(f"its parameters are not those of {name}")
        if not header["fitted"]:
            return algo
        trainset = unpack_trainset(arrays)
        if name in _LEARNS_AGAIN:
            algo = _fresh(_classes()[name], params | ({"verbose": False} if "verbose" in params else {})).fit(
                trainset
            )
        else:
            _check_sizes(name, params, arrays)
            _restore(algo, _template(name, params, trainset), arrays)
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
    """Refuse parameters that would need other arrays than there are, before memory is asked for."""
    for param, array, axis in _SIZES[name]:
        found = arrays.get(f"learned.{array}")
        if found is None or found.ndim <= axis or found.shape[axis] != params.get(param):
            raise ModelFileError(
                f"learned.{array} has not the shape that {param}={params.get(param)!r:.40} says"
            )


def _restore(algo: Any, template: Any, arrays: ArrayDict) -> None:
    """Give an algorithm what the file says that it learned; everything else is as in the template."""
    own = vars(algo).copy()
    vars(algo).update(vars(template))
    vars(algo).update(own)
    for key, like in vars(template).items():
        if not isinstance(like, np.ndarray):
            continue
        found = arrays.pop(f"learned.{key}", None)
        if found is None or found.dtype != like.dtype or found.shape != like.shape:
            raise ModelFileError(
                f"learned.{key} is missing, or has another shape or type than {like.shape} {like.dtype}"
            )
        if key in _PLACES and (found.min() < 0 or found.max() >= getattr(algo, _PLACES[key])):
            raise ModelFileError(f"learned.{key} holds a place that there is not")
        setattr(algo, key, found)


def _refuse_endless(params: dict[str, Any]) -> None:
    """Refuse numbers of epochs that no one trains, so that no file makes a program hang."""
    options = [params] + [
        params[key] for key in ("bsl_options", "sim_options") if isinstance(params.get(key), dict)
    ]
    for one in options:
        epochs = one.get("n_epochs", 0)
        if not isinstance(epochs, int) or not 0 <= epochs <= _MOST_EPOCHS:
            raise ModelFileError(
                f"n_epochs={epochs!r:.40} is not allowed; it must be between 0 and {_MOST_EPOCHS:,}"
            )


def _finite(value: Any, name: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise NotSupportedError(f"{name}={value} is no number, which a dump cannot hold")
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
        with path.open("rb") as opened:
            if opened.read(1) == b"\x80":
                raise ModelFileError(
                    f"{path} is a pickle, as scikit-surprise writes: reading it could run any code",
                    hint="fit again: algo.fit(trainset), then " + _AGAIN,
                ) from None
        raise ModelFileError(f"{path} is damaged or no dump: {error}", hint=_AGAIN) from error


def _header(path: Path, found: dict[str, str] | None) -> dict[str, Any]:
    if not found or _KEY not in found:
        raise ModelFileError(
            f"{path} is a safetensors file, but no dump of this package",
            hint="foretaste.load(path), if foretaste fit or foretaste.save wrote it",
        )
    try:
        header = json.loads(found[_KEY])
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is damaged: its header cannot be read: {error}", hint=_AGAIN) from None
    written = header.get("format") if isinstance(header, dict) else None
    if type(written) is int and written > FORMAT:
        raise ModelFileError(
            f"{path} has format {written}; this version reads format {FORMAT}",
            hint="pip install --upgrade foretaste",
        )
    if (
        not isinstance(header, dict)
        or set(header) != set(_FIELDS)
        or written != FORMAT
        or not all(isinstance(header[key], kind) for key, kind in _FIELDS.items())  # type: ignore[arg-type]
    ):
        raise ModelFileError(f"{path} is damaged: its header is not that of a dump", hint=_AGAIN)
    return header
