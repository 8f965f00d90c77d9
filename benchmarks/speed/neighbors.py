"""The 50 nearest items of every item: against implicit and scikit-surprise, and at 20 million ratings."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.data import load_columns, movielens_1m, movielens_like, save_columns, shape_of
from benchmarks.speed.rows import Row, measure, row
from benchmarks.speed.subprocess_run import measure_memory, run_in_child
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import Ratings
from foretaste.models import MODELS

NEAREST, THREADS = 50, 2


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("nearest items", models=("ItemKNN",)):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ratings, source = movielens_1m(100_000 if quick else 1_000_000)
        save_columns(ratings, folder)
        work = (
            f"the {NEAREST} most alike of {len(ratings.items):,} items, {len(ratings):,} ratings ({source})"
        )
        if not is_missing("nearest items against implicit", "implicit"):
            yield against_implicit(ratings, work, folder, repeats)
        if not is_missing("nearest items against scikit-surprise", "scikit-surprise"):
            yield from against_surprise(ratings, work, folder, max(1, repeats // 2))
    yield at_scale(200_000 if quick else 20_000_000)


def cosine(norms: str) -> Any:
    """Return our model with plain cosine over all raters or common ones, and the nearest neighbors only."""
    return MODELS["ItemKNN"](
        similarity="cosine", norm_over=norms, standardize=False, shrinkage=0, max_stored_neighbors=NEAREST,
        centering="none",
        threads=THREADS,
    )  # fmt: skip


def by_implicit(ratings: Ratings) -> Callable[[], Any]:
    from implicit.nearest_neighbours import CosineRecommender
    from scipy.sparse import csr_matrix

    matrix = csr_matrix(ratings.to_sparse())
    peer = CosineRecommender(K=NEAREST + 1, num_threads=THREADS)  # it counts each item as its own neighbor

    def fit() -> Any:
        peer.fit(matrix, show_progress=False)
        return peer

    return fit


def by_surprise(ratings: Ratings) -> Callable[[], Any]:
    import pandas as pd
    from surprise import Dataset, KNNBasic, Reader

    frame = pd.DataFrame({"u": ratings.user, "i": ratings.item, "r": ratings.value})
    trainset = Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset()
    options = {"name": "cosine", "user_based": False}
    return lambda: KNNBasic(k=NEAREST, sim_options=options, verbose=False).fit(trainset)


WORK: dict[str, Callable[[Ratings], Callable[[], Any]]] = {
    "all": lambda ratings: lambda: cosine("all").fit(ratings),
    "common": lambda ratings: lambda: cosine("common").fit(ratings),
    "implicit": by_implicit,
    "surprise": by_surprise,
}


def memory(who: str, folder: Path) -> float:
    """Return the peak MB beside the ratings, in a subprocess."""
    return float(run_in_child("benchmarks.speed.neighbors", "--work", who, str(folder))["added"]) / 1e6


def against_implicit(ratings: Ratings, work: str, folder: Path, repeats: int) -> Row:
    runs = {who: WORK[who](ratings) for who in ("all", "implicit")}
    ours, theirs = runs["all"](), runs["implicit"]().similarity.tocsr()
    shares = []
    for item in range(len(ratings.items)):
        own = slice(ours.list_start_[item], ours.list_start_[item + 1])
        other = theirs.indices[theirs.indptr[item] : theirs.indptr[item + 1]]
        found = ours.neighbor_[own]
        shares.append(np.isin(found, other).mean() if len(found) else 1.0)
    seconds = time_in_turns(runs, repeats)
    return row(
        f"{work}, cosine over all raters, {THREADS} threads",
        seconds["all"],
        peer=peer_label("implicit", "CosineRecommender"),
        peer_seconds=seconds["implicit"],
        equality={
            "share_of_neighbors_that_agree": float(np.mean(shares)),
            "MB_added": memory("all", folder),
            "theirs": memory("implicit", folder),
        },
        min_ratio=3,
    )


def against_surprise(ratings: Ratings, work: str, folder: Path, repeats: int) -> Iterator[Row]:
    runs = {who: WORK[who](ratings) for who in ("all", "common", "surprise")}
    ours, peer = runs["common"](), runs["surprise"]()
    inner = np.array([peer.trainset.to_inner_iid(item) for item in range(len(ratings.items))])
    rows_ = np.repeat(np.arange(len(inner)), np.diff(ours.list_start_))
    gap = np.abs(peer.sim[inner[rows_], inner[ours.neighbor_]] - ours.similarity_)
    theirs = memory("surprise", folder)
    del peer
    seconds = time_in_turns(runs, repeats)
    for who, objective, raters in (("all", "other", "all raters"), ("common", "same", "common raters")):
        yield row(
            f"{work}, cosine over {raters}, {THREADS} threads",
            seconds[who],
            peer=peer_label("scikit-surprise", "KNNBasic, item cosine over common raters (one thread)"),
            peer_seconds=seconds["surprise"],
            objective=objective,
            equality={
                "largest_difference_from_similarities_over_common_raters": float(gap.max()),
                "MB_added": memory(who, folder),
                "theirs": theirs,
            },
            min_ratio=40 if who == "all" else None,
        )


def at_scale(size: int) -> Row:
    """Without a peer: seconds and memory beside the data."""
    with tempfile.TemporaryDirectory() as folder:
        run_in_child("benchmarks.speed.neighbors", "--write", folder, "--ratings", str(size))
        one = run_in_child("benchmarks.speed.neighbors", "--work", "all", folder)
    return row(
        f"the {NEAREST} most alike of {shape_of(size)[1]:,} items, {size:,} generated ratings, cosine over "
        f"all raters, {THREADS} threads, in a process of its own",
        one["seconds"],
        max_seconds=6,
        also={"MB_added": (one["added"] / 1e6, 1000)},
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--repeats", type=int, default=None)
    parser.add_argument("--write", metavar="FOLDER", help="write generated ratings and no more")
    parser.add_argument("--ratings", type=int, default=100_000, help="how many, with --write")
    parser.add_argument("--work", nargs=2, metavar=("WHO", "FOLDER"), help="do it once, here")
    options = parser.parse_args()
    if options.write:
        save_columns(movielens_like(options.ratings), Path(options.write))
        print(json.dumps({"ratings": options.ratings}))
    elif options.work:
        who, folder = options.work
        tiny = Ratings.from_columns([0, 0, 1, 1], [0, 1, 0, 1], [1.0, 2.0, 3.0, 5.0])
        WORK[who](tiny)()  # imports count neither as time nor as memory
        print(json.dumps(measure_memory(WORK[who](load_columns(Path(folder))))))
    else:
        measure({"neighbors": rows}, options.quick, options.repeats or (1 if options.quick else 5))


if __name__ == "__main__":
    main()
