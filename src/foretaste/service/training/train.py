"""Trains a model on all ratings, behind a quality gate, and validates uploaded models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from foretaste._utils.progress import Progress
from foretaste.errors import ForetasteError
from foretaste.metrics.rating import rmse
from foretaste.models.baselines import GlobalMean
from foretaste.models.spec import as_spec, from_spec
from foretaste.persistence import load, save
from foretaste.ratings import Ratings
from foretaste.service.db.model_store import file_sha256, fsync_directory
from foretaste.splits import HoldOut

TEST_SIZE = 0.1
_MAX_RMSE_RATIO = 1.01  # of a new spec to the active model's spec


class QualityGateError(ForetasteError):
    """A new model did not pass its checks; the active one stays."""

    code = "quality_gate"
    exit_code = 1


@dataclass(frozen=True)
class TrainingResult:
    """A model file that passed the quality gate.

    Parameters
    ----------
    file : str
        File name in the models folder.
    sha256 : str
    spec : dict
    n_ratings : int
        Number of training ratings.
    checks : dict
        ``n_test``, the number of test ratings; the test ``rmse`` of the spec; ``rmse_global_mean``; and
        ``rmse_active_spec`` if a model of another spec is active.
    """

    file: str
    sha256: str
    spec: dict[str, Any]
    n_ratings: int
    checks: dict[str, Any]

    def to_row(self, origin: str) -> dict[str, Any]:
        """Return the values for the models table."""
        return {**self.__dict__, "origin": origin}


def train(
    ratings: Ratings, spec: dict[str, Any], active_spec: dict[str, Any] | None, path: Path, progress: Progress
) -> TrainingResult:
    """Train a model and save it if it passes the quality gate.

    On a test set of a tenth of the ratings, the spec's RMSE must be lower than the global mean's, and at most
    1 % higher than that of the active spec. Then the model is fitted to all ratings; the saved file must give
    bit-identical predictions.

    Parameters
    ----------
    ratings : Ratings
    spec : dict
        ``{"model": name, "params": {...}}``
    active_spec : dict, optional
        Spec of the active model.
    path : Path
        File to write.
    progress : Progress

    Raises
    ------
    QualityGateError
        If a check fails; no file is left.
    """
    model = from_spec(spec)
    spec = as_spec(model)
    train_rows, test_rows = next(iter(HoldOut(test_size=TEST_SIZE, seed=0).split(ratings)))
    train_ratings, test_ratings = ratings[train_rows], ratings[test_rows]
    checks: dict[str, Any] = {
        "n_test": len(test_ratings),
        "rmse": _test_rmse(spec, train_ratings, test_ratings, progress),
    }
    baseline = GlobalMean().fit(train_ratings).predict(test_ratings)
    checks["rmse_global_mean"] = rmse(test_ratings.value, baseline)
    if active_spec is not None and active_spec != spec:
        checks["rmse_active_spec"] = _test_rmse(active_spec, train_ratings, test_ratings, progress)
    _check_quality(checks)
    model.fit(ratings, progress=progress)
    save(model, path)
    fsync_directory(path.parent)
    if not np.array_equal(load(path).predict(test_ratings), model.predict(test_ratings)):
        path.unlink()
        raise QualityGateError("the saved model does not reproduce its predictions", hint="try again")
    return TrainingResult(path.name, file_sha256(path), spec, len(ratings), checks)


def _test_rmse(
    spec: dict[str, Any], train_ratings: Ratings, test_ratings: Ratings, progress: Progress
) -> float:
    model = from_spec(spec).fit(train_ratings, progress=progress)
    return rmse(test_ratings.value, model.predict(test_ratings))


def _check_quality(checks: dict[str, Any]) -> None:
    summary = f"RMSE {checks['rmse']:.4g} on {checks['n_test']:,} test ratings"
    for check, factor, baseline in (
        ("rmse_global_mean", 1.0, "the global mean"),
        ("rmse_active_spec", _MAX_RMSE_RATIO, "the active model's spec"),
    ):
        if check in checks and checks["rmse"] > factor * checks[check]:
            raise QualityGateError(
                f"the new model is not good enough: {summary}; {baseline}: {checks[check]:.4g}",
                hint="other hyperparameters; the active model stays",
            )


def validate_upload(path: Path, ratings: Ratings) -> dict[str, Any]:
    """Check an uploaded model against the service's ratings; return its ``checks``.

    Raises
    ------
    ModelFileError
        If the file is not a model file.
    QualityGateError
        If the id types differ, the model contains none of the items, or its predictions are not finite.
    """
    model = load(path)
    for entity, service_ids, model_ids in (
        ("user", ratings.users, model.users_), ("item", ratings.items, model.items_)
    ):  # fmt: skip
        if service_ids.dtype != model_ids.dtype:
            raise QualityGateError(
                f"{entity} ids of the model are {model_ids.dtype}, those of the service {service_ids.dtype}"
            )
    n_known_items = int((model.items_.indices_of(ratings.items.ids) >= 0).sum())
    if not n_known_items:
        raise QualityGateError("the model contains none of the service's items")
    test_ratings = ratings if len(ratings) <= 100_000 else ratings.sample(100_000)
    predictions = model.predict(test_ratings)
    if not np.isfinite(predictions).all():
        raise QualityGateError("predictions of the model are not finite")
    return {
        "n_compared": len(test_ratings),
        "rmse": rmse(test_ratings.value, predictions),
        "rmse_global_mean": float(test_ratings.value.std()),
        "n_known_items": n_known_items,
    }
