"""New people: the error of taking them in against learning again, and what they are best asked.

Of the people with enough ratings some are new: nothing of them is learned. Of each, 20 ratings in random
order are there to be given, and the others are to judge by. After 0, 1, 2, 5, 10 and 20 of them the model
takes the people in (``fold_in``), and another learns again from all ratings that there are by then. What
they are asked: see ``questions``. ``python -m benchmarks.quality.new_people`` measures on the bundled sample
and, where FORETASTE_DATA has it, on the file of the lecture; it writes a record, and
the chart of the documentation.
"""

from __future__ import annotations

import argparse
import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import REAL, real
from benchmarks.quality.questions import GAUGE, NOBODY, people_asked, rmse_after
from foretaste import Ratings, load_dataset, rmse
from foretaste.models import ALS, EASE, SVD, Bias, ItemKNN, Model, SVDpp, UserKNN
from foretaste.recommendation import fold_in

RESULTS = Path(__file__).parents[1] / "results"
CHARTS = Path(__file__).parents[2] / "docs"
SIZES = (0, 1, 2, 5, 10, 20)
QUESTIONS = (0, 1, 2, 3, 5)
GIVEN, JUDGED = 20, 5
LECTURE = "jester-2 lecture"


def models() -> list[Model]:
    """Return those that are measured, at their defaults."""
    return [Bias(), SVD(), SVDpp(), ALS(), ItemKNN(), UserKNN(), EASE()]


def parts(ratings: Ratings, share: float, seed: int = 0) -> tuple[Ratings, Ratings, Ratings]:
    """Return the ratings to learn from, those that new people give (in order), and those to judge by."""
    random = np.random.default_rng(seed)
    shuffled = ratings[random.permutation(len(ratings))]
    rank = np.empty(len(shuffled), np.int64)
    starts, rows = shuffled.group_by_user()
    rank[rows] = np.arange(len(rows)) - np.repeat(starts[:-1], np.diff(starts))
    able = np.flatnonzero(np.diff(starts) >= GIVEN + JUDGED)
    chosen = random.choice(able, round(share * len(able)), replace=False)
    new = np.isin(shuffled.user, chosen)
    given = np.flatnonzero(new & (rank < GIVEN))
    given = given[np.argsort(rank[given], kind="stable")]
    return shuffled[~new], shuffled[given], shuffled[new & (rank >= GIVEN)]


def curve(model: Model, ratings: Ratings, share: float) -> dict[str, list[float]]:
    """Return the errors after so many ratings, of folding in and of learning again."""
    train, given, judged = parts(ratings, share)
    people = len(given.users)
    model.fit(train)
    found: dict[str, list[float]] = {"fold_in": [], "refit": []}
    strangers = np.column_stack([np.full(len(judged), NOBODY), judged.item_ids])
    for n in SIZES:
        told = given[: n * people]
        if n == 0:
            guess = model.predict(strangers)
            found["fold_in"].append(rmse(judged.value, guess))
            found["refit"].append(found["fold_in"][0])
            continue
        found["fold_in"].append(rmse(judged.value, fold_in(model, users=told).predict(judged)))
        again = type(model)(**model.get_params()).fit(_joined(train, told))
        found["refit"].append(rmse(judged.value, again.predict(judged)))
    return found


def _joined(one: Ratings, other: Ratings) -> Ratings:
    columns = [np.r_[getattr(one, name), getattr(other, name)] for name in ("user_ids", "item_ids", "value")]
    return Ratings.from_columns(*columns)


def measured(name: str, ratings: Ratings, share: float) -> dict[str, Any]:
    train, given, judged = parts(ratings, share)
    return {
        "people": len(given.users),
        "learned_from": len(train),
        "judged": len(judged),
        "std": float(judged.value.std()),
        "models": {type(model).__name__: curve(model, ratings, share) for model in models()},
    }


def asked(path: Path) -> dict[str, Any]:
    """Return the errors outside the gauge set after so many questions, by what is asked."""
    train, people = people_asked(path, GAUGE)
    return {
        "people": len(people),
        "judged": sum(len(person.item) for person in people),
        "models": {
            type(model).__name__: {
                how: rmse_after(model.fit(train), train, people, GAUGE, how, QUESTIONS)
                for how in ("gain", "count", "random")
            }
            for model in (SVD(), ALS(), ItemKNN(), EASE())
        },
    }


def draw(found: dict[str, Any], path: Path) -> None:
    """Draw the errors of each model against the number of ratings: taken in, and learned again."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "foretaste"
    mpl.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot

    sets = found["sets"]
    figure, panels = pyplot.subplots(1, len(sets), figsize=(6.2 * len(sets), 4.6), layout="constrained")
    for panel, (name, one) in zip(np.atleast_1d(panels), sets.items(), strict=True):
        for color, (model, errors) in zip(
            pyplot.get_cmap("Dark2").colors, one["models"].items(), strict=False
        ):
            panel.plot(range(len(SIZES)), errors["fold_in"], color=color, marker="o", label=model)
            panel.plot(range(len(SIZES)), errors["refit"], color=color, linestyle=":", marker=".")
        panel.set(
            title=f"{name}: {one['people']:,} new people", xlabel="ratings given by each", ylabel="RMSE"
        )
        panel.set_xticks(range(len(SIZES)), list(map(str, SIZES)))
        panel.grid(alpha=0.3)
    handles, names = panel.get_legend_handles_labels()
    figure.legend(
        handles, names, loc="outside right center", title="taken in\n(dotted: learned again)", frameon=False
    )
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the sample only; nothing is written")
    options = parser.parse_args()
    sets = {"sample": measured("sample", load_dataset("sample"), 0.4)}
    found: dict[str, Any] = {"sizes": SIZES, "questions": QUESTIONS, "sets": sets, "asked": None}
    lecture = None if options.quick else real(LECTURE)
    if lecture is not None:
        sets[LECTURE] = measured(LECTURE, lecture, 0.2)
        found["asked"] = asked(Path(os.environ["FORETASTE_DATA"]) / REAL[LECTURE])
    for name, one in sets.items():
        print(f"\n{name}: {one['people']} new, {one['judged']:,} ratings to judge by, std {one['std']:.3f}")
        for model, errors in one["models"].items():
            for how, values in errors.items():
                print(f"{model:12} {how:8}", *(f"{value:7.3f}" for value in values))
    for model, errors in (found["asked"] or {"models": {}})["models"].items():
        for how, values in errors.items():
            print(f"{model:12} {how:8}", *(f"{value:7.3f}" for value in values))
    if not options.quick:
        path = RESULTS / f"{date.today().isoformat()}-new-people.json"
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        draw(found, CHARTS / "new-people.svg")


if __name__ == "__main__":
    main()
