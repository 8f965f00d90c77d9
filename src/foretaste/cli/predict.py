"""``predict``: ratings of pairs of users and items, by a saved model."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command
from foretaste.cli.hints import shell_join
from foretaste.cli.inputs import load_model
from foretaste.cli.options import PAIRS_OPTIONS, to_read_arguments
from foretaste.errors import NotFoundError, to_python

if TYPE_CHECKING:
    from foretaste.models import Model, Prediction

FALLBACK_LABELS = ("", "user unknown", "item unknown", "user and item unknown")


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.argument("pairs", required=False),
    click.option("--user", metavar="ID", help="User of the prediction; replaces PAIRS."),
    click.option("--item", metavar="ID", help="Item of the prediction."),
    click.option("-o", "--output", metavar="FILE", help="CSV file to write.  [default: standard output]"),
    *PAIRS_OPTIONS,
    name="predict",
    short_help="Predict ratings with a saved model.",
)
def predict(
    model_file: str,
    pairs: str | None,
    user: str | None,
    item: str | None,
    output: str | None,
    **read_options: Any,
) -> CommandResult:
    """Predict the ratings of the pairs of user and item in PAIRS (a file, or -), or of one pair."""
    is_single = user is not None and item is not None
    if is_single == (pairs is not None) or (user is None) != (item is None):
        message = "give either PAIRS (a file, or -), or --user and --item"
        raise click.UsageError(message, click.get_current_context())
    model = load_model(model_file)
    if is_single:
        return _predict_one(model, str(user), str(item))
    return _predict_file(model, str(pairs), output, read_options)


def _predict_one(model: Model, user: str, item: str) -> CommandResult:
    from foretaste.ratings import Pairs

    user_index = model.users_.indices_of(model.users_.parse([user]))
    item_index = model.items_.indices_of(model.items_.parse([item]))
    if user_index[0] < 0 and item_index[0] < 0:
        raise NotFoundError(
            f"user {user!r} and item {item!r} are both unknown to the model",
            where=f"known users: {model.users_.describe()}; known items: {model.items_.describe()}",
            hint=shell_join(_replace_unknown_ids(model, user, item)),
        )
    prediction = model.predict_details(Pairs(user_index, item_index))
    value, fallback = float(prediction.value[0]), FALLBACK_LABELS[prediction.fallback[0]]
    data = {
        "user": user if user_index[0] < 0 else to_python(model.users_.ids[user_index[0]]),
        "item": item if item_index[0] < 0 else to_python(model.items_.ids[item_index[0]]),
        "prediction": value,
        "fallback": fallback or None,
    }
    data |= {"model": type(model).__name__, "low": model.low_, "high": model.high_}
    model_text = f"{data['model']}, fitted on {model.n_ratings_:,} ratings; {model.low_:g} to {model.high_:g}"
    note = f"   ({fallback}: fallback prediction)" if fallback else ""
    return CommandResult(data, f"{value:.4g}   user {user}, item {item}   ({model_text}){note}")


def _replace_unknown_ids(model: Model, user: str, item: str) -> list[str]:
    """Return the command line with the closest ids of the model."""
    known = {f"--user={user}": model.users_.closest(user), f"--item={item}": model.items_.closest(item)}
    remaining_args, result = iter(click.get_current_context().obj or ()), []
    for arg in remaining_args:
        if arg in ("--user", "--item"):
            arg = f"{arg}={next(remaining_args)}"
        result += [arg.partition("=")[0], str(known[arg])] if arg in known else [arg]
    return result


def _predict_file(
    model: Model, source: str, output: str | None, read_options: dict[str, Any]
) -> CommandResult:
    from foretaste.io import encode_file_pairs, read_pairs

    pairs = read_pairs(source, **to_read_arguments(read_options))
    prediction = model.predict_details(encode_file_pairs(pairs, model.users_, model.items_))
    users, items = pairs.frame[pairs.user_column].to_list(), pairs.frame[pairs.item_column].to_list()
    text = _to_csv((pairs.user_column, pairs.item_column), users, items, prediction)
    fallback_rows = int((prediction.fallback > 0).sum())
    data = {"model": type(model).__name__, "rows": len(users), "fallback_rows": fallback_rows}
    if output is None:
        keys = ("user", "item", "prediction", "fallback")
        rows = zip(users, items, prediction.value.tolist(), prediction.fallback.tolist(), strict=True)
        predictions = [
            dict(zip(keys, (u, i, v, FALLBACK_LABELS[f] or None), strict=True)) for u, i, v, f in rows
        ]
        return CommandResult({**data, "predictions": predictions}, text.rstrip("\n"))
    from foretaste._utils.files import atomic_write

    with atomic_write(output) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
    message = f"{output}: {data['rows']:,} predictions by {data['model']}; "
    message += f"{fallback_rows:,} with an unknown user or item"
    return CommandResult({**data, "file": output}, message)


def _to_csv(names: tuple[str, str], users: list[str], items: list[str], prediction: Prediction) -> str:
    """Return predictions as CSV, with the ids as they are in the file, so that 007 stays 007."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*names, "prediction", "fallback"])
    values = (f"{value:.6g}" for value in prediction.value.tolist())
    fallbacks = (FALLBACK_LABELS[code] for code in prediction.fallback.tolist())
    writer.writerows(zip(users, items, values, fallbacks, strict=True))
    return stream.getvalue()
