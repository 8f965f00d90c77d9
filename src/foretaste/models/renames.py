"""Names that changed since version 0.1.0: of parameters, of their values and of fitted attributes.

Model files and stored specs of that version are translated on reading; nothing else accepts an old name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ALS = {"biases": "biased"}
_SGD = {"initial_std": "init_std"}
_IMPLICIT = _SGD | {"implicit_rate": "implicit_learning_rate"}
_KNN = {
    "stored": "max_stored_neighbors",
    "norms": "norm_over",
    "significance": "significance_weighting",
    "centring": "centering",
}
_TORCH = {"early_stopping": "validation_fraction", "batch": "batch_size"}
_AUTOENCODER = _TORCH | {"networks": "n_ensemble", "presence": "rated_offset"}
_FEATURES = _TORCH | {"spread": "init_std", "hide_ids": "id_dropout"}

RENAMED_PARAMS: Mapping[str, Mapping[str, str]] = {
    "SVD": _SGD | {"early_stopping": "validation_fraction"},
    "SVDpp": _IMPLICIT,
    "TimeSVDpp": _IMPLICIT,
    "ItemKNN": _KNN,
    "UserKNN": _KNN,
    "ALS": _ALS | _SGD | {"steps": "cg_steps"},
    "NMF": _ALS | {"updates": "update_order", "initial_high": "init_max"},
    "Popularity": {"by": "rank_by"},
    "CoClustering": {"starts": "n_init"},
    "EASE": {"values": "target"},
    "TorchMF": _TORCH | {"spread": "init_std", "initial": "init"},
    "TorchRecommender": _TORCH,
    "AutoRec": _AUTOENCODER | {"side": "entity"},
    "SparseFC": _AUTOENCODER,
    "FactorizationMachine": _FEATURES,
    "NeuralMF": _FEATURES,
}
"""Of each model: old name of a parameter -> new name."""

RENAMED_VALUES: Mapping[tuple[str, str], Mapping[Any, Any]] = {
    ("EASE", "target"): {"centred": "centered"},
}
"""Of a model and the new name of a parameter: old value -> new value."""

_KNN_ATTRIBUTES = {
    "spread_": "row_std_",
    "base_": "source_ids_",
    "base_bias_": "source_bias_",
    "base_spread_": "source_std_",
}

RENAMED_ATTRIBUTES: Mapping[str, Mapping[str, str]] = {
    "ItemKNN": _KNN_ATTRIBUTES,
    "UserKNN": _KNN_ATTRIBUTES,
    "EASE": {"left_": "residual_"},
    "TimeSVDpp": {"user_when_": "user_mean_time_"},
    "GlobalEffects": {
        "timed_": "has_timestamps_",
        "user_centre_": "user_center_",
        "item_centre_": "item_center_",
        "user_spread_": "user_mean_square_",
        "item_spread_": "item_mean_square_",
    },
}
"""Of each model: old name of a fitted attribute -> new name."""


def rename_params(model: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a spec of 0.1.0 under their names and with their values of today.

    Parameters
    ----------
    model : str
        Name of the model.
    params : mapping of str to object
        As JSON holds them; models inside, as names or ``{"model": ..., "params": ...}``, are renamed, too.
        What is malformed is returned as it is: ``from_spec`` reports it.
    """
    names = RENAMED_PARAMS.get(model, {})
    renamed = {}
    for old, value in params.items():
        name = names.get(old, old)
        if isinstance(value, list):
            renamed[name] = [rename_spec(member) for member in value]
        elif isinstance(value, str):
            renamed[name] = RENAMED_VALUES.get((model, name), {}).get(value, value)
        else:
            renamed[name] = value
    return renamed


def rename_spec(spec: Any) -> Any:
    """Return a spec of 0.1.0, ``{"model": ..., "params": ...}``, in the names of today."""
    if not isinstance(spec, dict) or not isinstance(spec.get("params"), dict):
        return spec
    return spec | {"params": rename_params(str(spec.get("model")), spec["params"])}


def rename_attributes(model: str, params: Mapping[str, Any], fitted: Mapping[str, Any]) -> dict[str, Any]:
    """Return fitted attributes of a model file of 0.1.0 under their names of today.

    Parameters
    ----------
    model : str
        Name of the model.
    params : mapping of str to object
        Its parameters: ``params["models"]`` names the models inside.
    fitted : mapping of str to object
        Arrays by the names in the file (``members_.0.spread_``, ``base_.bytes``), or numbers by name, those
        of models inside as a list of such mappings (``members_``).
    """
    names = RENAMED_ATTRIBUTES.get(model, {})
    members = params.get("models")
    members = members if isinstance(members, list) else []
    renamed: dict[str, Any] = {}
    inner: dict[int, dict[str, Any]] = {}
    for key, value in fitted.items():
        attribute, dot, rest = key.partition(".")
        position, _, inner_key = rest.partition(".")
        if attribute == "members_" and position.isdecimal() and int(position) < len(members):
            inner.setdefault(int(position), {})[inner_key] = value
        elif attribute == "members_" and isinstance(value, list):
            renamed[key] = [
                _rename_member(members[index], numbers) if index < len(members) else numbers
                for index, numbers in enumerate(value)
            ]
        else:
            renamed[f"{names.get(attribute, attribute)}{dot}{rest}"] = value
    for index, arrays in inner.items():
        prefix = f"members_.{index}."
        renamed |= {prefix + key: value for key, value in _rename_member(members[index], arrays).items()}
    return renamed


def _rename_member(member: Any, fitted: Any) -> Any:
    """Rename the fitted attributes of a model inside, given by its name or its spec."""
    if not isinstance(fitted, dict):
        return fitted
    if isinstance(member, str):
        return rename_attributes(member, {}, fitted)
    if isinstance(member, dict) and isinstance(member.get("params"), dict):
        return rename_attributes(str(member.get("model")), member["params"], fitted)
    return fitted
