"""Fitted state and predictions on fixed data, as JSON: digests, or values where BLAS may round differently.

    FORETASTE_ISA=plain python tests/model_digests.py contract
    FORETASTE_ISA=plain python tests/model_digests.py ml-100k u.data
    FORETASTE_ISA=plain python tests/model_digests.py torch

``test_model_digests.py`` compares its output with ``data/model_digests.json``, which version 0.1.0 wrote.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Any

import numpy as np
from contract.conftest import with_timestamps
from synthetic import planted

from foretaste import _native
from foretaste.errors import NotSupportedError
from foretaste.evaluation import compare, cross_validate
from foretaste.ids import IdIndex
from foretaste.models import MODELS, Model
from foretaste.ratings import Ratings
from foretaste.recommendation import fold_in, recommend

Entry = dict[str, Any]
Table = list[tuple[str, str, dict[str, Any], str]]

# key, model, parameters, and of: w = with weights, m = on MovieLens too, f = new users and items there too.
CASES: Table = [
    ("normal_random", "NormalRandom", {"seed": 3}, "m"),
    ("global_mean", "GlobalMean", {}, "mf"),
    ("item_mean", "ItemMean", {}, "mf"),
    ("user_mean", "UserMean", {}, "mf"),
    ("user_item_mean", "UserItemMean", {}, "mf"),
    ("user_item_mean weights unclipped", "UserItemMean", {"clip": False}, "w"),
    ("bias", "Bias", {}, "mf"),
    ("bias weights", "Bias", {"user_damping": 2.0}, "wm"),
    ("bias als", "Bias", {"method": "als", "epochs": 7}, "m"),
    ("bias sgd", "Bias", {"method": "sgd", "epochs": 7}, "m"),
    ("knn_imputation", "KNNImputation", {}, "m"),
    ("knn_imputation distance", "KNNImputation", {"weights": "distance", "neighbors": 5}, "m"),
    ("knn_imputation zero", "KNNImputation", {"unknown_item": "zero"}, ""),
    ("svd", "SVD", {"factors": 16, "epochs": 6, "seed": 1, "init_std": 0.1}, "mf"),
    ("svd unbiased", "SVD", {"factors": 17, "epochs": 6, "biased": False, "init_std": 0.1}, "mf"),
    ("svd weights", "SVD", {"factors": 8, "epochs": 6, "init_std": 0.1, "schedule": "cosine"}, "wm"),
    ("svd early stop", "SVD", {"factors": 8, "epochs": 9, "validation_fraction": 0.1, "patience": 2}, "m"),
    ("svd constant", "SVD", {"factors": 96, "epochs": 3, "schedule": "constant", "init_std": 0.1}, "m"),
    ("svdpp", "SVDpp", {"factors": 16, "epochs": 4, "implicit_learning_rate": 0.05}, "mf"),
    ("svdpp weights", "SVDpp", {"factors": 5, "epochs": 4, "init_std": 0.01}, "w"),
    ("time_svdpp", "TimeSVDpp", {"factors": 8, "epochs": 4}, "mf"),
    ("time_svdpp factors", "TimeSVDpp", {"factors": 8, "epochs": 3, "drift": "factors"}, "m"),
    ("time_svdpp none", "TimeSVDpp", {"factors": 8, "epochs": 3, "drift": "none", "bins": 7}, "w"),
    ("item_knn", "ItemKNN", {}, "mf"),
    ("item_knn cosine", "ItemKNN", {"similarity": "cosine", "centering": "none"}, "m"),
    ("item_knn adjusted", "ItemKNN", {"similarity": "adjusted_cosine", "centering": "mean"}, "m"),
    ("item_knn pearson", "ItemKNN", {"similarity": "pearson", "centering": "z_score"}, "m"),
    ("item_knn msd", "ItemKNN", {"similarity": "msd", "max_stored_neighbors": 9, "min_support": 3}, "m"),
    ("item_knn negative", "ItemKNN", {"negative": True, "norm_over": "common", "standardize": False}, ""),
    ("user_knn", "UserKNN", {"significance_weighting": 20}, "mf"),
    ("user_knn cosine", "UserKNN", {"similarity": "cosine", "norm_over": "common"}, "m"),
    ("user_knn adjusted", "UserKNN", {"similarity": "adjusted_cosine", "bias_epochs": 10}, ""),
    ("user_knn pearson", "UserKNN", {"similarity": "pearson", "shrinkage": 0.0}, "m"),
    ("user_knn msd", "UserKNN", {"similarity": "msd", "neighbors": 5, "centering": "mean"}, ""),
    ("slope_one", "SlopeOne", {}, "mf"),
    ("slope_one plain", "SlopeOne", {"scheme": "plain"}, ""),
    ("slope_one bi_polar", "SlopeOne", {"scheme": "bi_polar"}, ""),
    ("als", "ALS", {"factors": 16, "epochs": 4}, "mf"),
    ("als unbiased", "ALS", {"factors": 8, "epochs": 4, "biased": False, "growth": 0.3}, "mf"),
    ("als cg", "ALS", {"factors": 17, "epochs": 4, "solver": "cg", "cg_steps": 2, "init_std": 0.2}, "m"),
    ("als non_negative", "ALS", {"factors": 5, "epochs": 3, "non_negative": True}, "m"),
    ("als weights", "ALS", {"factors": 5, "epochs": 4}, "wm"),
    ("nmf", "NMF", {"factors": 8, "epochs": 10, "init_max": 0.5}, "mf"),
    ("nmf simultaneous", "NMF", {"factors": 8, "epochs": 10, "update_order": "simultaneous"}, "m"),
    ("nmf unbiased", "NMF", {"factors": 5, "epochs": 10, "biased": False, "margin": 0.5}, "w"),
    ("popularity", "Popularity", {}, "mf"),
    ("popularity mean", "Popularity", {"rank_by": "mean", "damping": 3.0}, "wm"),
    ("global_effects", "GlobalEffects", {}, "mf"),
    ("global_effects weights", "GlobalEffects", {"sweeps": 2}, "w"),
    ("co_clustering", "CoClustering", {"user_clusters": 3, "item_clusters": 2, "n_init": 3}, "mf"),
    ("co_clustering means", "CoClustering", {"base": "means", "n_init": 2, "epochs": 5}, "w"),
    ("ease", "EASE", {"regularization": 200.0}, "mf"),
    ("ease binary", "EASE", {"target": "binary"}, "m"),
    (
        "blend",
        "Blend",
        {"models": ["Bias", ("SVD", {"factors": 4, "epochs": 3}), ("ItemKNN", {"neighbors": 7})], "folds": 3},
        "mf",
    ),
    ("blend weights", "Blend", {"models": ["GlobalEffects", "Bias"], "support": False, "folds": 2}, "w"),
]

_QUICK = {"factors": 4, "epochs": 3, "batch_size": 128, "learning_rate": 0.02, "device": "cpu"}
_ROWS = {"hidden": 8, "epochs": 4, "batch_size": 8, "learning_rate": 0.01, "device": "cpu"}
TORCH: Table = [
    ("torch_mf", "TorchMF", _QUICK, ""),
    ("torch_mf unbiased", "TorchMF", _QUICK | {"biased": False, "init": "uniform", "init_std": 0.1}, ""),
    ("torch_mf norms", "TorchMF", _QUICK | {"penalty": "norms", "validation_fraction": 0.2}, "w"),
    ("torch_recommender", "TorchRecommender", _QUICK, ""),
    ("torch_recommender huber", "TorchRecommender", _QUICK | {"loss": "huber", "schedule": "cosine"}, ""),
    ("torch_recommender ordinal", "TorchRecommender", _QUICK | {"loss": "ordinal"}, ""),
    ("torch_recommender bpr", "TorchRecommender", _QUICK | {"loss": "bpr"}, ""),
    ("autorec", "AutoRec", _ROWS | {"regularization": 10.0, "rated_offset": 2.0}, ""),
    ("autorec user", "AutoRec", _ROWS | {"entity": "user", "n_ensemble": 2, "regularization": 10.0}, ""),
    ("sparse_fc", "SparseFC", _ROWS | {"regularization": 3.0, "layers": 2}, ""),
    ("factorization_machine", "FactorizationMachine", _QUICK | {"id_dropout": 0.2}, "t"),
    ("factorization_machine plain", "FactorizationMachine", _QUICK, ""),
    ("neural_mf", "NeuralMF", _QUICK | {"hidden": 8, "init_std": 0.1}, "t"),
]

# What passes through BLAS or LAPACK, or numpy functions that depend on the processor: numbers, not digests.
INEXACT = (
    "*_penalty_", "*user_covariance_",  # inverse and product of matrices
    "svd*/fold_in *", "time_svdpp*/fold_in *", "blend*/fold_in *",  # these are ridge regressions against them
    "blend*/weight_", "blend*/predict*",  # solves normal equations
    "ease*/weight_", "ease*/slope_", "ease*/mean_", "ease*/predict*", "ease*/fold_in *",  # inverts
    # sums by SIMD
    "popularity*/mean_", "popularity*/slope_", "popularity*/predict*", "popularity*/fold_in *",
)  # fmt: skip
SAMPLE = 16


def main(part: str, path: str = "") -> dict[str, Entry]:
    """Return one part of the table by key."""
    if part == "contract":
        ratings, new = with_timestamps(planted()), with_timestamps(_others())
        found = dict(_entries(CASES, ratings, new, [ratings, new], matrix=True))
        return found | _kernels() | _uses(ratings)
    if part == "ml-100k":
        ratings = _movielens(path)
        train = ratings[np.arange(len(ratings)) % 5 != 0]
        cases = [(key, name, params, flags) for key, name, params, flags in CASES if "m" in flags]
        found = dict(_entries(cases, train, _renamed(ratings), [ratings], matrix=False))
        return found | _uses(train)
    return {key: {"first": _torch(name, params, flags)} for key, name, params, flags in TORCH}


# Data ----------------------------------------------------------------------------------------------------


def _others() -> Ratings:
    """Return ratings of which some users and items are those of ``planted()``."""
    other = planted(seed=1, users=35, items=50, rows=500)
    return Ratings.from_columns(other.user_ids - 6, other.item_ids + 8, other.value)


def _movielens(path: str) -> Ratings:
    user, item, value, seconds = np.loadtxt(path, dtype=np.int64).T
    return Ratings.from_columns(user, item, value, timestamp=seconds)


def _renamed(ratings: Ratings) -> Ratings:
    """Return the ratings of 50 users and 400 items, half of each under ids that no model knows."""
    few = ratings[(ratings.user < 50) & (ratings.item < 400)]
    user = few.user_ids + 10_000 * (few.user_ids % 2)
    return Ratings.from_columns(
        user, few.item_ids + 10_000 * (few.item_ids % 2), few.value, timestamp=few.timestamp
    )


def _weighted(ratings: Ratings) -> Ratings:
    rng = np.random.default_rng(5)
    return ratings.replace(weight=rng.choice([0.25, 1, 2], len(ratings)).astype(np.float32))


# Digests -------------------------------------------------------------------------------------------------


def _shown(key: str, name: str, value: Any) -> Any:
    """Return a digest, or some of the numbers."""
    array = np.ascontiguousarray(value)
    if array.dtype == object:
        return hashlib.sha256(repr(array.tolist()).encode()).hexdigest()[:24]
    if array.dtype.kind == "f" and any(fnmatch(f"{key}/{name}", pattern) for pattern in INEXACT):
        return _sampled(array)
    return hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()[:24]


def _sampled(array: np.ndarray) -> list[float]:
    flat = array.ravel()
    rows = np.unique(np.linspace(0, max(0, len(flat) - 1), SAMPLE).astype(int)) if len(flat) else []
    return [float(f"{float(flat[row]):.7g}") for row in rows]


def _made(name: str, params: dict[str, Any]) -> Model:
    params = dict(params)
    if "models" in params:
        params["models"] = [one if isinstance(one, str) else _made(*one) for one in params["models"]]
    return MODELS[name](**params)


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, IdIndex):
        yield name, value.ids
    elif isinstance(value, dict):
        yield from ((f"{name}.{key}", array) for key, array in value.items())
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _state(member, f"{name}.{number}.")
    elif name.rpartition(".")[2] != "fingerprint_":
        yield name, value


def _state(model: Model, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in model.get_state().items():
        yield from _leaves(prefix + name, value)


def _entries(
    cases: Table, ratings: Ratings, new: Ratings, pairs: list[Ratings], *, matrix: bool
) -> Iterator[tuple[str, Entry]]:
    for key, name, params, flags in cases:
        model = _made(name, params).fit(_weighted(ratings) if "w" in flags else ratings)
        found: Entry = {f"predict {number}": model.predict(rows) for number, rows in enumerate(pairs)}
        if matrix:
            found["predict_matrix"] = model.predict_matrix()
        found |= dict(_state(model))
        entry = {label: _shown(key, label, array) for label, array in found.items()}
        if matrix or "f" in flags:
            for entity in ("users", "items"):
                entry |= _folded(key, model, entity, new)
        yield key, entry


def _folded(key: str, model: Model, entity: str, new: Ratings) -> Entry:
    """Return what is predicted of new users or items, and one digest of all that is exact of their model."""
    try:
        folded = fold_in(model, **{entity: new})
    except NotSupportedError:
        return {}
    shown = {f"fold_in {entity}, {name}": array for name, array in _state(folded)}
    shown = {name: _shown(key, name, array) for name, array in shown.items()}
    exact = sorted(value for value in shown.values() if isinstance(value, str))
    label = f"fold_in {entity}, predict"
    return {name: value for name, value in shown.items() if not isinstance(value, str)} | {
        f"fold_in {entity}, state": hashlib.sha256("".join(exact).encode()).hexdigest()[:24],
        label: _shown(key, label, folded.predict(new)),
    }


# What models are used for --------------------------------------------------------------------------------


def _uses(ratings: Ratings) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name, params in (
        ("SVD", {"factors": 16, "epochs": 5, "init_std": 0.1}),
        ("ALS", {"factors": 16, "epochs": 3}),
        ("ItemKNN", {}),
    ):
        model = _made(name, params).fit(ratings)
        best = recommend(model, ratings.users.ids[:20], 10, exclude=ratings)
        key = f"recommend {name}"
        found[key] = {"ids": _shown(key, "ids", best.ids), "scores": _shown(key, "scores", best.scores)}
    metrics = ("rmse", "mae", "rmse_per_user", "r2", "fcp")
    for name, params in (("Bias", {}), ("SVD", {"factors": 4, "epochs": 4, "init_std": 0.1})):
        result = cross_validate(_made(name, params), ratings, folds=3, metrics=metrics)
        rows = {
            f"{m} {k}": repr(fold[m]) for k, fold in enumerate(result.folds) for m in ("train_rmse", *metrics)
        }
        found[f"cross_validate {name}"] = rows | {f"{m} std": repr(result.std[m]) for m in metrics}
    models = [_made("Bias", {}), _made("ItemKNN", {"neighbors": 20})]
    for row in compare(ratings, models, metrics=metrics).rows:
        key = f"compare {row['model']}"
        found[key] = {m: repr(row[m]) for m in ("train_rmse", *metrics)}
        found[key]["rmse_interval"] = _sampled(np.array(row["rmse_interval"]))
        if "gap_to_best" in row:
            gap = row["gap_to_best"]
            found[key]["gap_to_best"] = _sampled(np.array([gap["rmse"], *gap["interval"], gap["p"]]))
    return found


def _kernels() -> dict[str, Entry]:
    """Return one half step of ALS by each solver, and imputations."""
    rng = np.random.default_rng(1)
    rows, columns, n, factors, width = 70, 30, 900, 17, 32
    starts = np.searchsorted(np.sort(rng.integers(0, rows, n)), np.arange(rows + 1)).astype(np.int64)
    column = rng.integers(0, columns, n).astype(np.int32)
    value = rng.normal(size=n).astype(np.float32)
    weight = rng.choice([0.25, 1, 2], n).astype(np.float32)
    features, start = (np.zeros((k, width), np.float32) for k in (columns, rows))
    features[:, :factors] = rng.uniform(0, 0.5, (columns, factors))
    start[:, :factors] = rng.uniform(0, 0.5, (rows, factors))
    column_bias, bias = (rng.normal(0, 0.5, k).astype(np.float32) for k in (columns, rows))
    ridge, bias_ridge = (rng.uniform(0.5, 3, rows).astype(np.float32) for _ in range(2))
    growth = np.arange(1, width + 1, dtype=np.float32)
    found: dict[str, Entry] = {}
    for solver in ("cholesky", "gradients", "coordinates", "multiplicative"):
        learned, learned_bias = start.copy(), bias.copy()
        error = _native.als_half(
            starts, column, value, weight, features, column_bias, learned, learned_bias,
            ridge, growth, bias_ridge, factors, solver, 3, 2,
        )  # fmt: skip
        key = f"als_half {solver}"
        found[key] = {
            "factors": _shown(key, "factors", learned),
            "bias": _shown(key, "bias", learned_bias),
            "error": _shown(key, "error", error),
        }
    matrix = rng.normal(size=(60, 25)).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.4] = np.nan
    for by_distance in (False, True):
        key = f"impute distance={by_distance}"
        found[key] = {
            "impute_nearest": _shown(
                key, "impute_nearest", _native.impute_nearest(matrix, 5, by_distance, 2)
            ),
            "impute_from": _shown(
                key, "impute_from", _native.impute_from(matrix[:9], matrix[9:], 4, by_distance, 2)
            ),
            "impute_from float64": _shown(
                key,
                "impute_from float64",
                _native.impute_from(
                    matrix[:9].astype(np.float64), matrix[9:].astype(np.float64), 4, by_distance, 1
                ),
            ),
        }
    return found


def _torch(name: str, params: dict[str, Any], flags: str) -> list[float]:
    """Return the first 50 predictions of a PyTorch model."""
    import polars as pl

    ratings = with_timestamps(planted())
    ratings = _weighted(ratings) if "w" in flags else ratings
    if "t" in flags:
        users, items = ratings.users.ids, ratings.items.ids
        ratings = ratings.with_features(
            users=pl.DataFrame(
                {"user": users, "age": users % 37 + 10.0, "town": [f"t{k % 3}" for k in users]}
            ),
            items=pl.DataFrame({"item": items, "kind": [f"k{k % 4}" for k in items]}),
        )
    model = MODELS[name](**params).fit(ratings)
    return [float(f"{value:.6g}") for value in model.predict(ratings)[:50].tolist()]


if __name__ == "__main__":
    lines = [f"{json.dumps(key)}: {json.dumps(entry)}" for key, entry in main(*sys.argv[1:]).items()]
    sys.stdout.write("{\n" + ",\n".join(lines) + "\n}\n")
