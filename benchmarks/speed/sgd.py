"""Biased matrix factorization: an epoch, against scikit-surprise and against the same loop in numba."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.data import generate_ratings, movielens_1m, shape_of
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import SVD, HoldOut, Ratings, rmse
from foretaste._native import SgdPlan
from foretaste.models._sgd import aligned_zeros, n_blocks

FACTORS = 64
RATES = {"learning_rate": 0.005, "regularization": 0.04, "init_std": 0.001, "schedule": "constant"}


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    yield from against_surprise(repeats, 100_000 if quick else 1_000_000)
    yield from against_numba(repeats, 200_000 if quick else 20_000_000)


def against_surprise(repeats: int, size: int = 1_000_000) -> list[Row]:
    """One million ratings: seconds an epoch (the difference of two fits), and the error of both."""
    if is_missing("SVD against scikit-surprise", "scikit-surprise"):
        return []
    ratings, name = movielens_1m(size)
    standard, std = standardize(ratings)
    _trainset(standard)  # converted before timing
    peers = {epochs: lambda epochs=epochs: _surprise(standard, epochs) for epochs in (1, 3)}
    work: dict[str, Any] = {f"surprise {epochs}": fit for epochs, fit in peers.items()}
    for threads in (1, 2):
        for epochs in (2, 22):
            model = SVD(factors=FACTORS, epochs=epochs, threads=threads, **RATES)
            work[f"foretaste {threads} {epochs}"] = lambda model=model: model.fit(ratings)
    seconds = time_in_turns(work, repeats)
    peer = (seconds["surprise 3"] - seconds["surprise 1"]) / 2
    errors = _same_objective(standard, std)
    found = []
    for threads in (1, 2):
        ours = (seconds[f"foretaste {threads} 22"] - seconds[f"foretaste {threads} 2"]) / 20
        found.append(
            row(
                f"SVD epoch, {len(ratings):,} ratings ({name}), {FACTORS} factors, "
                f"{threads} thread{'s' * (threads > 1)}",
                ours,
                peer=peer_label("scikit-surprise", "SVD (one thread)"),
                peer_seconds=peer,
                equality=errors,
                min_ratio=25 if threads == 1 else 30,
            )
        )
    return found


def _surprise(ratings: Ratings, epochs: int) -> Any:
    import surprise

    peer = surprise.SVD(
        n_factors=FACTORS, n_epochs=epochs, lr_all=0.005, reg_all=0.04, init_std_dev=0.001, random_state=0
    )
    return peer.fit(_trainset(ratings))


_TRAINSETS: dict[int, Any] = {}


def _trainset(ratings: Ratings) -> Any:
    if id(ratings) not in _TRAINSETS:
        _TRAINSETS[id(ratings)] = peer_dataset(ratings).build_full_trainset()
    return _TRAINSETS[id(ratings)]


def standardize(ratings: Ratings) -> tuple[Ratings, float]:
    """Return ratings in standard deviations, as our models train on them, and the standard deviation."""
    mean, std = ratings.mean_std()
    return ratings.replace(value=((ratings.value - mean) / std).astype(np.float32)), std


def peer_dataset(standard: Ratings) -> Any:
    """Return standardized ratings as a dataset of scikit-surprise whose scale contains all of them."""
    import pandas as pd
    from surprise import Dataset, Reader

    frame = pd.DataFrame({"u": standard.user, "i": standard.item, "r": standard.value})
    return Dataset.load_from_df(frame, Reader(rating_scale=(-10, 10)))


def _same_objective(standard: Ratings, std: float) -> dict[str, float]:
    """Fit both for 20 epochs on the same rows and return both errors on the others, in rating units."""
    train, test = next(HoldOut(0.1, seed=0).split(standard))
    train_part, test_part = standard[train], standard[test]
    ours = SVD(factors=FACTORS, epochs=20, **RATES).fit(train_part).predict(test_part)
    peer = _surprise(train_part, 20)
    users, items = (
        train_part.users.indices_of(test_part.user_ids),
        train_part.items.indices_of(test_part.item_ids),
    )
    known = (users >= 0) & (items >= 0)
    inner = [peer.trainset.to_inner_uid(u) if u >= 0 else -1 for u in users]
    other = [peer.trainset.to_inner_iid(i) if i >= 0 else -1 for i in items]
    guess = np.where(
        known,
        peer.trainset.global_mean
        + peer.bu[inner]
        + peer.bi[other]
        + np.einsum("nf,nf->n", peer.pu[inner], peer.qi[other]),
        0,
    )
    return {
        "foretaste_rmse": std * rmse(test_part.value[known], ours[known]),
        "peer_rmse": std * rmse(test_part.value[known], guess[known]),
    }


def against_numba(repeats: int, rows: int = 20_000_000) -> list[Row]:
    """Twenty million ratings on two threads: the same blocks, rows and updates, written in numba."""
    if is_missing("SVD against the same loop in numba", "numba"):
        return []
    import numba

    numba.set_num_threads(2)
    ratings = generate_ratings(*shape_of(rows), rows)
    size = len(ratings.users), len(ratings.items)
    mean, std = ratings.mean_std()
    value = ((ratings.value - mean) / std).astype(np.float32)
    plan = SgdPlan(ratings.user, ratings.item, value, None, *size, n_blocks(len(ratings), *size))
    order = plan.order()
    user = np.argsort(plan.user_order()).astype(np.int32)[ratings.user[order]]
    item = np.argsort(plan.item_order()).astype(np.int32)[ratings.item[order]]
    data = plan.blocks(), plan.grid, user, item, value[order]
    loop = _numba_loop()
    ours, theirs = _tables(size), _tables(size)
    rates = 0.005, 0.04, 0.005, 0.04
    loop(*data, *theirs, 0.005, 0.04)  # compiled before timing; ours runs once, too
    plan.epoch(*ours, *rates, 2)
    seconds = time_in_turns(
        {
            "foretaste": lambda: plan.epoch(*ours, *rates, 2),
            "numba": lambda: loop(*data, *theirs, 0.005, 0.04),
        },
        repeats,
    )
    return [
        row(
            f"SVD, {len(ratings):,} generated ratings, {FACTORS} factors, one epoch, 2 threads",
            seconds["foretaste"],
            peer=peer_label("numba", "running the same blocks and updates"),
            peer_seconds=seconds["numba"],
            equality={"largest_difference_of_a_factor": float(np.abs(ours[1] - theirs[1]).max())},
            min_ratio=2.5,
        )
    ]


def _tables(size: tuple[int, int]) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    factors = [aligned_zeros(n, FACTORS) for n in size]
    for table in factors:
        table[:] = rng.normal(0, 0.001, table.shape)
    return *factors, *(np.zeros(n, np.float32) for n in size)


def _numba_loop() -> Any:
    import numba

    @numba.njit(parallel=True, fastmath=True)
    def loop(blocks, grid, user, item, value, p, q, bu, bi, rate, reg):
        rate, keep, width = np.float32(rate), np.float32(1 - rate * reg), p.shape[1]
        for stage in range(grid):
            for i in numba.prange(grid):
                block = i * grid + (i + stage) % grid
                for r in range(blocks[block], blocks[block + 1]):
                    pu, qi = p[user[r]], q[item[r]]
                    dot = np.float32(0)
                    for f in range(width):
                        dot += pu[f] * qi[f]
                    step = rate * (value[r] - bu[user[r]] - bi[item[r]] - dot)
                    bu[user[r]] = bu[user[r]] * keep + step
                    bi[item[r]] = bi[item[r]] * keep + step
                    for f in range(width):
                        old = pu[f]
                        pu[f] = old * keep + step * qi[f]
                        qi[f] = qi[f] * keep + step * old

    return loop


if __name__ == "__main__":
    main("sgd", rows, __doc__)
