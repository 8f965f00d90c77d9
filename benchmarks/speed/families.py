"""Whole models, fit and test on one fold, against those of scikit-surprise with the same parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.data import movielens_1m
from benchmarks.speed.rows import Row, main, row
from benchmarks.timing import is_missing, peer_label, time_in_turns
from foretaste import KFold, Ratings, rmse
from foretaste.models import MODELS

THREADS = 2


@dataclass
class Pairing:
    """One of our models and the peer's, configured to do the same.

    Parameters
    ----------
    ours, theirs : str
        Names of the models.
    own, peer : function of the ratings, and dict
        The parameters of either.
    standard : bool
        Whether both get standardized ratings, in which ours trains anyway.
    min_ratio : float
        Target ratio.
    once : bool
        Takes minutes: one run.
    """

    ours: str
    theirs: str
    own: Callable[[Ratings], dict[str, Any]]
    peer: dict[str, Any]
    standard: bool = False
    min_ratio: float = 20
    once: bool = False


def _nmf(ratings: Ratings) -> dict[str, Any]:
    """The peer's zero lies at 0 and its numbers are ratings; ours are in standard deviations."""
    low, high = float(ratings.value.min()), float(ratings.value.max())
    std = ratings.mean_std()[1]
    return {
        "factors": 15, "epochs": 50, "biased": False, "update_order": "simultaneous",
        "margin": low / (high - low),
        "regularization": 0.06 / std, "damping": 0, "init_max": std**-0.5,
    }  # fmt: skip


def _knn(similarity: str) -> dict[str, Any]:
    return {
        "similarity": similarity, "norm_over": "common", "standardize": False, "shrinkage": 0,
        "centering": "none",
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
        min_ratio=60,
        once=True,
    ),
)


def rows(quick: bool, repeats: int) -> Iterator[Row]:
    if is_missing("whole models", "scikit-surprise"):
        return
    ratings, name = movielens_1m(20_000 if quick else 1_000_000)
    for pairing in PAIRINGS:
        if not is_missing(pairing.ours, models=(pairing.ours,)):
            yield compare_models(pairing, ratings, name, 1 if pairing.once else min(repeats, 3))


def compare_models(pairing: Pairing, ratings: Ratings, name: str, repeats: int) -> Row:
    """Fit both on four fifths and predict the rest, in turns."""
    mean, std = ratings.mean_std() if pairing.standard else (0.0, 1.0)
    ratings = ratings.replace(value=((ratings.value - mean) / std).astype(np.float32))
    train, test = next(KFold(5, seed=0).split(ratings))
    train_part, test_part = ratings[train], ratings[test]
    own = {"threads": THREADS, **pairing.own(train_part)}
    known = MODELS[pairing.ours].param_specs()
    model = MODELS[pairing.ours](**{key: value for key, value in own.items() if key in known})
    trainset, testset = to_surprise(ratings, train_part, test_part)
    predictions: dict[str, np.ndarray] = {}

    def ours() -> None:
        predictions["ours"] = model.fit(train_part).predict(test_part)

    def theirs() -> None:
        import surprise

        seeded = {"random_state": 0} if pairing.theirs in ("NMF", "CoClustering", "SVDpp") else {}
        peer = getattr(surprise, pairing.theirs)(**pairing.peer, **seeded).fit(trainset)
        predictions["theirs"] = np.array([one.est for one in peer.test(testset)])

    seconds = time_in_turns({"ours": ours, "theirs": theirs}, repeats)
    gap = np.abs(predictions["ours"] - predictions["theirs"])
    return row(
        f"{pairing.ours}, fit on {len(train_part):,}, test on {len(test_part):,} ratings ({name}), "
        f"{THREADS} threads" + (", 20 factors, 20 epochs, one run" if pairing.once else ""),
        seconds["ours"],
        peer=peer_label("scikit-surprise", f"{pairing.theirs} (one thread)"),
        peer_seconds=seconds["theirs"],
        equality={
            "foretaste_rmse": std * rmse(test_part.value, predictions["ours"]),
            "peer_rmse": std * rmse(test_part.value, predictions["theirs"]),
            "share_within_.001": float(np.mean(gap < 0.001)),
        },
        min_ratio=pairing.min_ratio,
    )


def to_surprise(
    ratings: Ratings, train_part: Ratings, test_part: Ratings
) -> tuple[Any, list[tuple[int, int, float]]]:
    """Return both parts in the forms of the peer, which is not timed."""
    import pandas as pd
    from surprise import Dataset, Reader

    scale = float(ratings.value.min()), float(ratings.value.max())
    frame = pd.DataFrame({"u": train_part.user_ids, "i": train_part.item_ids, "r": train_part.value})
    trainset = Dataset.load_from_df(frame, Reader(rating_scale=scale)).build_full_trainset()
    columns = test_part.user_ids.tolist(), test_part.item_ids.tolist(), test_part.value.tolist()
    return trainset, list(zip(*columns, strict=True))


if __name__ == "__main__":
    main("families", rows, __doc__)
