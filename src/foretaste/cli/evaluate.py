"""What a fitted model is used for: ``evaluate``, ``predict``, ``similar``."""

from __future__ import annotations

import csv
import io
import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.hint_translation import shell_join
from foretaste.cli.options import (
    PAIRS_OPTIONS,
    READ_OPTIONS,
    is_dataset,
    load_model,
    load_ratings,
    to_read_arguments,
)
from foretaste.cli.rendering import render_table
from foretaste.cli.suggestions import is_model_file
from foretaste.errors import (
    DataError,
    DownloadError,
    InvalidParameterError,
    MissingDependencyError,
    NotFoundError,
    NotSupportedError,
    to_python,
)

if TYPE_CHECKING:
    from foretaste.models import Model, Prediction
    from foretaste.ratings import Pairs, Ratings

log = logging.getLogger("foretaste")

FALLBACK_LABELS = ("", "user unknown", "item unknown", "user and item unknown")


# evaluate ------------------------------------------------------------------------------------------------


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.argument("file"),
    *READ_OPTIONS,
    name="evaluate",
    short_help="Judge a kept model by other ratings.",
)
def evaluate(model_file: str, file: str, **read_options: Any) -> CommandResult:
    """Judge the model in MODEL_FILE by the ratings in FILE (or by a data set)."""
    import numpy as np

    from foretaste.fingerprint import fingerprint
    from foretaste.metrics.rating import mae, rmse
    from foretaste.models.spec import params_as_json

    model = load_model(model_file)
    ratings = load_ratings(file, read_options)
    prediction = model.predict_details(_encode_ratings(ratings, model))
    mean = np.full(len(ratings), ratings.value.mean(dtype=np.float64))
    is_training_data = fingerprint(ratings) == model.fingerprint_
    protocol = f"{len(ratings):,} rows of {file}; the model learned from {model.n_ratings_:,}"
    protocol += ", these very rows" if is_training_data else ", which may share rows with these"
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
            "always guessing their mean",
            f"{data['baseline']['rmse']:.4g}",
            f"{data['baseline']['mae']:.4g}",
            "0",
        ]
    )
    text = f"protocol: {protocol}\n\n" + render_table(
        ["", "RMSE", "MAE", "fallback rows"], rows, "lrrr", highlight_row=0
    )
    if is_training_data:
        text += "\n\nThis is the error on what it learned from; how well it predicts other ratings tells\n"
        text += f"  foretaste compare {file} --models {data['model']}"
    return CommandResult(data, text)


def _encode_ratings(ratings: Ratings, model: Model) -> Pairs:
    """Encode ratings read from a file as ids of the types that the model knows."""
    from foretaste.ratings import Pairs

    user = model.users_.indices_of(model.users_.parse([str(i) for i in ratings.users]))
    item = model.items_.indices_of(model.items_.parse([str(i) for i in ratings.items]))
    if not (user >= 0).any() and not (item >= 0).any():
        raise DataError(
            f"none of the {len(user):,} users and {len(item):,} items is known to the model",
            where=_describe_known_ids(model),
        )
    return Pairs(user[ratings.user], item[ratings.item], ratings.timestamp)


def _describe_known_ids(model: Model) -> str:
    return f"it knows users like {model.users_.ids[0]} and items like {model.items_.ids[0]}"


# predict -------------------------------------------------------------------------------------------------


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.argument("pairs", required=False),
    click.option("--user", metavar="ID", help="Predict for this user, instead of PAIRS."),
    click.option("--item", metavar="ID", help="Predict for this item."),
    click.option("-o", "--output", metavar="FILE", help="Where the CSV goes.  [default: standard output]"),
    *PAIRS_OPTIONS,
    name="predict",
    short_help="Predict ratings with a kept model.",
)
def predict(
    model_file: str,
    pairs: str | None,
    user: str | None,
    item: str | None,
    output: str | None,
    **read_options: Any,
) -> CommandResult:
    """Predict ratings: of the pairs of a user and an item in PAIRS (a file, or -), or of one pair."""
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
    model_text = (
        f"{data['model']}, learned from {model.n_ratings_:,} ratings; {model.low_:g} to {model.high_:g}"
    )
    note = f"   ({fallback}: a guess from what is left)" if fallback else ""
    return CommandResult(data, f"{value:.4g}   user {user}, item {item}   ({model_text}){note}")


