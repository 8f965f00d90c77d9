"""ALS, seconds per iteration: against lenskit, cmfrec and implicit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import HoldOut, Ratings, rmse
from foretaste.models import MODELS

THREADS, RIDGE, ITERATIONS = 2, 10.0, 10
SHORT_RUN, LONG_RUN = 1, 4  # iterations of the two fits whose difference is work
HOW = {"cholesky": "exact (Cholesky)", "cg": "3 warm conjugate gradients"}
Fit = Callable[[Ratings, int, int], Any]


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("alternating least squares", models=("ALS",)):
        return
    ratings, name = movielens_1m(100_000 if quick else 1_000_000)
    mean, std = ratings.mean_std()
    standard = ratings.replace(value=((ratings.value - mean) / std).astype(np.float32))
    train, test = next(HoldOut(0.1, seed=0).split(standard))
    holdout = standard[train], standard[test], std
    for solver, factors in (("cholesky", 64), ("cg", 64), ("cg", 128)):
        yield from compare_solver(solver, factors, standard, holdout, name, repeats)


def compare_solver(
    solver: str,
    factors: int,
    ratings: Ratings,
    holdout: tuple[Ratings, Ratings, float],
    name: str,
    repeats: int,
) -> Iterator[Row]:
    """Time an iteration of each library in turns, then compare predictions of the held-out ratings."""
    ours: Fit = lambda train, k, n: by_foretaste(train, k, n, solver)  # noqa: E731
    peers: dict[str, tuple[Fit, Callable[..., float], str]] = {}
    if solver == "cholesky" and not is_missing("ALS against lenskit", "lenskit"):
        peers[peer_label("lenskit", "BiasedMF")] = by_lenskit, error_of_lenskit, "same"
    if not is_missing("ALS against cmfrec", "cmfrec"):
        fit: Fit = lambda train, k, n: by_cmfrec(train, k, n, solver)  # noqa: E731
        peers[peer_label("cmfrec", "CMF, float32")] = fit, error_of_cmfrec, "same"
    if not is_missing("ALS against implicit", "implicit"):
        fit_ = lambda train, k, n: by_implicit(train, k, n, solver)  # noqa: E731
        peers[peer_label("implicit", "ALS of implicit feedback")] = fit_, misranked_by_implicit, "other"
    fits: dict[str, Fit] = {"ours": ours, **{peer: fit for peer, (fit, _, _) in peers.items()}}
    if "lenskit" in " ".join(peers):
        fits["ours on residuals"] = on_residuals
    work = {}
    for solver_name, fit in fits.items():
        prepared = layout(solver_name, ratings)
        for n in (SHORT_RUN, LONG_RUN):
            work[f"{solver_name} {n}"] = lambda fit=fit, n=n, data=prepared: fit(data, factors, n)
    with threadpool_limits(1, "blas"):
        for run in work.values():
            run()  # compile and lay out before timing
        seconds = time_in_turns(work, repeats)
        iteration_seconds = {
            solver_name: (seconds[f"{solver_name} {LONG_RUN}"] - seconds[f"{solver_name} {SHORT_RUN}"])
            / (LONG_RUN - SHORT_RUN)
            for solver_name in fits
        }
        our_rmse = holdout[2] * rmse(
            holdout[1].value, ours(holdout[0], factors, ITERATIONS).predict(holdout[1])
        )
        for peer, (fit, error, objective) in peers.items():
            lenskit = error is error_of_lenskit
            yield row(
                f"ALS, {HOW[solver]}, {len(ratings):,} ratings ({name}), {factors} factors, {THREADS} threads"
                f", one iteration" + (", biases taken out beforehand" if lenskit else ""),
                iteration_seconds["ours on residuals" if lenskit else "ours"],
                peer=peer,
                peer_seconds=iteration_seconds[peer],
                objective=objective,
                equality=equality(our_rmse, peer, fit, error, factors, holdout),
                max_seconds=0.075 if solver == "cholesky" else None,
                min_ratio=2.5 if solver == "cg" else None,
            )


def equality(
    our_rmse: float,
    peer: str,
    fit: Fit,
    error: Callable[..., float],
    factors: int,
    holdout: tuple[Ratings, Ratings, float],
) -> dict[str, float]:
    """Return the errors of both on the held-out ratings, in rating units; implicit has scores only."""
    train, test, std = holdout
    theirs = error(fit(layout(peer, train), factors, ITERATIONS), train, test)
    if error is misranked_by_implicit:
        return {"foretaste_rmse": our_rmse, "peer_share_of_held_out_below_a_random_item": theirs}
    if error is error_of_lenskit:
        residual, biases = residuals(train)
        guess = on_residuals(residual, factors, ITERATIONS).predict(test) + biases(test)
        our_rmse = std * rmse(test.value, guess)
    return {"foretaste_rmse": our_rmse, "peer_rmse": std * theirs}


def layout(solver_name: str, ratings: Ratings) -> Any:
    """Return the ratings in the form of a library, which is not timed."""
    if solver_name.startswith("lenskit"):
        import pandas as pd
        from lenskit.data import from_interactions_df

        frame = pd.DataFrame(
            {"user_id": ratings.user_ids, "item_id": ratings.item_ids, "rating": ratings.value}
        )
        return from_interactions_df(frame)
    if solver_name.startswith("implicit"):
        from scipy.sparse import csr_matrix

        ones = np.ones(len(ratings), np.float32)
        return csr_matrix(
            (ones, (ratings.user, ratings.item)), shape=(len(ratings.users), len(ratings.items))
        )
    if solver_name.startswith("cmfrec"):
        from scipy.sparse import coo_matrix

        return coo_matrix(
            (ratings.value, (ratings.user, ratings.item)), shape=(len(ratings.users), len(ratings.items))
        )
    return residuals(ratings)[0] if solver_name == "ours on residuals" else ratings


def by_foretaste(ratings: Ratings, factors: int, iterations: int, solver: str) -> Any:
    """Fit with one ridge for factors and biases alike: cmfrec's objective."""
    return MODELS["ALS"](
        factors=factors, epochs=iterations, solver=solver, cg_steps=3, regularization=0, damping=RIDGE,
        growth=0, bias_damping=RIDGE, threads=THREADS, clip=False,
    ).fit(ratings)  # fmt: skip


