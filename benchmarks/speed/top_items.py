"""The ten best items of every user, rated ones excluded: against numpy, and implicit if installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import SVD, Ratings, recommend
from foretaste.models import LinearForm

N, FACTORS, THREADS = 10, 64, 2


def rows(quick: bool, repeats: int) -> list[Row]:
    return against_numpy_and_implicit(repeats if quick else 4 * repeats, 100_000 if quick else 1_000_000)


def against_numpy_and_implicit(repeats: int, size: int = 1_000_000) -> list[Row]:
    """Measure all of it; ours is the public function, which also looks up who rated what."""
    ratings, name = movielens_1m(size)
    model = SVD(factors=FACTORS, epochs=20).fit(ratings)
    linear, seen = model.as_linear(), ratings.to_sparse()
    peers: dict[str, Callable[[], np.ndarray]] = {
        peer_label("numpy", "argpartition"): lambda: _by_numpy(linear, seen)
    }
    if not is_missing("top items against implicit", "implicit"):
        peers[peer_label("implicit", "recommend")] = _by_implicit(linear, seen)
    ours = _as_matrix(model, ratings)
    equality = {peer: float(np.mean(work() == ours)) for peer, work in peers.items()}
    work = {"foretaste": lambda: recommend(model, n=N, exclude=ratings, threads=THREADS), **peers}
    seconds = time_in_turns(work, repeats)
    shape = f"{len(ratings.users):,} users, {len(ratings.items):,} items"
    return [
        row(
            f"top {N}, {shape} ({name}), {FACTORS} factors, {THREADS} threads",
            seconds["foretaste"],
            peer=peer,
            peer_seconds=seconds[peer],
            equality={"share_of_places_that_agree": equality[peer]},
            min_ratio=7 if peer.startswith("implicit") else 8,
        )
        for peer in peers
    ]


def _as_matrix(model: SVD, ratings: Ratings) -> np.ndarray:
    found = recommend(model, n=N, exclude=ratings)
    return model.items_.indices_of(found.ids).reshape(-1, N)


def _by_numpy(linear: LinearForm, seen: Any, block: int = 512) -> np.ndarray:
    """Multiply, exclude, argpartition, sort; the product uses as many threads as BLAS does."""
    best = np.empty((len(linear.user_factors), N), np.int64)
    for start in range(0, len(best), block):
        rows = slice(start, start + block)
        score = linear.user_factors[rows] @ linear.item_factors.T + linear.item_bias
        part = seen[rows]
        score[np.repeat(np.arange(len(score)), np.diff(part.indptr)), part.indices] = -np.inf
        top = np.argpartition(score, -N, axis=1)[:, -N:]
        order = np.argsort(-np.take_along_axis(score, top, axis=1), axis=1)
        best[rows] = np.take_along_axis(top, order, axis=1)
    return best


def _by_implicit(linear: LinearForm, seen: Any) -> Callable[[], np.ndarray]:
    """Pass the item biases to implicit as one more factor, so that it ranks the same scores."""
    from implicit.als import AlternatingLeastSquares
    from scipy.sparse import csr_matrix

    peer = AlternatingLeastSquares(factors=FACTORS + 1, num_threads=THREADS, use_gpu=False)
    ones = np.ones((len(linear.user_factors), 1), np.float32)
    peer.user_factors = np.hstack([linear.user_factors, ones])
    peer.item_factors = np.hstack([linear.item_factors, linear.item_bias[:, None]])
    known, everyone = csr_matrix(seen), np.arange(len(ones))
    return lambda: peer.recommend(everyone, known, N=N, filter_already_liked_items=True)[0]


if __name__ == "__main__":
    main("top_items", rows, __doc__)