def _replace_unknown_ids(model: Model, user: str, item: str) -> list[str]:
    """Return what was typed with the nearest ids that a model knows."""
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
    """Return predictions beside the ids as they stand in the file, so that 007 stays 007."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*names, "prediction", "fallback"])
    values = (f"{value:.6g}" for value in prediction.value.tolist())
    fallbacks = (FALLBACK_LABELS[code] for code in prediction.fallback.tolist())
    writer.writerows(zip(users, items, values, fallbacks, strict=True))
    return stream.getvalue()


# similar -------------------------------------------------------------------------------------------------


@command(
    click.argument("file"),
    click.argument("item"),
    click.option("-n", "--n", default=5, show_default=True, help="How many."),
    click.option(
        "--metric",
        type=click.Choice(["cosine", "pearson", "adjusted_cosine"]),
        default="cosine",
        show_default=True,
        help="What similar means.",
    ),
    click.option("--items", metavar="FILE", help="A file of items (or a data set), for their titles."),
    *READ_OPTIONS,
    name="similar",
    short_help="List the items most like one.",
)
def similar(
    file: str, item: str, n: int, metric: str, items: str | None, **read_options: Any
) -> CommandResult:
    """List the items most like ITEM, by the ratings in FILE, by a model file, or by a data set."""
    from foretaste.recommendation import similar_items

    source: Any = load_model(file) if _is_model_source(file) else load_ratings(file, read_options)
    index = source.items if hasattr(source, "items") else source.items_
    item_id = index.ids[index.index_of(item, "item")]
    catalog = load_catalog(file, items, read_options)
    try:
        result = similar_items(source, item_id, n, metric, catalog)
    except NotSupportedError as error:
        hint = f"foretaste similar RATINGS_FILE {item}"
        error.hint = error.hint and error.hint.replace("similar_items(ratings, ...)", hint)
        raise
    titles = result.titles or [None] * len(result.ids)
    item_title = None if catalog is None else catalog.titles(index.ids[[index.index_of(item, "item")]])[0]
    rows: list[dict[str, Any]] = [
        {"item": to_python(i), "similarity": float(s), "title": title}
        for i, s, title in zip(result.ids, result.similarity, titles, strict=True)
    ]
    basis = f"{type(source).__name__} in {file}" if _is_model_source(file) else f"the ratings in {file}"
    data = {
        "item": to_python(item_id),
        "title": item_title,
        "metric": metric,
        "basis": basis,
        "similar": rows,
    }
    lines = [[str(r["item"]), f"{r['similarity']:.4f}", str(r["title"] or "")] for r in rows]
    table = render_table(["item", metric, "title" if catalog else ""], lines, "lrl")
    about = f"most like item {item}{f': {item_title}' if item_title else ''}   ({metric}, {basis})"
    return CommandResult(data, f"{about}\n\n{table}")


def _is_model_source(path: str) -> bool:
    """Whether a file is a model rather than ratings: by its name, or as safetensors begin."""
    if path == "-" or is_dataset(path):
        return False
    return path.endswith(".foretaste") or is_model_file(path)


def load_catalog(file: str, items: str | None, read_options: dict[str, Any]) -> Any:
    """Return the titles: of the file that is named, else of the data set that the ratings are from."""
    from foretaste.datasets import load_items

    if items is None and not is_dataset(file):
        return None
    if items is None:
        try:
            return load_items(file, progress=progress_setting())
        except (
            NotFoundError,
            DownloadError,
            MissingDependencyError,
        ) as error:  # the answer is good without titles, too
            log.warning("no titles: %s", error.message)
            return None
    if is_dataset(items):
        return load_items(items, progress=progress_setting())
    from foretaste.io import read_items

    if items == "-":
        raise InvalidParameterError("--items must be a file, or the name of a data set")
    try:
        return read_items(items, encoding=read_options["encoding"])
    except DataError as error:
        error.hint = f"items=None leaves the titles out; or {error.hint or 'another file'}"
        raise
