"""Neighbours and Slope One of foretaste.compat.surprise beside scikit-surprise: fit, and test of a fifth.

``python -m benchmarks.speed.compat_neighbors [--million] [--threads N] [--repeats N]``; MovieLens 100K is
read where FORETASTE_DATA says, MovieLens 1M (``--million``) as the other benchmarks read it.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import movielens_1m

FORMS = ("KNNBasic", "KNNWithMeans", "KNNWithZScore", "KNNBaseline", "SlopeOne")


def columns(million: bool) -> tuple[Any, Any, Any]:
    """Return users, items and ratings, in an order of chance."""
    if million:
        ratings, _ = movielens_1m(1_000_000)
        found = ratings.user, ratings.item, ratings.value.astype(float)
    else:
        path = Path(os.environ["FORETASTE_DATA"]) / "ml-100k" / "u.data"
        found = tuple(np.loadtxt(path, dtype=int, usecols=(0, 1, 2)).T)
    order = np.random.default_rng(0).permutation(len(found[0]))
    return tuple(column[order] for column in found)  # type: ignore[return-value]


def parts(library: Any, found: tuple[Any, Any, Any]) -> tuple[Any, list[tuple[Any, Any, float]]]:
    rows = [(u, i, float(r), None) for u, i, r in zip(*(column.tolist() for column in found), strict=True)]
    cut = len(rows) * 4 // 5
    dataset = library.Dataset(library.Reader(rating_scale=(1, 5)))
    return dataset.construct_trainset(rows[:cut]), [row[:3] for row in rows[cut:]]


def makers(items: bool, measure: str) -> dict[str, Callable[[Any], Any]]:
    options = {"name": measure, "user_based": not items}

    def maker(form: str) -> Callable[[Any], Any]:
        if form == "SlopeOne":
            return lambda library: library.SlopeOne()
        return lambda library: getattr(library, form)(sim_options=dict(options), verbose=False)

    return {form: maker(form) for form in FORMS}


def timed(make: Callable[[Any], Any], library: Any, part: Any, repeats: int) -> tuple[float, float, Any]:
    """Return the least seconds of fit and of test, and the predictions."""
    trainset, testset = part
    fits, tests = [], []
    for _ in range(repeats):
        algo = make(library)
        start = time.perf_counter()
        algo.fit(trainset)
        middle = time.perf_counter()
        predictions = algo.test(testset)
        fits.append(middle - start)
        tests.append(time.perf_counter() - middle)
    return min(fits), min(tests), np.array([one.est for one in predictions])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--million", action="store_true", help="MovieLens 1M in place of 100K")
    parser.add_argument("--threads", type=int, default=1, help="of ours; scikit-surprise has one")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    os.environ["FORETASTE_THREADS"] = str(asked.threads)
    import surprise

    import foretaste.compat.surprise as ours

    found = columns(asked.million)
    theirs, mine = parts(surprise, found), parts(ours, found)
    print(f"{len(found[0]):,} ratings, {asked.threads} thread(s); seconds of fit + test, theirs and ours")
    for items, measure in ((False, "msd"), (True, "cosine"), (True, "pearson_baseline")):
        for form, make in makers(items, measure).items():
            if form == "SlopeOne" and (items or measure != "msd"):
                continue
            ours_fit, ours_test, ours_est = timed(make, ours, mine, asked.repeats)
            fit, test, est = timed(make, surprise, theirs, 1 if asked.million else asked.repeats)
            gap = np.abs(est - ours_est).max()
            print(
                f"{form:14} {'items' if items else 'users'} {measure:17} {fit:7.2f} + {test:7.2f}   "
                f"{ours_fit:6.3f} + {ours_test:6.3f}   {(fit + test) / (ours_fit + ours_test):6.1f}x   "
                f"largest difference {gap:.1e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