def by_cmfrec(matrix: Any, factors: int, iterations: int, solver: str) -> Any:
    from cmfrec import CMF

    return CMF(
        k=factors, lambda_=RIDGE, method="als", use_cg=solver == "cg", max_cg_steps=3, finalize_chol=False,
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
    """Subtract the biases as lenskit does, items' first, then users'; also return what adds them."""
    mean = float(ratings.value.mean(dtype=np.float64))
    residual = ratings.value.astype(np.float64) - mean
    biases = []
    for code, n in ((ratings.item, len(ratings.items)), (ratings.user, len(ratings.users))):
        bias = np.bincount(code, residual, n) / (np.bincount(code, minlength=n) + LENSKIT_DAMPING)
        residual -= bias[code]
        biases.append(np.append(bias, 0))  # the last one is for unknown ids

    def back(pairs: Ratings) -> np.ndarray:
        item, user = ratings.items.indices_of(pairs.item_ids), ratings.users.indices_of(pairs.user_ids)
        return mean + biases[0][item] + biases[1][user]

    return ratings.replace(value=residual.astype(np.float32)), back


def on_residuals(residual: Ratings, factors: int, iterations: int) -> Any:
    """Fit the factors alone, as lenskit does; ours are in standard deviations, which scales the ridge."""
    return MODELS["ALS"](
        factors=factors, epochs=iterations, solver="cholesky", damping=0, growth=0, biased=False,
        regularization=LENSKIT_RIDGE / residual.mean_std()[1], threads=THREADS, clip=False,
    ).fit(residual)  # fmt: skip


def by_implicit(matrix: Any, factors: int, iterations: int, solver: str) -> Any:
    from implicit.als import AlternatingLeastSquares

    peer = AlternatingLeastSquares(
        factors=factors, iterations=iterations, use_cg=solver == "cg", use_gpu=False, num_threads=THREADS,
        random_state=0,
    )  # fmt: skip
    peer.fit(matrix, show_progress=False)
    return peer


def misranked_by_implicit(peer: Any, train: Ratings, test: Ratings) -> float:
    """Return how often a held-out item scores below a random one; 0.5 is chance."""
    user, item = train.users.indices_of(test.user_ids), train.items.indices_of(test.item_ids)
    known = (user >= 0) & (item >= 0)
    p, q = peer.user_factors[user[known]], peer.item_factors
    random_items = np.random.default_rng(0).integers(len(q), size=len(p))
    held_out_score, other = (np.einsum("nk,nk->n", p, q[items]) for items in (item[known], random_items))
    return float(np.mean(held_out_score < other))


if __name__ == "__main__":
    main("als", rows, __doc__)
