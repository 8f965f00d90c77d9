"""``show`` a model file, list ``models``, print the ``data`` of a data set."""

from __future__ import annotations

from typing import Any

import click

from foretaste.cli.framework import CommandResult, command, progress_setting
from foretaste.cli.inputs import DIRTY_SAMPLE, load_model
from foretaste.cli.rendering import render_table


@command(click.argument("model_file", metavar="MODEL_FILE"), name="show", short_help="Describe a model file.")
def show(model_file: str) -> CommandResult:
    """Describe the model in MODEL_FILE and its training data."""
    from foretaste.models.spec import params_as_json

    model = load_model(model_file)
    data: dict[str, Any] = {
        "file": model_file,
        "model": type(model).__name__,
        "summary": model.summary,
        "params": params_as_json(model),
        "repr": repr(model),
        "ratings": model.n_ratings_,
        "users": len(model.users_),
        "items": len(model.items_),
        "user_ids": model.users_.dtype,
        "item_ids": model.items_.dtype,
        "low": model.low_,
        "high": model.high_,
        "fingerprint": model.fingerprint_,
    }
    details = [
        ["model", f"{data['repr']}: {model.summary}"],
        ["fitted on", f"{model.n_ratings_:,} ratings (fingerprint {model.fingerprint_})"],
        ["users", f"{len(model.users_):,} {_describe_ids(model.users_)}"],
        ["items", f"{len(model.items_):,} {_describe_ids(model.items_)}"],
        ["predicts", f"{model.low_:g} to {model.high_:g}" + ("" if model.clip else ", not clipped")],
    ]
    details += [[f"  {name}", f"{value!r}"] for name, value in data["params"].items()]
    width = max(len(name) for name, _ in details)
    return CommandResult(data, "\n".join(f"{name.ljust(width)}  {detail}" for name, detail in details))


def _describe_ids(index: Any) -> str:
    first, last = index.ids[0], index.ids[-1]
    return f"({index.dtype} ids, {first!s} to {last!s})"


@command(
    click.argument("name", required=False), name="models", short_help="List the models and their parameters."
)
def models(name: str | None) -> CommandResult:
    """List the models and their parameters; with NAME, those of one model."""
    from foretaste.evaluation.comparison import model_from_name
    from foretaste.models import MODELS

    all_models = {key: MODELS[key] for key in MODELS.names()}
    selected = (
        all_models if name is None else {type(model_from_name(name)).__name__: type(model_from_name(name))}
    )
    data: list[dict[str, Any]] = [
        {
            "model": key,
            "summary": model.summary,
            "extra": model.extra or None,
            "params": [
                {"name": param_name, "default": spec.default, "doc": spec.doc, "allowed": spec.describe()}
                for param_name, spec in model.param_specs().items()
            ],
        }
        for key, model in selected.items()
    ]
    if name is not None:
        entry = data[0]
        rows = [[p["name"], repr(p["default"]), p["allowed"], p["doc"]] for p in entry["params"]]
        table = render_table(["parameter", "default", "allowed", "description"], rows, "llll")
        install_hint = f' (pip install "foretaste[{entry["extra"]}]")' if entry["extra"] else ""
        return CommandResult(entry, f"{entry['model']}: {entry['summary']}{install_hint}\n\n{table}")
    rows = [
        [e["model"], e["summary"], ", ".join(p["name"] for p in e["params"] if p["name"] != "clip")]
        for e in data
    ]
    table = render_table(["model", "predicts", "parameters (clip: all models)"], rows, "lll")
    return CommandResult(data, f"{table}\n\ndetails of one: foretaste models {rows[-1][0]}")


@command(
    click.argument("name"),
    click.option("--items", is_flag=True, help="Print the items (their titles), not the ratings."),
    name="data",
    short_help="Print a data set as CSV.",
)
def data(name: str, items: bool) -> CommandResult:
    """Print a data set as CSV: foretaste data sample > ratings.csv.

    Data sets other than "sample" are downloaded first: foretaste datasets list.
    """
    import polars as pl

    from foretaste.datasets import info, load, load_items

    columns: dict[str, Any]
    if name == DIRTY_SAMPLE and not items:
        from foretaste.datasets import dirty_sample

        text = dirty_sample.read_text().rstrip("\n")
        return CommandResult({"name": name, "csv": text}, text)
    dataset = info(name)
    if items:
        catalog = load_items(name, progress=progress_setting())
        texts = {key: values.tolist() for key, values in catalog.columns.items()}
        columns = {"item": catalog.items.ids, **texts}
    else:
        ratings = load(name, progress=progress_setting())
        columns = {
            "userId": ratings.user_ids,
            dataset.item_column: ratings.item_ids,
            "rating": ratings.value,
        }
        columns |= {} if ratings.timestamp is None else {"timestamp": ratings.timestamp}
    frame = pl.DataFrame(columns)
    if click.get_current_context().params["json_target"] is None:  # lists are built only for --json
        return CommandResult({}, frame.write_csv().rstrip("\n"))
    lists = {key: column.to_list() for key, column in frame.to_dict().items()}
    if not items:  # as they are written: 0.219 and not the nearest float32
        lists["rating"] = [round(value, 6) for value in lists["rating"]]
    return CommandResult({"name": name, "columns": lists}, frame.write_csv().rstrip("\n"))
