"""Learning a model from all ratings, with the checks that it must pass before it serves."""

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
_MAX_RMSE_RATIO = (
    1.01  # how much larger the error of a new model may be than that of the active one's settings
)


class QualityGateError(ForetasteError):
    """A new model did not pass its checks; the active one goes on serving."""

    code = "refused"
    exit_code = 1


@dataclass(frozen=True)
class TrainingResult:
    """A model file that has passed, and what it was checked by.

    Parameters
    ----------
    file : str
        Its name in the folder of models.
    sha256 : str
    spec : dict
    n_ratings : int
        How many it learned from.
    checks : dict
        ``held_out``, how many ratings; ``rmse`` of a model with these settings that has not seen them;
        ``rmse_of_the_mean`` and, where another model is active, ``rmse_of_the_active``, that of its settings.
    """

    file: str
    sha256: str
    spec: dict[str, Any]
    n_ratings: int
    checks: dict[str, Any]

    def to_row(self, origin: str) -> dict[str, Any]:
        """Return what the table of models holds of it."""
        return {**self.__dict__, "origin": origin}


def train(
    ratings: Ratings, spec: dict[str, Any], active_spec: dict[str, Any] | None, path: Path, progress: Progress
) -> TrainingResult:
    """Learn a model and keep it in a file if it passes its checks.

    A tenth of the ratings is held out. A model with these settings that has not seen them must predict them
    better than their mean does, and at most 1 % worse than one with the active model's settings. Then a model
    learns from all ratings; its file must give the same predictions, to the bit.

    Parameters
    ----------
    ratings : Ratings
    spec : dict
        ``{"model": name, "params": {...}}``
    active_spec : dict, optional
        That of the active model.
    path : Path
        The file to write.
    progress : Progress

    Raises
    ------
    Refused
        If it does not pass; nothing is written.
    """
    model = from_spec(spec)
    spec = as_spec(model)
    train_rows, test_rows = next(iter(HoldOut(test_size=TEST_SIZE, seed=0).split(ratings)))
    train_ratings, test_ratings = ratings[train_rows], ratings[test_rows]
    checks: dict[str, Any] = {
        "held_out": len(test_ratings),
        "rmse": _test_rmse(spec, train_ratings, test_ratings, progress),
    }
    checks["rmse_of_the_mean"] = rmse(
        test_ratings.value, GlobalMean().fit(train_ratings).predict(test_ratings)
    )
    if active_spec is not None and active_spec != spec:
        checks["rmse_of_the_active"] = _test_rmse(active_spec, train_ratings, test_ratings, progress)
    _check_quality(checks)
    model.fit(ratings, progress=progress)
    save(model, path)
    fsync_directory(path.parent)
    if not np.array_equal(load(path).predict(test_ratings), model.predict(test_ratings)):
        path.unlink()
        raise QualityGateError("the file of the new model does not give its predictions", hint="try again")
    return TrainingResult(path.name, file_sha256(path), spec, len(ratings), checks)


def _test_rmse(
    spec: dict[str, Any], train_ratings: Ratings, test_ratings: Ratings, progress: Progress
) -> float:
    return rmse(
        test_ratings.value, from_spec(spec).fit(train_ratings, progress=progress).predict(test_ratings)
    )


def _check_quality(checks: dict[str, Any]) -> None:
    summary = f"RMSE {checks['rmse']:.4g} on {checks['held_out']:,} held-out ratings"
    for check, factor, baseline in (
        ("rmse_of_the_mean", 1.0, "always guessing the mean"),
        ("rmse_of_the_active", _MAX_RMSE_RATIO, "the active model's settings"),
    ):
        if check in checks and checks["rmse"] > factor * checks[check]:
            raise QualityGateError(
                f"the new model is not good enough: {summary}; {baseline}: {checks[check]:.4g}",
                hint="other settings; the active model goes on serving",
            )


def validate_upload(path: Path, ratings: Ratings) -> dict[str, Any]:
    """Check an uploaded model against ratings of the service; return figures as in ``Trained.checks``.

    Raises
    ------
    ModelFileError
        If it is none.
    Refused
        If its ids are of other types, or it knows none of the items or people.
    """
    model = load(path)
    for entity, service_ids, model_ids in (
        ("user", ratings.users, model.users_), ("item", ratings.items, model.items_)
    ):  # fmt: skip
        if service_ids.dtype != model_ids.dtype:
            raise QualityGateError(
                f"the {entity} ids of the model are {model_ids.dtype}, those of the service {service_ids.dtype}"
            )
    n_known_items = int((model.items_.indices_of(ratings.items.ids) >= 0).sum())
    if not n_known_items:
        raise QualityGateError("the model knows none of the items of the service")
    test_ratings = ratings if len(ratings) <= 100_000 else ratings.sample(100_000)
    predictions = model.predict(test_ratings)
    if not np.isfinite(predictions).all():
        raise QualityGateError("the model predicts what is not finite")
    return {
        "compared_with": len(test_ratings),
        "rmse": rmse(test_ratings.value, predictions),
        "rmse_of_the_mean": float(test_ratings.value.std()),
        "items_known": n_known_items,
    }
