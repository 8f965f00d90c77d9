"""Alternating least squares, seconds an iteration: against lenskit, cmfrec and implicit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import interleaved, missing, named
from foretaste import HoldOut, Ratings, rmse
from foretaste.models import MODELS

THREADS, RIDGE, ITERATIONS = 2, 10.0, 10
FEW, MANY = 1, 4  # iterations of the two fits whose difference is timed
HOW = {"cholesky": "exact (Cholesky)", "cg": "3 warm conjugate gradients"}
Fit = Callable[[Ratings, int, int], Any]


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if missing("alternating least squares", models=("ALS",)):
        return
    ratings, name = movielens_1m(100_000 if quick else 1_000_000)
    mean, std = ratings.mean_std()
    standard = ratings.replace(value=((ratings.value - mean) / std).astype(np.float32))
    train, test = next(HoldOut(0.1, seed=0).split(standard))
    judged = standard[train], standard[test], std
    for solver, factors in (("cholesky", 64), ("cg", 64), ("cg", 128)):
        yield from compared(solver, factors, standard, judged, name, repeats)


def compared(
    solver: str,
    factors: int,
    ratings: Ratings,
    judged: tuple[Ratings, Ratings, float],
    name: str,
    repeats: int,
) -> Iterator[Row]:
    """Time an iteration of everybody in turns, then let everybody predict the held-out ratings."""
    ours: Fit = lambda train, k, n: by_foretaste(train, k, n, solver)  # noqa: E731 - as short as a name
    peers: dict[str, tuple[Fit, Callable[..., float], str]] = {}
    if solver == "cholesky" and not missing("ALS against lenskit", "lenskit"):
        peers[named("lenskit", "BiasedMF")] = by_lenskit, error_of_lenskit, "same"
    if not missing("ALS against cmfrec", "cmfrec"):
        fit: Fit = lambda train, k, n: by_cmfrec(train, k, n, solver)  # noqa: E731
        peers[named("cmfrec", "CMF, float32")] = fit, error_of_cmfrec, "same"
    if not missing("ALS against implicit", "implicit"):
        fit_ = lambda train, k, n: by_implicit(train, k, n, solver)  # noqa: E731
        peers[named("implicit", "ALS of implicit feedback")] = fit_, misranked_by_implicit, "other"
    everybody: dict[str, Fit] = {"ours": ours, **{peer: fit for peer, (fit, _, _) in peers.items()}}
    if "lenskit" in " ".join(peers):
        everybody["ours on residuals"] = on_residuals
    timed = {}
    for who, fit in everybody.items():
        prepared = layout(who, ratings)
        for n in (FEW, MANY):
            timed[f"{who} {n}"] = lambda fit=fit, n=n, data=prepared: fit(data, factors, n)
    with threadpool_limits(1, "blas"):
        for work in timed.values():
            work()  # compiled, and laid out, before it is timed
        seconds = interleaved(timed, repeats)
        an_iteration = {
            who: (seconds[f"{who} {MANY}"] - seconds[f"{who} {FEW}"]) / (MANY - FEW) for who in everybody
        }
        own = judged[2] * rmse(judged[1].value, ours(judged[0], factors, ITERATIONS).predict(judged[1]))
        for peer, (fit, error, objective) in peers.items():
            lenskit = error is error_of_lenskit
            yield row(
                f"ALS, {HOW[solver]}, {len(ratings):,} ratings ({name}), {factors} factors, {THREADS} threads"
                f", one iteration" + (", biases taken out beforehand" if lenskit else ""),
                an_iteration["ours on residuals" if lenskit else "ours"],
                peer=peer,
                peer_seconds=an_iteration[peer],
                objective=objective,
                equality=equality(own, peer, fit, error, factors, judged),
                at_most=0.075 if solver == "cholesky" else None,
                k_core=2.5 if solver == "cg" else None,
            )


def equality(
    own: float,
    peer: str,
    fit: Fit,
    error: Callable[..., float],
    factors: int,
    judged: tuple[Ratings, Ratings, float],
) -> dict[str, float]:
    """Return how both predict the held-out ratings, in rating units; implicit's scores are no ratings."""
    train, test, std = judged
    theirs = error(fit(layout(peer, train), factors, ITERATIONS), train, test)
    if error is misranked_by_implicit:
        return {"foretaste_rmse": own, "peer_share_of_held_out_below_a_random_item": theirs}
    if error is error_of_lenskit:
        left, biases = residuals(train)
        guess = on_residuals(left, factors, ITERATIONS).predict(test) + biases(test)
        own = std * rmse(test.value, guess)
    return {"foretaste_rmse": own, "peer_rmse": std * theirs}


def layout(who: str, ratings: Ratings) -> Any:
    """Return the ratings as somebody's fit takes them, which is no part of the time."""
    if who.startswith("lenskit"):
        import pandas as pd
        from lenskit.data import from_interactions_df

        frame = pd.DataFrame(
            {"user_id": ratings.user_ids, "item_id": ratings.item_ids, "rating": ratings.value}
        )
        return from_interactions_df(frame)
    if who.startswith("implicit"):
        from scipy.sparse import csr_matrix

        ones = np.ones(len(ratings), np.float32)
        return csr_matrix(
            (ones, (ratings.user, ratings.item)), shape=(len(ratings.users), len(ratings.items))
        )
    if who.startswith("cmfrec"):
        from scipy.sparse import coo_matrix

        return coo_matrix(
            (ratings.value, (ratings.user, ratings.item)), shape=(len(ratings.users), len(ratings.items))
        )
    return residuals(ratings)[0] if who == "ours on residuals" else ratings


