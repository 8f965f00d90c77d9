"""Models as parameters of a model, given by name or as objects, and their parameters ``NAME__parameter``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from foretaste.errors import InvalidParameterError, did_you_mean
from foretaste.models.base import Model
from foretaste.models.registry import MODELS

_MAX_MODELS = 100
_MAX_DEPTH = 3  # a blend of blends of blends

ModelList = list[str | Model]


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
            f'{owner}: there is no model "{model[:100]}"{did_you_mean(model, known)}',
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
                f'no model of this {owner} is called "{outer}"{did_you_mean(outer, known)}',
                hint=f"one of {', '.join(known)}, then __ and the parameter",
            )
        index = known.index(outer)
        if isinstance(updated[index], str):
            updated[index] = clone_unfitted(owner, updated[index])
        model = updated[index]
        if isinstance(model, Model):
            model.set_params(**{inner: value})
    return updated
