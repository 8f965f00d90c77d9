"""What there is: ``show`` a model file, the ``models``, the ``data`` of a data set."""

from __future__ import annotations

from typing import Any

import click

from foretaste.cli.framework import Outcome, command, wants_progress
from foretaste.cli.options import DIRTY, load_model
from foretaste.cli.rendering import drawn


@command(
    click.argument("model_file", metavar="MODEL_FILE"), name="show", short_help="Say what is in a model file."
)
def show(model_file: str) -> Outcome:
    """Say what the model in MODEL_FILE is and what it learned from."""
    from foretaste.models.spec import params_as_json

    model = load_model(model_file)
    data: dict[str, Any] = {
        "file": model_file,
        "model": type(model).__name__,
        "summary": model.summary,
        "params": params_as_json(model),
        "python": repr(model),
        "ratings": model.n_ratings_,
        "users": len(model.users_),
        "items": len(model.items_),
        "user_ids": model.users_.kind,
        "item_ids": model.items_.kind,
        "low": model.low_,
        "high": model.high_,
        "fingerprint": model.fingerprint_,
    }
    facts = [
        ["model", f"{data['python']}: {model.summary}"],
        ["learned from", f"{model.n_ratings_:,} ratings (fingerprint {model.fingerprint_})"],
        ["users", f"{len(model.users_):,} {_ids(model.users_)}"],
        ["items", f"{len(model.items_):,} {_ids(model.items_)}"],
        ["predicts", f"{model.low_:g} to {model.high_:g}" + ("" if model.clip else ", not kept inside")],
    ]
    facts += [[f"  {name}", f"{value!r}"] for name, value in data["params"].items()]
    width = max(len(name) for name, _ in facts)
    return Outcome(data, "\n".join(f"{name.ljust(width)}  {fact}" for name, fact in facts))


def _ids(index: Any) -> str:
    first, last = index.ids[0], index.ids[-1]
    return f"({index.kind} ids, {first!s} to {last!s})"


@command(
    click.argument("name", required=False), name="models", short_help="List the models and their parameters."
)
def models(name: str | None) -> Outcome:
    """List the models and their parameters; with NAME, those of one model."""
    from foretaste.evaluation.comparison import named
    from foretaste.models import BY_NAME

    every = {key: BY_NAME[key] for key in BY_NAME.names()}
    wanted = every if name is None else {type(named(name)).__name__: type(named(name))}
    data: list[dict[str, Any]] = [
        {
            "model": key,
            "summary": model.summary,
            "extra": model.extra or None,
            "params": [
                {"name": word, "default": d.default, "meaning": d.meaning, "allowed": d.allowed()}
                for word, d in model.declarations().items()
            ],
        }
        for key, model in wanted.items()
    ]
    if name is not None:
        found = data[0]
        rows = [[p["name"], repr(p["default"]), p["allowed"], p["meaning"]] for p in found["params"]]
        table = drawn(["parameter", "default", "allowed", "meaning"], rows, "llll")
        needs = f' (pip install "foretaste[{found["extra"]}]")' if found["extra"] else ""
        return Outcome(found, f"{found['model']}: {found['summary']}{needs}\n\n{table}")
    rows = [
        [e["model"], e["summary"], ", ".join(p["name"] for p in e["params"] if p["name"] != "clip")]
        for e in data
    ]
    table = drawn(["model", "predicts", "parameters (clip: all models)"], rows, "lll")
    return Outcome(data, f"{table}\n\nall about one: foretaste models {rows[-1][0]}")


@command(
    click.argument("name"),
    click.option("--items", is_flag=True, help="The items (their titles) instead of the ratings."),
    name="data",
    short_help="Print a data set as CSV.",
)
def data(name: str, items: bool) -> Outcome:
    """Print a data set as CSV: foretaste data sample > ratings.csv.

    Others than "sample" are fetched first, if they are not here: foretaste datasets list.
    """
    import polars as pl

    from foretaste.datasets import info, load, load_items

    columns: dict[str, Any]
    if name == DIRTY and not items:
        from foretaste.datasets import dirty_sample

        text = dirty_sample.text().rstrip("\n")
        return Outcome({"name": name, "csv": text}, text)
    data_set = info(name)
    if items:
        catalogue = load_items(name, progress=wants_progress())
        texts = {key: values.tolist() for key, values in catalogue.columns.items()}
        columns = {"item": catalogue.items.ids, **texts}
    else:
        ratings = load(name, progress=wants_progress())
        columns = {
            "userId": ratings.user_ids,
            data_set.item_column: ratings.item_ids,
            "rating": ratings.value,
        }
        columns |= {} if ratings.when is None else {"timestamp": ratings.when}
    frame = pl.DataFrame(columns)
    if click.get_current_context().params["json_target"] is None:  # lists are made only where they are wanted
        return Outcome({}, frame.write_csv().rstrip("\n"))
    lists = {key: column.to_list() for key, column in frame.to_dict().items()}
    if not items:  # as they are written: 0.219 and not the nearest float32
        lists["rating"] = [round(value, 6) for value in lists["rating"]]
    return Outcome({"name": name, "columns": lists}, frame.write_csv().rstrip("\n"))