def by_foretaste(ratings: Ratings, factors: int, iterations: int, solver: str) -> Any:
    """Fit with one ridge for factors and biases alike: what cmfrec minimises."""
    return MODELS["ALS"](
        factors=factors, epochs=iterations, solver=solver, cg_steps=3, regularization=0, damping=RIDGE, growth=0,
        bias_damping=RIDGE, threads=THREADS, clip=False,
    ).fit(ratings)  # fmt: skip


def by_cmfrec(matrix: Any, factors: int, iterations: int, solver: str) -> Any:
    from cmfrec import CMF

    return CMF(
        k=factors, lambda_=RIDGE, method="als", use_cg=solver == "cg", max_cg_cg_steps=3, finalize_chol=False,
        niter=iterations, use_float=True, nthreads=THREADS, precompute_for_predictions=False, verbose=False,
    ).fit(matrix)  # fmt: skip


def error_of_cmfrec(peer: Any, train: Ratings, test: Ratings) -> float:
    user, item = train.users.indices_of(test.user_ids), train.items.indices_of(test.item_ids)
    bias = np.append(peer.user_bias_, 0)[user] + np.append(peer.item_bias_, 0)[item]
    p, q = (np.vstack([table, np.zeros_like(table[:1])]) for table in (peer.A_, peer.B_))
    return float(rmse(test.value, peer.glob_mean_ + bias + np.einsum("nk,nk->n", p[user], q[item])))


LENSKIT_RIDGE, LENSKIT_DAMPING = 0.1, 5.0


def by_lenskit(data: Any, factors: int, iterations: int) -> Any:
    from lenskit.als import BiasedMFScorer
    from lenskit.parallel import get_parallel_config, initialize
    from lenskit.training import TrainingOptions

    if not hasattr(by_lenskit, "ready"):
        initialize(threads=THREADS, backend_threads=1)
        assert get_parallel_config().threads == THREADS
        by_lenskit.ready = True  # type: ignore[attr-defined]
    peer = BiasedMFScorer(
        embedding_size=factors, epochs=iterations, regularization=LENSKIT_RIDGE, damping=LENSKIT_DAMPING
    )
    peer.train(data, TrainingOptions(rng=0))
    return peer


def error_of_lenskit(peer: Any, train: Ratings, test: Ratings) -> float:
    user, item = (
        peer.users.numbers(test.user_ids, missing="negative"),
        peer.items.numbers(test.item_ids, missing="negative"),
    )
    bias = np.append(peer.bias.user_biases, 0)[user] + np.append(peer.bias.item_biases, 0)[item]
    p, q = (np.vstack([t, np.zeros_like(t[:1])]) for t in (peer.user_embeddings, peer.item_embeddings))
    return float(rmse(test.value, peer.bias.global_bias + bias + np.einsum("nk,nk->n", p[user], q[item])))


def residuals(ratings: Ratings) -> tuple[Ratings, Callable[[Ratings], np.ndarray]]:
    """Take out the biases as lenskit does: items' first, then users'; return also what gives them back."""
    mean = float(ratings.value.mean(dtype=np.float64))
    left = ratings.value.astype(np.float64) - mean
    biases = []
    for code, n in ((ratings.item, len(ratings.items)), (ratings.user, len(ratings.users))):
        bias = np.bincount(code, left, n) / (np.bincount(code, minlength=n) + LENSKIT_DAMPING)
        left -= bias[code]
        biases.append(np.append(bias, 0))  # the last is that of the unknown

    def back(pairs: Ratings) -> np.ndarray:
        item, user = ratings.items.indices_of(pairs.item_ids), ratings.users.indices_of(pairs.user_ids)
        return mean + biases[0][item] + biases[1][user]

    return ratings.replace(value=left.astype(np.float32)), back


def on_residuals(left: Ratings, factors: int, iterations: int) -> Any:
    """Fit the factors alone, as lenskit does; ours are in standard deviations, which moves the ridge."""
    return MODELS["ALS"](
        factors=factors, epochs=iterations, solver="cholesky", damping=0, growth=0, biased=False,
        regularization=LENSKIT_RIDGE / left.mean_std()[1], threads=THREADS, clip=False,
    ).fit(left)  # fmt: skip


def by_implicit(matrix: Any, factors: int, iterations: int, solver: str) -> Any:
    from implicit.als import AlternatingLeastSquares

    peer = AlternatingLeastSquares(
        factors=factors, iterations=iterations, use_cg=solver == "cg", use_gpu=False, num_threads=THREADS,
        random_state=0,
    )  # fmt: skip
    peer.fit(matrix, show_progress=False)
    return peer


def misranked_by_implicit(peer: Any, train: Ratings, test: Ratings) -> float:
    """Return how often a held-out item gets less than one drawn at random; half is chance."""
    user, item = train.users.indices_of(test.user_ids), train.items.indices_of(test.item_ids)
    known = (user >= 0) & (item >= 0)
    p, q = peer.user_factors[user[known]], peer.item_factors
    drawn = np.random.default_rng(0).integers(len(q), size=len(p))
    held, other = (np.einsum("nk,nk->n", p, q[items]) for items in (item[known], drawn))
    return float(np.mean(held < other))


if __name__ == "__main__":
    main("alternating", rows, __doc__)
