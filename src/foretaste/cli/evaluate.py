"""What a fitted model is used for: ``evaluate``, ``predict``, ``similar``."""

from __future__ import annotations

import csv
import io
import logging
from typing import TYPE_CHECKING, Any

import click

from foretaste.cli.framework import Outcome, command, wants_progress
from foretaste.cli.hint_translation import shown
from foretaste.cli.options import PAIRS_OPTIONS, READING_OPTIONS, as_arguments, is_data_set, load_model, read
from foretaste.cli.rendering import drawn
from foretaste.cli.suggestions import is_model
from foretaste.errors import (
    BadData,
    InvalidParameter,
    MissingExtra,
    NotFetched,
    NotFound,
    NotSupported,
    plain,
)

if TYPE_CHECKING:
    from foretaste.models import Model, Prediction
    from foretaste.ratings import Pairs, Ratings

log = logging.getLogger("foretaste")

FALLBACKS = ("", "user unknown", "item unknown", "user and item unknown")


# evaluate ------------------------------------------------------------------------------------------------


@command(
    click.argument("model_file", metavar="MODEL_FILE"),
    click.argument("file"),
    *READING_OPTIONS,
    name="evaluate",
    short_help="Judge a kept model by other ratings.",
)
def evaluate(model_file: str, file: str, **reading: Any) -> Outcome:
    """Judge the model in MODEL_FILE by the ratings in FILE (or by a data set)."""
    import numpy as np

    from foretaste.fingerprint import fingerprint
    from foretaste.metrics.rating import mae, rmse
    from foretaste.models.spec import params_as_json

    model = load_model(model_file)
    ratings = read(file, reading)
    prediction = model.predict_details(_encoded(ratings, model))
    mean = np.full(len(ratings), ratings.value.mean(dtype=np.float64))
    own = fingerprint(ratings) == model.fingerprint_
    protocol = f"{len(ratings):,} rows of {file}; the model learned from {model.n_ratings_:,}"
    protocol += ", these very rows" if own else ", which may share rows with these"
    data: dict[str, Any] = {
        "model": type(model).__name__,
        "params": params_as_json(model),
        "protocol": protocol,
        "rows": len(ratings),
        "rmse": rmse(ratings.value, prediction.value),
        "mae": mae(ratings.value, prediction.value),
        "fallback_rows": int(np.count_nonzero(prediction.fallback)),
        "baseline": {"rmse": rmse(ratings.value, mean), "mae": mae(ratings.value, mean)},
        "same_rows_as_learned": own,
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
    text = f"protocol: {protocol}\n\n" + drawn(["", "RMSE", "MAE", "fallback rows"], rows, "lrrr", strong=0)
    if own:
        text += "\n\nThis is the error on what it learned from; how well it predicts other ratings tells\n"
        text += f"  foretaste compare {file} --models {data['model']}"
    return Outcome(data, text)


def _encoded(ratings: Ratings, model: Model) -> Pairs:
    """Encode ratings read from a file as ids of the types that the model knows."""
    from foretaste.ratings import Pairs

    user = model.users_.remap(model.users_.parse([str(i) for i in ratings.users]))
    item = model.items_.remap(model.items_.parse([str(i) for i in ratings.items]))
    if not (user >= 0).any() and not (item >= 0).any():
        raise BadData(
            f"none of the {len(user):,} users and {len(item):,} items is known to the model",
            where=_known_ids(model),
        )
    return Pairs(user[ratings.user], item[ratings.item], ratings.when)


def _known_ids(model: Model) -> str:
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
    model_file: str, pairs: str | None, user: str | None, item: str | None, output: str | None, **reading: Any
) -> Outcome:
    """Predict ratings: of the pairs of a user and an item in PAIRS (a file, or -), or of one pair."""
    one = user is not None and item is not None
    if one == (pairs is not None) or (user is None) != (item is None):
        message = "give either PAIRS (a file, or -), or --user and --item"
        raise click.UsageError(message, click.get_current_context())
    model = load_model(model_file)
    if one:
        return _predict_one(model, str(user), str(item))
    return _predict_file(model, str(pairs), output, reading)


def _predict_one(model: Model, user: str, item: str) -> Outcome:
    from foretaste.ratings import Pairs

    user_place = model.users_.remap(model.users_.parse([user]))
    item_place = model.items_.remap(model.items_.parse([item]))
    if user_place[0] < 0 and item_place[0] < 0:
        raise NotFound(
            f"user {user!r} and item {item!r} are both unknown to the model",
            where=f"known users: {model.users_.said()}; known items: {model.items_.said()}",
            hint=shown(_with_known(model, user, item)),
        )
    prediction = model.predict_details(Pairs(user_place, item_place))
    value, fallback = float(prediction.value[0]), FALLBACKS[prediction.fallback[0]]
    data = {
        "user": user if user_place[0] < 0 else plain(model.users_.ids[user_place[0]]),
        "item": item if item_place[0] < 0 else plain(model.items_.ids[item_place[0]]),
        "prediction": value,
        "fallback": fallback or None,
    }
    data |= {"model": type(model).__name__, "low": model.low_, "high": model.high_}
    by = f"{data['model']}, learned from {model.n_ratings_:,} ratings; {model.low_:g} to {model.high_:g}"
    note = f"   ({fallback}: a guess from what is left)" if fallback else ""
    return Outcome(data, f"{value:.4g}   user {user}, item {item}   ({by}){note}")


