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
from foretaste.service.db.model_store import sha256_of, sync_folder
from foretaste.splits import HoldOut

HELD_OUT = 0.1
_WORSE = 1.01  # how much larger the error of a new model may be than that of the active one's settings


class Refused(ForetasteError):
    """A new model did not pass its checks; the active one goes on serving."""

    code = "refused"
    exit_code = 1


@dataclass(frozen=True)
class Trained:
    """A model file that has passed, and what it was checked by.

    Parameters
    ----------
    file : str
        Its name in the folder of models.
    sha256 : str
    spec : dict
    ratings : int
        How many it learned from.
    checks : dict
        ``held_out``, how many ratings; ``rmse`` of a model with these settings that has not seen them;
        ``rmse_of_the_mean`` and, where another model is active, ``rmse_of_the_active``, that of its settings.
    """

    file: str
    sha256: str
    spec: dict[str, Any]
    ratings: int
    checks: dict[str, Any]

    def row(self, origin: str) -> dict[str, Any]:
        """Return what the table of models holds of it."""
        return {**self.__dict__, "origin": origin}


def train(
    ratings: Ratings, spec: dict[str, Any], active: dict[str, Any] | None, path: Path, progress: Progress
) -> Trained:
    """Learn a model and keep it in a file if it passes its checks.

    A tenth of the ratings is held out. A model with these settings that has not seen them must predict them
    better than their mean does, and at most 1 % worse than one with the active model's settings. Then a model
    learns from all ratings; its file must give the same predictions, to the bit.

    Parameters
    ----------
    ratings : Ratings
    spec : dict
        ``{"model": name, "params": {...}}``
    active : dict, optional
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
    train_rows, test_rows = next(iter(HoldOut(test_size=HELD_OUT, seed=0).split(ratings)))
    part, test = ratings[train_rows], ratings[test_rows]
    checks: dict[str, Any] = {"held_out": len(test), "rmse": _error(spec, part, test, progress)}
    checks["rmse_of_the_mean"] = rmse(test.value, GlobalMean().fit(part).predict(test))
    if active is not None and active != spec:
        checks["rmse_of_the_active"] = _error(active, part, test, progress)
    _compare(checks)
    model.fit(ratings, progress=progress)
    save(model, path)
    sync_folder(path.parent)
    if not np.array_equal(load(path).predict(test), model.predict(test)):
        path.unlink()
        raise Refused("the file of the new model does not give its predictions", hint="try again")
    return Trained(path.name, sha256_of(path), spec, len(ratings), checks)


def _error(spec: dict[str, Any], part: Ratings, test: Ratings, progress: Progress) -> float:
    return rmse(test.value, from_spec(spec).fit(part, progress=progress).predict(test))


def _compare(checks: dict[str, Any]) -> None:
    found = f"RMSE {checks['rmse']:.4g} on {checks['held_out']:,} held-out ratings"
    for name, factor, words in (
        ("rmse_of_the_mean", 1.0, "always guessing the mean"),
        ("rmse_of_the_active", _WORSE, "the active model's settings"),
    ):
        if name in checks and checks["rmse"] > factor * checks[name]:
            raise Refused(
                f"the new model is not good enough: {found}; {words}: {checks[name]:.4g}",
                hint="other settings; the active model goes on serving",
            )


def examine(path: Path, ratings_of: Ratings) -> dict[str, Any]:
    """Check an uploaded model against ratings of the service; return figures as in ``Trained.checks``.

    Raises
    ------
    BadModelFile
        If it is none.
    Refused
        If its ids are of other types, or it knows none of the items or people.
    """
    model = load(path)
    for side, own, known in (
        ("user", ratings_of.users, model.users_), ("item", ratings_of.items, model.items_)
    ):  # fmt: skip
        if own.kind != known.kind:
            raise Refused(f"the {side} ids of the model are {known.kind}, those of the service {own.kind}")
    shared = int((model.items_.remap(ratings_of.items.ids) >= 0).sum())
    if not shared:
        raise Refused("the model knows none of the items of the service")
    test = ratings_of if len(ratings_of) <= 100_000 else ratings_of.sample(100_000)
    found = model.predict(test)
    if not np.isfinite(found).all():
        raise Refused("the model predicts what is not finite")
    return {
        "compared_with": len(test),
        "rmse": rmse(test.value, found),
        "rmse_of_the_mean": float(test.value.std()),
        "items_known": shared,
    }
