"""Models as parameters: by name, as objects or as JSON specs, and the parameters of nested models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from foretaste.errors import InvalidParameterError, ModelFileError, to_python
from foretaste.models.base import Model
from foretaste.models.registry import MODELS
from foretaste.params import to_source

_MAX_MODELS = 100
_MAX_DEPTH = 3  # a blend of blends of blends
_UPGRADE_HINT = "pip install --upgrade foretaste"

ModelList = list[str | Model]


def params_as_json(model: Model) -> dict[str, Any]:
    """Return the hyperparameters as JSON values; a list of models becomes names and specs.

    A function or class becomes ``{"code": name}``.
    """
    return {name: _as_json(value) for name, value in model.get_params(deep=False).items()}


def as_spec(model: Model) -> dict[str, Any]:
    """Return ``{"model": name, "params": {...}}``."""
    return {"model": type(model).__name__, "params": params_as_json(model)}


def from_spec(spec: Any, depth: int = 0, code: Mapping[str, Any] = MappingProxyType({})) -> Model:
    """Return the unfitted model of a spec; missing parameters have their defaults.

    Parameters
    ----------
    spec : dict
        Made by ``as_spec``.
    depth : int
        Nesting depth of this model.
    code : mapping of str to function or class
        Values of parameters of which the spec has only a name; names are never looked up.

    Raises
    ------
    ModelFileError
        If the spec is malformed, or there is no such model or parameter.
    InvalidParameterError
        If a parameter is invalid.
    """
    if not isinstance(spec, dict) or set(spec) != {"model", "params"} or depth > _MAX_DEPTH:
        raise ModelFileError("a nested model must be described by a name and parameters")
    name, params = spec["model"], spec["params"]
    if not isinstance(name, str) or not isinstance(params, dict):
        raise ModelFileError("a nested model must be described by a name and parameters")
    if name not in MODELS:
        name = name[:100]
        raise ModelFileError(
            f'there is no model "{name}"', misspelled=(name, MODELS.names()), hint=_UPGRADE_HINT
        )
    specs = MODELS[name].param_specs()
    unknown = sorted(set(params) - set(specs))
    if unknown:
        raise ModelFileError(f"{name} has no parameter {unknown[0][:100]!r}", hint=_UPGRADE_HINT)
    missing = [key for key, value in params.items() if specs[key].allow_callable and _code_name(value)]
    if not set(missing) <= set(code):
        code_names = {key: _code_name(params[key]) for key in missing}
        arguments = ", ".join(f"{key}={name}" for key, name in code_names.items())
        raise ModelFileError(
            f"this {name} was made with custom code that a file does not store: {arguments}",
            hint=f"load(path, {arguments})",
        )
    values = {
        key: [member if isinstance(member, str) else from_spec(member, depth + 1, code) for member in value]
        if specs[key].is_model_list and isinstance(value, list)
        else code[key]
        if key in missing
        else value
        for key, value in params.items()
    }
    model = MODELS[name](**values)
    model.check_params()
    return model


def _code_name(value: Any) -> str:
    """Return the name of the function or class that a value stands for, else an empty string."""
    name = value.get("code") if isinstance(value, dict) and len(value) == 1 else None
    return name[:100] if isinstance(name, str) else ""


def _as_json(value: Any) -> Any:
    if callable(value):
        return {"code": to_source(value)}
    if isinstance(value, list):
        return [as_spec(member) if isinstance(member, Model) else _as_json(member) for member in value]
    return to_python(value)


def clone_unfitted(owner: str, model: str | Model) -> Model:
    """Return an unfitted copy of a model, or the model of a name with its default parameters.

    Raises
    ------
    InvalidParameterError
        If there is no model of that name.
    """
    if isinstance(model, Model):
        return type(model)(**model.get_params(deep=False))
    if model not in MODELS:
        known = MODELS.names()
        raise InvalidParameterError(
            f'{owner}: there is no model "{model[:100]}"',
            misspelled=(model, known),
            hint="one of " + ", ".join(known),
        )
    return MODELS[model]()


def clone_members(model: Model) -> list[Model]:
    """Return unfitted copies of the models among a model's parameters, in order."""
    return [
        clone_unfitted(type(model).__name__, member)
        for name, spec in model.param_specs().items()
        if spec.is_model_list
        for member in getattr(model, name)
    ]


def model_names(models: Any) -> list[str]:
    """Return a unique name of each model: ``SVD``, the second of them ``SVD_2``."""
    result, counts = list[str](), Counter[str]()
    for model in models if isinstance(models, list) else []:
        name = model if isinstance(model, str) else type(model).__name__
        counts[name] += 1
        result.append(name if counts[name] == 1 else f"{name}_{counts[name]}")
    return result


def check_models(owner: str, models: ModelList, depth: int = 1) -> None:
    """Check names and parameters of nested models.

    Raises
    ------
    InvalidParameterError
        If there are too many, they are nested too deeply, or one is invalid.
    """
    if len(models) > _MAX_MODELS or depth > _MAX_DEPTH:
        raise InvalidParameterError(
            f"{owner}: models holds {len(models)} models at depth {depth}; "
            f"at most {_MAX_MODELS} are allowed, and depth {_MAX_DEPTH}",
            hint=f"fewer models in {owner}",
        )
    for model in models:
        inner = getattr(model, "models", None)
        if isinstance(inner, list):
            check_models(owner, inner, depth + 1)
        clone_unfitted(owner, model).check_params()


def nested_params(models: Any) -> dict[str, Any]:
    """Return the parameters of the models given as objects: ``SVD__factors``."""
    return {
        f"{name}__{key}": value
        for name, model in zip(model_names(models), models if isinstance(models, list) else [], strict=True)
        if isinstance(model, Model)
        for key, value in model.get_params().items()
    }


def set_nested_params(owner: str, models: ModelList, params: dict[str, Any]) -> ModelList:
    """Return the models with some parameters set; a model given by name becomes an object.

    Raises
    ------
    InvalidParameterError
        If there is no such model or parameter.
    """
    updated, known = list(models), model_names(models)
    for name, value in params.items():
        outer, _, inner = name.partition("__")
        if outer not in known:
            raise InvalidParameterError(
                f'no model of this {owner} is called "{outer}"',
                misspelled=(outer, known),
                hint=f"one of {', '.join(known)}, then __ and the parameter",
            )
        index = known.index(outer)
        if isinstance(updated[index], str):
            updated[index] = clone_unfitted(owner, updated[index])
        model = updated[index]
        if isinstance(model, Model):
            model.set_params(**{inner: value})
    return updated
