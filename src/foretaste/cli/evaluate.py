"""``evaluate``: the error of a saved model on a ratings file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command
from foretaste.cli.inputs import load_model, load_ratings
from foretaste.cli.options import READ_OPTIONS
from foretaste.cli.rendering import render_table
from foretaste.errors import DataError

if TYPE_CHECKING:
    from foretaste.models import Model
    from foretaste.ratings import Pairs, Ratings


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.argument("file"),
    *READ_OPTIONS,
    name="evaluate",
    short_help="Evaluate a saved model on a ratings file.",
)
def evaluate(model_file: str, file: str, **read_options: Any) -> CommandResult:
    """Evaluate the model in MODEL_FILE on the ratings in FILE (or on a data set)."""
    import numpy as np

    from foretaste.fingerprint import fingerprint
    from foretaste.metrics.rating import mae, rmse
    from foretaste.models.spec import params_as_json

    model = load_model(model_file)
    ratings = load_ratings(file, read_options)
    prediction = model.predict_details(_encode_ratings(ratings, model))
    mean = np.full(len(ratings), ratings.value.mean(dtype=np.float64))
    is_training_data = fingerprint(ratings) == model.fingerprint_
    protocol = f"{len(ratings):,} rows of {file}; the model was fitted on {model.n_ratings_:,}"
    protocol += ", the same rows" if is_training_data else ", which may overlap"
    data: dict[str, Any] = {
        "model": type(model).__name__,
        "params": params_as_json(model),
        "protocol": protocol,
        "rows": len(ratings),
        "rmse": rmse(ratings.value, prediction.value),
        "mae": mae(ratings.value, prediction.value),
        "fallback_rows": int(np.count_nonzero(prediction.fallback)),
        "baseline": {"rmse": rmse(ratings.value, mean), "mae": mae(ratings.value, mean)},
        "same_rows_as_training": is_training_data,
    }
    rows = [
        [
            repr(model).removesuffix("()"),
            f"{data['rmse']:.4g}",
            f"{data['mae']:.4g}",
            f"{data['fallback_rows']:,}",
        ]
    ]
    rows.append(
        [
            "always predicting their mean",
            f"{data['baseline']['rmse']:.4g}",
            f"{data['baseline']['mae']:.4g}",
            "0",
        ]
    )
    text = f"protocol: {protocol}\n\n" + render_table(
        ["", "RMSE", "MAE", "fallback rows"], rows, "lrrr", highlight_row=0
    )
    if is_training_data:
        text += "\n\nThis is the training error; for the error on unseen ratings:\n"
        text += f"  foretaste compare {file} --models {data['model']}"
    return CommandResult(data, text)


def _encode_ratings(ratings: Ratings, model: Model) -> Pairs:
    """Return the pairs of ratings read from a file, encoded by the ids of the model."""
    from foretaste.ratings import Pairs

    user = model.users_.indices_of(model.users_.parse([str(i) for i in ratings.users]))
    item = model.items_.indices_of(model.items_.parse([str(i) for i in ratings.items]))
    if not (user >= 0).any() and not (item >= 0).any():
        raise DataError(
            f"none of the {len(user):,} users and {len(item):,} items occurs in the model",
            where=_describe_known_ids(model),
        )
    return Pairs(user[ratings.user], item[ratings.item], ratings.timestamp)


def _describe_known_ids(model: Model) -> str:
    return f"its users are like {model.users_.ids[0]} and items like {model.items_.ids[0]}"
