"""Autoencoders and cold start on MovieLens 1M, at the models' defaults, with a dated JSON.

    python -m benchmarks.quality.torch_ml1m                # all of it
    python -m benchmarks.quality.torch_ml1m autoencoders   # 90/10, mean of seeds 0, 1 and 2
    python -m benchmarks.quality.torch_ml1m cold           # new users and new items, seeds 1 and 2

Needs torch, and ml-1m in the folder named in FORETASTE_DATA. The number of epochs is chosen by rows
held out of the training rows; the test rows are used once, when training is done.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import polars as pl

from benchmarks.quality.data import STARS, VARIABLE
from benchmarks.quality.store import code_of_foretaste, today, write_atomically
from benchmarks.timing import RESULTS, machine
from foretaste import Bias, Ratings, read_ratings, rmse
from foretaste.models import MODELS, Model

SHARE = 0.2
KEY = ("model", "seed")  # one record each
LATIN = "latin-1"
Record = dict[str, Any]


def folder() -> Path:
    """Return the folder of the files, or exit."""
    name = os.environ.get(VARIABLE)
    if not name or not (Path(name) / "ml-1m").is_dir():
        sys.exit(f"needs MovieLens 1M: set {VARIABLE} to the folder that holds ml-1m")
    return Path(name) / "ml-1m"


def load() -> Ratings:
    """Return all ratings, in file order, without timestamps."""
    path = folder() / "ratings_no_timestamps.dat.gz"
    return read_ratings(path, header=False, user=0, item=1, rating=2, scale=STARS)


def nine_to_one(n: int) -> tuple[Any, Any]:
    """Return training and test rows: the first tenth of ``RandomState(0).shuffle`` is the test set."""
    rows = np.arange(n)
    np.random.RandomState(0).shuffle(rows)
    return np.sort(rows[n // 10 :]), np.sort(rows[: n // 10])


def cold_parts(ratings: Ratings, seed: int) -> dict[str, Any]:
    """Return rows by whether their user and their item are held_out out, a fifth of each."""
    random = np.random.default_rng(seed)
    held_out = []
    for codes, n in ((ratings.user, len(ratings.users)), (ratings.item, len(ratings.items))):
        mark = np.zeros(n, dtype=bool)
        mark[random.permutation(n)[: int(np.ceil(SHARE * n))]] = True
        held_out.append(mark[codes])
    user, item = held_out
    rows = {"train": ~user & ~item, "new users": user & ~item, "new items": ~user & item}
    return {name: np.flatnonzero(mark) for name, mark in (rows | {"both new": user & item}).items()}


def user_frame() -> pl.DataFrame:
    """Return sex, age group and occupation of each user."""
    lines = (folder() / "users.dat").read_text(encoding=LATIN).splitlines()
    cells = [line.split("::") for line in lines]
    texts = {"sex": 1, "age": 2, "occupation": 3}
    columns: dict[str, Any] = {"user": [int(row[0]) for row in cells]}
    return pl.DataFrame(columns | {name: [f"{name} {row[k]}" for row in cells] for name, k in texts.items()})


def item_frame() -> pl.DataFrame:
    """Return year, decade, genres and two marks of the title of each film."""
    lines = (folder() / "movies.dat").read_text(encoding=LATIN).splitlines()
    cells = [line.split("::") for line in lines]
    years = [int(title[-5:-1]) for _, title, _ in cells]
    names = [title[:-7] for _, title, _ in cells]
    columns: dict[str, Any] = {
        "item": [int(number) for number, _, _ in cells],
        "year": [float(year) for year in years],
        "decade": [f"the {year // 10}0s" for year in years],
        "sequel": [float(bool(re.search(r"\b(II|III|IV|V|VI|[2-9])\b", name))) for name in names],
        "second title": [float("(" in name) for name in names],
    }
    for genre in sorted({genre for _, _, genres in cells for genre in genres.split("|")}):
        columns[genre] = [float(genre in genres.split("|")) for _, _, genres in cells]
    return pl.DataFrame(columns)


def autoencoders(settings: dict[str, Any], names: list[str], seeds: list[int]) -> Iterator[Record]:
    """Evaluate the autoencoders on the held-out tenth of the rows."""
    ratings = load()
    train_rows, test_rows = nine_to_one(len(ratings))
    train, test = ratings[train_rows], ratings[test_rows]
    for name in names:
        errors = []
        for seed in seeds:
            record, model = _fit(name, train, settings | {"seed": seed})
            errors.append(rmse(test.value, model.predict(test)))
            yield record | {"seed": seed, "rmse": errors[-1]}
        print(f"{name}: RMSE {mean(errors):.4f}, the mean of seeds {seeds}", flush=True)


def cold(settings: dict[str, Any], names: list[str], seeds: list[int]) -> Iterator[Record]:
    """Evaluate models with features on held-out users and items, beside biases alone."""
    ratings = load().with_features(users=user_frame(), items=item_frame())
    for seed in seeds:
        parts = cold_parts(ratings, seed)
        train = ratings[parts.pop("train")]
        for name in ("Bias", *names):
            record, model = _fit(name, train, {} if name == "Bias" else settings)
            tests = {part: ratings[rows] for part, rows in parts.items()}
            errors = {part: rmse(test.value, model.predict(test)) for part, test in tests.items()}
            print(name, "split", seed, errors, flush=True)
            yield record | {"seed": seed} | errors


def _fit(name: str, train: Ratings, settings: dict[str, Any]) -> tuple[Record, Model]:
    start = time.perf_counter()
    model = Bias() if name == "Bias" else MODELS[name](**settings)
    model.fit(train)
    record: Record = {"model": name, "call": repr(model), "seconds": time.perf_counter() - start}
    record["settings"] = model.get_params(deep=False)
    for fact in ("epochs_", "valid_rmse_"):
        if hasattr(model, fact):
            record[fact.strip("_")] = np.asarray(getattr(model, fact)).tolist()
    return record, model


WORK: dict[str, tuple[Callable[..., Iterator[Record]], list[str], list[int]]] = {
    "autoencoders": (autoencoders, ["AutoRec", "SparseFC"], [0, 1, 2]),
    "cold": (cold, ["FactorizationMachine", "NeuralMF"], [1, 2]),
}


def main() -> None:
    """Run one benchmark, or all, and save the records."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality.torch_ml1m", description=__doc__)
    parser.add_argument("work", nargs="?", choices=list(WORK), help="all of it, if not given")
    parser.add_argument("--models", help="some of them, between commas")
    parser.add_argument("--seeds", help="others, between commas")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    for work in [options.work] if options.work else WORK:
        run_work(work, options)


def run_work(work: str, options: argparse.Namespace) -> None:
    """Run one benchmark and save its records."""
    evaluate, names, seeds = WORK[work]
    names = options.models.split(",") if options.models else names
    seeds = [int(seed) for seed in options.seeds.split(",")] if options.seeds else seeds
    path = options.results / f"{today()}-torch-{work}.json"
    about = machine() | {"date": today(), "work": work}
    del about["command"]  # records of one day come of several
    code = code_of_foretaste()
    for record in evaluate({"threads": options.threads}, names, seeds):
        save_record(path, about, record | {"code": code, "threads": options.threads})
    print(f"written: {path}")


def save_record(path: Path, about: Record, record: Record) -> None:
    """Save a finished record, replacing an older one of the same key."""
    known = json.loads(path.read_text(encoding="utf-8"))["records"] if path.exists() else []
    others = [one for one in known if any(one.get(name) != record.get(name) for name in KEY)]
    records = sorted([*others, record], key=lambda one: [str(one.get(name)) for name in KEY])
    write_atomically(path, json.dumps({"about": about, "records": records}, indent=1) + "\n")


if __name__ == "__main__":
    main()