def _with_known(model: Model, user: str, item: str) -> list[str]:
    """Return what was typed with the nearest ids that a model knows."""
    known = {f"--user={user}": model.users_.nearest(user), f"--item={item}": model.items_.nearest(item)}
    typed, result = iter(click.get_current_context().obj or ()), []
    for arg in typed:
        if arg in ("--user", "--item"):
            arg = f"{arg}={next(typed)}"
        result += [arg.partition("=")[0], str(known[arg])] if arg in known else [arg]
    return result


def _predict_file(model: Model, source: str, output: str | None, reading: dict[str, Any]) -> Outcome:
    from foretaste.io import encode_file_pairs, read_pairs

    pairs = read_pairs(source, **as_arguments(reading))
    prediction = model.predict_details(encode_file_pairs(pairs, model.users_, model.items_))
    users, items = pairs.table[pairs.user].to_list(), pairs.table[pairs.item].to_list()
    text = _as_csv((pairs.user, pairs.item), users, items, prediction)
    fallback_rows = int((prediction.fallback > 0).sum())
    data = {"model": type(model).__name__, "rows": len(users), "fallback_rows": fallback_rows}
    if output is None:
        keys = ("user", "item", "prediction", "fallback")
        rows = zip(users, items, prediction.value.tolist(), prediction.fallback.tolist(), strict=True)
        predictions = [dict(zip(keys, (u, i, v, FALLBACKS[f] or None), strict=True)) for u, i, v, f in rows]
        return Outcome({**data, "predictions": predictions}, text.rstrip("\n"))
    from foretaste._utils.files import atomic_write

    with atomic_write(output) as partial:
        partial.write_text(text, encoding="utf-8", newline="")
    said = f"{output}: {data['rows']:,} predictions by {data['model']}; "
    said += f"{fallback_rows:,} with an unknown user or item"
    return Outcome({**data, "file": output}, said)


def _as_csv(names: tuple[str, str], users: list[str], items: list[str], prediction: Prediction) -> str:
    """Return predictions beside the ids as they stand in the file, so that 007 stays 007."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*names, "prediction", "fallback"])
    values = (f"{value:.6g}" for value in prediction.value.tolist())
    fallbacks = (FALLBACKS[code] for code in prediction.fallback.tolist())
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
    *READING_OPTIONS,
    name="similar",
    short_help="List the items most like one.",
)
def similar(file: str, item: str, n: int, metric: str, items: str | None, **reading: Any) -> Outcome:
    """List the items most like ITEM, by the ratings in FILE, by a model file, or by a data set."""
    from foretaste.recommendation import similar_items

    source: Any = load_model(file) if _is_model(file) else read(file, reading)
    index = source.items if hasattr(source, "items") else source.items_
    item_id = index.ids[index.index_of(item, "item")]
    catalogue = catalogue_of(file, items, reading)
    try:
        found = similar_items(source, item_id, n, metric, catalogue)
    except NotSupported as error:
        hint = f"foretaste similar RATINGS_FILE {item}"
        error.hint = error.hint and error.hint.replace("similar_items(ratings, ...)", hint)
        raise
    titles = found.titles or [None] * len(found.ids)
    own = None if catalogue is None else catalogue.titles(index.ids[[index.index_of(item, "item")]])[0]
    rows: list[dict[str, Any]] = [
        {"item": plain(i), "similarity": float(s), "title": title}
        for i, s, title in zip(found.ids, found.similarity, titles, strict=True)
    ]
    basis = f"{type(source).__name__} in {file}" if _is_model(file) else f"the ratings in {file}"
    data = {"item": plain(item_id), "title": own, "metric": metric, "basis": basis, "similar": rows}
    lines = [[str(r["item"]), f"{r['similarity']:.4f}", str(r["title"] or "")] for r in rows]
    table = drawn(["item", metric, "title" if catalogue else ""], lines, "lrl")
    about = f"most like item {item}{f': {own}' if own else ''}   ({metric}, {basis})"
    return Outcome(data, f"{about}\n\n{table}")


def _is_model(path: str) -> bool:
    """Whether a file is a model rather than ratings: by its name, or as safetensors begin."""
    if path == "-" or is_data_set(path):
        return False
    return path.endswith(".foretaste") or is_model(path)


def catalogue_of(file: str, items: str | None, reading: dict[str, Any]) -> Any:
    """Return the titles: of the file that is named, else of the data set that the ratings are from."""
    from foretaste.datasets import load_items

    if items is None and not is_data_set(file):
        return None
    if items is None:
        try:
            return load_items(file, progress=wants_progress())
        except (NotFound, NotFetched, MissingExtra) as error:  # the answer is good without titles, too
            log.warning("no titles: %s", error.message)
            return None
    if is_data_set(items):
        return load_items(items, progress=wants_progress())
    from foretaste.io import read_items

    if items == "-":
        raise InvalidParameter("--items must be a file, or the name of a data set")
    try:
        return read_items(items, encoding=reading["encoding"])
    except BadData as error:
        error.hint = f"items=None leaves the titles out; or {error.hint or 'another file'}"
        raise
