"""What there is: ``show`` a model file, the ``models``, the bundled ``data``."""

from __future__ import annotations

from typing import Any

import click

from foretaste.cli.outcome import Outcome, command
from foretaste.cli.reading import DIRTY
from foretaste.cli.tables import drawn


@command(
    click.argument("model_file", metavar="MODEL_FILE"), name="show", short_help="Say what is in a model file."
)
def show(model_file: str) -> Outcome:
    """Say what the model in MODEL_FILE is and what it learned from."""
    from foretaste.persistence import load

    model = load(model_file)
    data: dict[str, Any] = {
        "file": model_file,
        "model": type(model).__name__,
        "summary": model.summary,
        "params": model.get_params(deep=False),
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
    from foretaste.evaluation.comparing import named
    from foretaste.models import BY_NAME

    wanted = BY_NAME if name is None else {type(named(name)).__name__: type(named(name))}
    data: list[dict[str, Any]] = [
        {
            "model": key,
            "summary": model.summary,
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
        return Outcome(found, f"{found['model']}: {found['summary']}\n\n{table}")
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
    short_help="Print the bundled ratings as CSV.",
)
def data(name: str, items: bool) -> Outcome:
    """Print a bundled data set as CSV: foretaste data sample > ratings.csv."""
    if name == DIRTY and not items:
        from foretaste.datasets import dirty

        text = dirty.text().rstrip("\n")
        return Outcome({"name": name, "csv": text}, text)
    from foretaste.datasets import load, load_items

    if items:
        catalogue = load_items(name)
        columns = {
            "item": catalogue.items.ids.tolist(),
            **{k: v.tolist() for k, v in catalogue.columns.items()},
        }
    else:
        ratings = load(name)
        columns = {"userId": ratings.user_ids.tolist(), "jokeId": ratings.item_ids.tolist()}
        columns["rating"] = [round(float(value), 6) for value in ratings.value]
        columns |= {} if ratings.when is None else {"timestamp": ratings.when.tolist()}
    return Outcome({"name": name, "columns": columns}, _as_csv(columns))


def _as_csv(columns: dict[str, list[Any]]) -> str:
    import csv
    import io

    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue().rstrip("\n")
