"""Growth of time and memory of every model's fit with the number of ratings: 0.1, 1, 5 and 20 million.

Generated ratings with MovieLens's popularity; users and items grow with them as MovieLens's do. Each fit runs
in a subprocess. Memory is the peak of that process minus its memory once the ratings were loaded; both are
reported. Iterative models run ``EPOCHS`` epochs. Errors are recorded with their message, fits beyond the
limit as timeouts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import SHAPES, load_columns, movielens_like, save_columns
from benchmarks.speed.rows import Row, measure, readable, row
from benchmarks.speed.subprocess_run import measure_memory, run_in_child
from benchmarks.timing import RESULTS, is_installed, record
from foretaste._utils.memory import format_bytes as bytes_of
from foretaste.errors import ForetasteError
from foretaste.models import MODELS

SIZES = tuple(SHAPES)
QUICK = 2_000, 10_000, 50_000
EPOCHS, THREADS, LIMIT = 5, 2, 300
LEFT_OUT = {"Blend": "its cost is that of its models, each fitted once per fold and once more"}
PICTURE = RESULTS / "growth.svg"


def build_model(name: str) -> Any:
    """Return a model with default parameters, except for epochs and threads."""
    known = MODELS[name].param_specs()
    settings = {"epochs": EPOCHS, "threads": THREADS}
    return MODELS[name](**{key: value for key, value in settings.items() if key in known})


def fit_here(name: str, folder: Path) -> dict[str, Any]:
    """Fit one model in this process; an error of foretaste is a result, too."""
    ratings = load_columns(folder)
    data = sum(column.nbytes for column in (ratings.user, ratings.item, ratings.value, ratings.timestamp))
    model = build_model(name)
    try:
        build_model(name).fit(ratings[:200])  # imports count neither as time nor as memory
        return {**measure_memory(lambda: model.fit(ratings)), "ratings": len(ratings), "data": data}
    except ForetasteError as error:
        return {"refused": str(error).replace("\n", "; "), "ratings": len(ratings), "data": data}


def grow(
    names: list[str], sizes: tuple[int, ...], repeats: int, limit: float
) -> dict[str, list[dict[str, Any]]]:
    """Fit every model at every size, in turns; the fastest of the repeats counts.

    A model that was too slow at one size is not tried at a larger one.
    """
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    slow = set()
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            run_in_child("benchmarks.speed.growth", "--write", folder, "--ratings", str(size))
            for name in names:
                if name in slow:
                    continue
                runs = []
                try:
                    for _ in range(repeats):
                        runs.append(
                            run_in_child("benchmarks.speed.growth", "--fit", name, folder, limit=limit)
                        )
                        if "refused" in runs[-1] or runs[-1]["seconds"] > 10:
                            break
                except subprocess.TimeoutExpired:
                    slow.add(name)
                    runs.append({"ratings": size, "refused": f"not done after {limit:g} s"})
                best = min(runs, key=lambda run: run.get("seconds", np.inf))
                results[name].append(best)
                text = best.get("refused") or f"{readable(best['seconds'])}, {bytes_of(best['added'])} added"
                print(f"{name:16} {size:>11,}  {text}", flush=True)
    return results


def slope(ratings: list[int] | list[float], figures: list[float]) -> float:
    """Return the exponent of growth: the slope of the least-squares line of logs; 1 is linear, 2 quadratic.

    Parameters
    ----------
    ratings, figures : list of float, above 0
        At least two different sizes; fewer give nan.
    """
    if len(set(ratings)) < 2:
        return float("nan")
    return float(np.polyfit(np.log(ratings), np.log(figures), 1)[0])


def rows(quick: bool, repeats: int) -> list[Row]:
    """Return a row per model: seconds at its largest size, and how it grows."""
    for name, reason in LEFT_OUT.items():
        print(f"left out: {name}: {reason}")
    names = [name for name in MODELS if name not in LEFT_OUT]
    results = grow(names, QUICK if quick else SIZES, min(repeats, 3), 30 if quick else LIMIT)
    rows_ = [row_of(name, done) for name, done in results.items() if any("seconds" in one for one in done)]
    for name, done in results.items():
        if not any("seconds" in one for one in done):
            print(f"{name}: no size could be fitted: {done[0]['refused']}")
    if quick:
        return rows_
    record("growth", {"epochs": EPOCHS, "threads": THREADS, "limit_in_seconds": LIMIT, "models": results})
    if is_installed("matplotlib"):
        draw_chart(results, PICTURE)
        rows_[0]["picture"] = f"../results/{PICTURE.name}"
    else:
        print("left out: the plot: matplotlib is not installed (pip install '.[bench]')")
    return rows_


def row_of(name: str, done: list[dict[str, Any]]) -> Row:
    """Return the row of one model; ``done`` are its sizes, in order."""
    fitted = [one for one in done if "seconds" in one]
    refused = [f"{one['ratings']:,}: {one['refused']}" for one in done if "refused" in one]
    sizes, last = [one["ratings"] for one in fitted], fitted[-1]
    times = ", ".join(f"{one['ratings']:,}: {readable(one['seconds'])}" for one in fitted)
    epochs = f", {EPOCHS} epochs" if "epochs" in MODELS[name].param_specs() else ""
    return row(
        f"{name} fit{epochs}, {THREADS} threads ({times})" + "".join(f"; refused {one}" for one in refused),
        last["seconds"],
        equality={
            "slope_of_time": slope(sizes, [one["seconds"] for one in fitted]),
            "slope_of_memory": slope(sizes, [max(one["added"], 1) for one in fitted]),
            "MB_added": last["added"] / 1e6,
            "MB_of_the_ratings": last["data"] / 1e6,
            "MB_before": last["before"] / 1e6,
        },
    )


def draw_chart(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """Draw time and memory against the ratings on log axes, a line per model, with the slopes of time."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "foretaste"
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(13, 6.5), layout="constrained")
    styles = [(color, mark) for mark in "os^v" for color in pyplot.get_cmap("Dark2").colors]
    for (name, done), (color, mark) in zip(results.items(), styles, strict=False):
        fitted = [one for one in done if "seconds" in one]
        sizes, seconds = [one["ratings"] for one in fitted], [one["seconds"] for one in fitted]
        look = {"color": color, "marker": mark, "markersize": 5, "linewidth": 1.3}
        label_text = f"{name} ({slope(sizes, seconds):.2f})" if len(sizes) > 1 else name
        left.plot(sizes, seconds, label=label_text, **look)
        right.plot(sizes, [max(one["added"], 1e5) / 1e6 for one in fitted], **look)
    everything = sorted({one["ratings"] for done in results.values() for one in done})
    for panel, label in ((left, "seconds of one fit"), (right, "peak of memory beside the ratings, MB")):
        panel.set(xscale="log", yscale="log", xlabel="ratings", ylabel=label)
        low = panel.get_ylim()[0]
        panel.plot(everything, [low * size / everything[0] for size in everything], "k:", linewidth=1)
        panel.set_xticks(everything, [f"{size:,}" for size in everything])
        panel.set_xticks([], minor=True)
        panel.grid(alpha=0.3)
    left.annotate("dotted: linear", (0.98, 0.02), xycoords="axes fraction", ha="right", fontsize=9)
    figure.legend(loc="outside right center", title="model (slope of time)", fontsize=9, frameon=False)
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--write", metavar="FOLDER", help="write generated ratings and no more")
    parser.add_argument("--ratings", type=int, default=100_000, help="how many, with --write")
    parser.add_argument("--fit", nargs=2, metavar=("MODEL", "FOLDER"), help="fit one model once, here")
    options = parser.parse_args()
    if options.write:
        save_columns(movielens_like(options.ratings), Path(options.write))
        print(json.dumps({"ratings": options.ratings}))
    elif options.fit:
        print(json.dumps(fit_here(options.fit[0], Path(options.fit[1]))))
    else:
        measure({"growth": rows}, options.quick, options.repeats or (1 if options.quick else 3))


if __name__ == "__main__":
    main()
