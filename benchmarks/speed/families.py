"""Whole models, fit and test on one fold, against those of scikit-surprise with the same parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import interleaved, missing, named
from foretaste import KFold, Ratings, rmse
from foretaste.models import MODELS

THREADS = 2


@dataclass
class Pairing:
    """One of our models and the peer's, so set that both do the same.

    Parameters
    ----------
    ours, theirs : str
        Names of models.
    own, peer : function of the ratings
        Return the parameters of either.
    standard : bool
        Whether both get ratings in standard deviations, in which ours learns anyway.
    at_least : float
        The ratio aimed at.
    once : bool
        It takes minutes: one run.
    """

    ours: str
    theirs: str
    own: Callable[[Ratings], dict[str, Any]]
    peer: dict[str, Any]
    standard: bool = False
    at_least: float = 20
    once: bool = False


def _nmf(ratings: Ratings) -> dict[str, Any]:
    """The peer's zero lies at 0 and its numbers are ratings; ours are in standard deviations."""
    low, high = float(ratings.value.min()), float(ratings.value.max())
    std = ratings.mean_std()[1]
    return {
        "factors": 15, "epochs": 50, "biased": False, "update_order": "simultaneous", "margin": low / (high - low),
        "regularization": 0.06 / std, "damping": 0, "init_max": std**-0.5,
    }  # fmt: skip


def _knn(similarity: str) -> dict[str, Any]:
    return {
        "similarity": similarity, "norm_over": "common", "standardize": False, "shrinkage": 0, "centering": "none",
        "damping": 0, "neighbors": 40, "max_stored_neighbors": None,
    }  # fmt: skip


SVDPP = {"n_factors": 20, "n_epochs": 20, "lr_all": 0.007, "reg_all": 0.02, "init_std_dev": 0.1}
PAIRINGS = (
    Pairing("SlopeOne", "SlopeOne", lambda _: {"scheme": "plain"}, {}),
    Pairing(
        "CoClustering",
        "CoClustering",
        lambda _: {
            "user_clusters": 3,
            "item_clusters": 3,
            "epochs": 20,
            "n_init": 1,
            "base": "means",
            "damping": 0,
            "user_damping": 0,
            "item_damping": 0,
        },
        {"n_cltr_u": 3, "n_cltr_i": 3, "n_epochs": 20},
    ),
    Pairing("NMF", "NMF", _nmf, {"n_factors": 15, "n_epochs": 50, "reg_pu": 0.06, "reg_qi": 0.06}),
    Pairing(
        "UserKNN",
        "KNNBasic",
        lambda _: _knn("msd"),
        {"k": 40, "sim_options": {"name": "msd", "user_based": True}, "verbose": False},
    ),
    Pairing(
        "ItemKNN",
        "KNNBasic",
        lambda _: _knn("cosine"),
        {"k": 40, "sim_options": {"name": "cosine", "user_based": False}, "verbose": False},
    ),
    Pairing(
        "SVDpp",
        "SVDpp",
        lambda _: {
            "factors": 20,
            "epochs": 20,
            "learning_rate": 0.007,
            "regularization": 0.02,
            "implicit_learning_rate": 1,
            "implicit_regularization": 0.02,
            "init_std": 0.1,
            "schedule": "constant",
        },
        SVDPP,
        standard=True,
        k_core=60,
        once=True,
    ),
)


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if missing("whole models", "scikit-surprise"):
        return
    ratings, name = movielens_1m(20_000 if quick else 1_000_000)
    for pairing in PAIRINGS:
        if not missing(pairing.ours, models=(pairing.ours,)):
            yield compared(pairing, ratings, name, 1 if pairing.once else min(repeats, 3))


def compared(pairing: Pairing, ratings: Ratings, name: str, repeats: int) -> Row:
    """Fit both on four fifths and predict the rest, in turns."""
    mean, std = ratings.mean_std() if pairing.standard else (0.0, 1.0)
    ratings = ratings.replace(value=((ratings.value - mean) / std).astype(np.float32))
    train, test = next(KFold(5, seed=0).split(ratings))
    learn, judge = ratings[train], ratings[test]
    own = {"threads": THREADS, **pairing.own(learn)}
    known = MODELS[pairing.ours].param_specs()
    model = MODELS[pairing.ours](**{key: value for key, value in own.items() if key in known})
    trainset, testset = laid_out(ratings, learn, judge)
    guesses: dict[str, np.ndarray] = {}

    def ours() -> None:
        guesses["ours"] = model.fit(learn).predict(judge)

    def theirs() -> None:
        import surprise

        seeded = {"random_state": 0} if pairing.theirs in ("NMF", "CoClustering", "SVDpp") else {}
        peer = getattr(surprise, pairing.theirs)(**pairing.peer, **seeded).fit(trainset)
        guesses["theirs"] = np.array([one.est for one in peer.test(testset)])

    seconds = interleaved({"ours": ours, "theirs": theirs}, repeats)
    gap = np.abs(guesses["ours"] - guesses["theirs"])
    return row(
        f"{pairing.ours}, fit on {len(learn):,}, test on {len(judge):,} ratings ({name}), {THREADS} threads"
        + (", 20 factors, 20 epochs, one run" if pairing.once else ""),
        seconds["ours"],
        peer=named("scikit-surprise", f"{pairing.theirs} (one thread)"),
        peer_seconds=seconds["theirs"],
        equality={
            "foretaste_rmse": std * rmse(judge.value, guesses["ours"]),
            "peer_rmse": std * rmse(judge.value, guesses["theirs"]),
            "share_within_.001": float(np.mean(gap < 0.001)),
        },
        k_core=pairing.k_core,
    )


def laid_out(ratings: Ratings, learn: Ratings, judge: Ratings) -> tuple[Any, list[tuple[int, int, float]]]:
    """Return the peer's own forms of both parts, which is no part of the time."""
    import pandas as pd
    from surprise import Dataset, Reader

    scale = float(ratings.value.min()), float(ratings.value.max())
    frame = pd.DataFrame({"u": learn.user_ids, "i": learn.item_ids, "r": learn.value})
    trainset = Dataset.load_from_df(frame, Reader(rating_scale=scale)).build_full_trainset()
    columns = judge.user_ids.tolist(), judge.item_ids.tolist(), judge.value.tolist()
    return trainset, list(zip(*columns, strict=True))


if __name__ == "__main__":
    main("families", rows, __doc__)
