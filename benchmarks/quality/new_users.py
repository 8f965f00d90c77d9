"""New users: the error of fold-in against refitting, and the choice of questions.

A share of the users with enough ratings is held out as new users. Of each, 20 ratings in random order are
available, and the others are the test set. After 0, 1, 2, 5, 10 and 20 of them the model folds the users in,
and another model is refitted on all ratings. For the choice of questions see ``questions``. ``python -m
benchmarks.quality.new_users`` measures on the bundled sample and, where FORETASTE_DATA has it, on the file of
the lecture; it writes a record and the chart of the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import REAL, load_real
from benchmarks.quality.questions import GAUGE, NOBODY, rmse_after, split_questioned_users
from foretaste import Ratings, load_dataset, rmse
from foretaste.models import ALS, EASE, SVD, Bias, ItemKNN, Model, SVDpp, UserKNN
from foretaste.recommendation import fold_in

RESULTS = Path(__file__).parents[1] / "results"
CHARTS = Path(__file__).parents[2] / "docs"
SIZES = (0, 1, 2, 5, 10, 20)
QUESTIONS = (0, 1, 2, 3, 5)
N_GIVEN, N_TEST = 20, 5
LECTURE = "jester-2 lecture"


def models() -> list[Model]:
    """Return the models to measure, with default parameters."""
    return [Bias(), SVD(), SVDpp(), ALS(), ItemKNN(), UserKNN(), EASE()]


def split_new_users(ratings: Ratings, share: float, seed: int = 0) -> tuple[Ratings, Ratings, Ratings]:
    """Return the training ratings, the available ratings of new users (in order), and the test ratings."""
    random = np.random.default_rng(seed)
    shuffled = ratings[random.permutation(len(ratings))]
    rank = np.empty(len(shuffled), np.int64)
    starts, rows = shuffled.group_by_user()
    rank[rows] = np.arange(len(rows)) - np.repeat(starts[:-1], np.diff(starts))
    eligible = np.flatnonzero(np.diff(starts) >= N_GIVEN + N_TEST)
    selected = random.choice(eligible, round(share * len(eligible)), replace=False)
    new = np.isin(shuffled.user, selected)
    available = np.flatnonzero(new & (rank < N_GIVEN))
    available = available[np.argsort(rank[available], kind="stable")]
    return shuffled[~new], shuffled[available], shuffled[new & (rank >= N_GIVEN)]


def error_curve(model: Model, ratings: Ratings, share: float) -> dict[str, list[float]]:
    """Return the errors after each number of ratings, by fold-in and by refitting."""
    train, available, test = split_new_users(ratings, share)
    n_users = len(available.users)
    model.fit(train)
    errors: dict[str, list[float]] = {"fold_in": [], "refit": []}
    unknown_pairs = np.column_stack([np.full(len(test), NOBODY), test.item_ids])
    for n in SIZES:
        new_ratings = available[: n * n_users]
        if n == 0:
            guess = model.predict(unknown_pairs)
            errors["fold_in"].append(rmse(test.value, guess))
            errors["refit"].append(errors["fold_in"][0])
            continue
        errors["fold_in"].append(rmse(test.value, fold_in(model, users=new_ratings).predict(test)))
        refitted = type(model)(**model.get_params()).fit(_concatenate(train, new_ratings))
        errors["refit"].append(rmse(test.value, refitted.predict(test)))
    return errors


def _concatenate(one: Ratings, other: Ratings) -> Ratings:
    columns = [np.r_[getattr(one, name), getattr(other, name)] for name in ("user_ids", "item_ids", "value")]
    return Ratings.from_columns(*columns)


def measure_dataset(name: str, ratings: Ratings, share: float) -> dict[str, Any]:
    train, available, test = split_new_users(ratings, share)
    return {
        "people": len(available.users),
        "learned_from": len(train),
        "judged": len(test),
        "std": float(test.value.std()),
        "models": {type(model).__name__: error_curve(model, ratings, share) for model in models()},
    }


def measure_questions(path: Path) -> dict[str, Any]:
    """Return the errors outside the gauge set after each number of questions, by strategy."""
    train, users = split_questioned_users(path, GAUGE)
    return {
        "people": len(users),
        "judged": sum(len(user.item) for user in users),
        "models": {
            type(model).__name__: {
                how: rmse_after(model.fit(train), train, users, GAUGE, how, QUESTIONS)
                for how in ("gain", "count", "random")
            }
            for model in (SVD(), ALS(), ItemKNN(), EASE())
        },
    }


def draw_chart(results: dict[str, Any], path: Path) -> None:
    """Draw the errors of each model against the number of ratings: by fold-in, and refitted."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "foretaste"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    sets = results["sets"]
    figure, panels = pyplot.subplots(1, len(sets), figsize=(6.2 * len(sets), 4.6), layout="constrained")
    for panel, (name, one) in zip(np.atleast_1d(panels), sets.items(), strict=True):
        for color, (model, errors) in zip(
            pyplot.get_cmap("Dark2").colors, one["models"].items(), strict=False
        ):
            panel.plot(range(len(SIZES)), errors["fold_in"], color=color, marker="o", label=model)
            panel.plot(range(len(SIZES)), errors["refit"], color=color, linestyle=":", marker=".")
        panel.set(title=f"{name}: {one['people']:,} new users", xlabel="ratings per new user", ylabel="RMSE")
        panel.set_xticks(range(len(SIZES)), list(map(str, SIZES)))
        panel.grid(alpha=0.3)
    handles, names = panel.get_legend_handles_labels()
    figure.legend(
        handles,
        names,
        loc="outside right center",
        title="fold-in\n(dotted: refitted)",
        frameon=False,
    )
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the sample only; nothing is written")
    options = parser.parse_args()
    sets = {"sample": measure_dataset("sample", load_dataset("sample"), 0.4)}
    results: dict[str, Any] = {"sizes": SIZES, "questions": QUESTIONS, "sets": sets, "asked": None}
    lecture = None if options.quick else load_real(LECTURE)
    if lecture is not None:
        sets[LECTURE] = measure_dataset(LECTURE, lecture, 0.2)
        results["asked"] = measure_questions(Path(os.environ["FORETASTE_DATA"]) / REAL[LECTURE])
    for name, one in sets.items():
        print(f"\n{name}: {one['people']} new, {one['judged']:,} test ratings, std {one['std']:.3f}")
        for model, errors in one["models"].items():
            for how, values in errors.items():
                print(f"{model:12} {how:8}", *(f"{value:7.3f}" for value in values))
    for model, errors in (results["asked"] or {"models": {}})["models"].items():
        for how, values in errors.items():
            print(f"{model:12} {how:8}", *(f"{value:7.3f}" for value in values))
    if not options.quick:
        path = RESULTS / f"{date.today().isoformat()}-new-people.json"
        path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        draw_chart(results, CHARTS / "new-people.svg")


if __name__ == "__main__":
    main()
