"""k-nearest-neighbor imputation against scikit-learn's KNNImputer."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.data import generate_ratings, load_real
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import KNNImputation, Ratings


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("imputation", "scikit-learn"):
        return
    yield from small(max(1, repeats // 2), 400 if quick else None)
    yield from large(*((20, 2_000) if quick else (200, 59_132)))


def _like_jester(users: int) -> Ratings:
    """Return continuous ratings of 140 items, about 22 % filled, as Jester's are."""
    base = generate_ratings(users, 140, int(users * 140 * 0.22))
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, len(base))
    return base.replace(value=np.round((base.value + noise) * 4, 3).astype(np.float32))


def small(repeats: int, users: int | None = None) -> list[Row]:
    """The lecture's training matrix (or one of its shape, with so many users), in full."""
    from sklearn.impute import KNNImputer

    from foretaste import HoldOut

    ratings, name = None if users else load_real("jester-2 lecture"), "Jester 2, users to 4000, 80 %"
    if ratings is None:
        ratings, name = _like_jester(users or 3632), "generated like Jester 2"
    train = ratings[next(HoldOut(0.2, seed=42).split(ratings))[0]]
    matrix = train.to_matrix(dtype=np.float64)
    imputer = KNNImputer(n_neighbors=10, keep_empty_features=True)
    model = KNNImputation(neighbors=10, threads=2, clip=False)
    seconds = time_in_turns(
        {"scikit-learn": lambda: imputer.fit_transform(matrix), "foretaste": lambda: model.fit(train)},
        repeats,
    )
    ours, theirs = model.imputed_, imputer.fit_transform(matrix)
    far = np.abs(ours - theirs) > 1e-5
    return [
        row(
            f"k-NN imputation of {matrix.shape[0]:,} x {matrix.shape[1]} ({name}), k = 10, 2 threads",
            seconds["foretaste"],
            peer=peer_label("scikit-learn", "KNNImputer"),
            peer_seconds=seconds["scikit-learn"],
            equality={"share_of_cells_that_differ_by_ties": float(far.mean())},
            min_ratio=40,
        )
    ]


def large(rows_of_peer: int = 200, users: int = 59_132) -> list[Row]:
    """All users of Jester 2, by number; scikit-learn imputes some rows and is scaled up."""
    from sklearn.impute import KNNImputer

    ratings = _like_jester(users)
    matrix = ratings.to_matrix(dtype=np.float64)
    imputer = KNNImputer(n_neighbors=10, keep_empty_features=True).fit(matrix)
    start = time.perf_counter()
    theirs = imputer.transform(matrix[:rows_of_peer])
    peer = (time.perf_counter() - start) * len(matrix) / rows_of_peer
    start = time.perf_counter()
    model = KNNImputation(neighbors=10, threads=2, clip=False).fit(ratings)
    ours = time.perf_counter() - start
    far = np.abs(model.imputed_[:rows_of_peer] - theirs) > 1e-5
    return [
        row(
            f"k-NN imputation of {len(matrix):,} x 140 (generated), k = 10, 2 threads",
            ours,
            peer=peer_label("scikit-learn", f"KNNImputer ({rows_of_peer} rows measured, scaled up)"),
            peer_seconds=peer,
            equality={"share_of_cells_that_differ_by_ties": float(far.mean())},
            min_ratio=200,
        )
    ]


if __name__ == "__main__":
    main("imputation", rows, __doc__)
