"""Models given to a model as a parameter, by name or as they are, and their own: ``NAME__parameter``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from foretaste.errors import InvalidParameter, did_you_mean
from foretaste.models.base import Model

_MOST = 100
_DEEPEST = 3  # a blend of blends of blends

Models = list[str | Model]


def unfitted(owner: str, model: str | Model) -> Model:
    """Return the model of a name at its defaults, or an unfitted one like the model given.

    Raises
    ------
    InvalidParameter
        If there is no model of that name.
    """
    from foretaste.models import BY_NAME  # here, because the owner is one of them

    if isinstance(model, Model):
        return type(model)(**model.get_params(deep=False))
    if model not in BY_NAME:
        known = BY_NAME.names()
        raise InvalidParameter(
            f'{owner}: models names "{model[:100]}", which there is not{did_you_mean(model, known)}',
            hint="one of " + ", ".join(known),
        )
    return BY_NAME[model]()


def unfitted_members(model: Model) -> list[Model]:
    """Return the models that a model was given as parameters, unfitted, in their order."""
    return [
        unfitted(type(model).__name__, one)
        for name, declaration in model.declarations().items()
        if declaration.models
        for one in getattr(model, name)
    ]


def names(models: Any) -> list[str]:
    """Return what the models are called: ``SVD``, the second of them ``SVD_2``."""
    found, seen = list[str](), Counter[str]()
    for model in models if isinstance(models, list) else []:
        name = model if isinstance(model, str) else type(model).__name__
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return found


def check(owner: str, models: Models, depth: int = 1) -> None:
    """Check the names and the parameters of the models.

    Raises
    ------
    InvalidParameter
        If there are too many, one inside another too deep, or one is not allowed.
    """
    if len(models) > _MOST or depth > _DEEPEST:
        raise InvalidParameter(
            f"{owner}: models holds {len(models)} models at depth {depth}; "
            f"at most {_MOST} are allowed, and depth {_DEEPEST}",
            hint=f"fewer models in {owner}",
        )
    for model in models:
        inner = getattr(model, "models", None)
        if isinstance(inner, list):
            check(owner, inner, depth + 1)
        unfitted(owner, model).check_params()


def params_inside(models: Any) -> dict[str, Any]:
    """Return the parameters of the models that were given as they are: ``SVD__factors``."""
    return {
        f"{name}__{key}": value
        for name, model in zip(names(models), models if isinstance(models, list) else [], strict=True)
        if isinstance(model, Model)
        for key, value in model.get_params().items()
    }


def with_params_inside(owner: str, models: Models, params: dict[str, Any]) -> Models:
    """Set parameters of the models inside; where there was a name, a model stands in the list returned.

    Raises
    ------
    InvalidParameter
        If there is no such model or parameter.
    """
    changed, known = list(models), names(models)
    for name, value in params.items():
        outer, _, inner = name.partition("__")
        if outer not in known:
            raise InvalidParameter(
                f'no model of this {owner} is called "{outer}"{did_you_mean(outer, known)}',
                hint=f"one of {', '.join(known)}, then __ and the parameter",
            )
        place = known.index(outer)
        if isinstance(changed[place], str):
            changed[place] = unfitted(owner, changed[place])
        model = changed[place]
        if isinstance(model, Model):
            model.set_params(**{inner: value})
    return changed
