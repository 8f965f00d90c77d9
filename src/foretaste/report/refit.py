"""What only the predictions themselves can tell: how far they miss, for whom, and how models learn.

Results hold figures, not predictions, so the best model is fitted once more on the first fold of the very
protocol that the results come from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from foretaste._utils.progress import Progress
from foretaste.errors import ForetasteError, InvalidParameter
from foretaste.evaluation import Results
from foretaste.evaluation.plan import Protocol, make_protocol
from foretaste.models import BY_NAME, Model
from foretaste.models.spec import from_spec
from foretaste.ratings import Ratings
from foretaste.report.html import LONGEST, short

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

PATIENCE = 120.0  # seconds of fitting, by the times in the results, that a page may ask for once more


@dataclass(frozen=True)
class HeldOut:
    """Predictions of one model for the rows of one fold that it did not learn from.

    Parameters
    ----------
    model : str
        As it is called in the results.
    folds : int
        How many folds the protocol has; these are the rows of the first.
    true, predicted, mean : float array, shape (n,)
        Ratings, what the model predicts, and the mean of the rows to learn from, in rating units.
    of_user, of_item : int array, shape (n,)
        How many of the rows to learn from are of the same user, of the same item.
    curves : dict of list of float
        Of each model that tells it, the error of each epoch on the rows it learns from.
    """

    model: str
    folds: int
    true: Floats
    predicted: Floats
    mean: float
    of_user: Counts
    of_item: Counts
    curves: dict[str, list[float]] = field(default_factory=dict)

    @property
    def missed(self) -> Floats:
        """How much too high each prediction is, in rating units."""
        return self.predicted - self.true


def look_again(
    results: Results, ratings: Ratings | None, split: Any, test: Ratings | None, progress: Progress
) -> tuple[HeldOut | None, str]:
    """Fit the best model once more, and the other models that tell how they learn.

    Returns
    -------
    HeldOut or None, str
        None with the reason.

    Raises
    ------
    InvalidParameter
        If ``split`` or ``test`` is given and the results come from another protocol.
    """
    best = results.best
    if best is None:
        return None, "no model was judged"
    protocol = protocol_of(results)
    if protocol is None:
        if ratings is None:
            return None, "for that the ratings are needed"
        protocol = make_protocol(ratings, split, test)
        if protocol.words != results.protocol:
            if split is not None or test is not None:
                raise InvalidParameter(
                    f"the results do not come from these rows; theirs: {results.protocol}; "
                    f"those given: {protocol.words}",
                    hint="the ratings and the split that compare was given",
                )
            return None, "the rows held out are not those of HoldOut(0.2, seed=0), and no split was given"
    found = chosen(results)
    if not found or found[0][0] is not best:
        return None, f"{best['model']} cannot be fitted once more here, or only in more than {PATIENCE:g} s"
    return _looked(found, protocol, progress), ""


def protocol_of(results: Results) -> Protocol | None:
    """Return the protocol of results that still hold it: those of a comparison in this very process."""
    protocol: Protocol | None = getattr(getattr(results, "kept", None), "protocol", None)
    return protocol


def check_ratings(results: Results, ratings: Ratings) -> None:
    """Refuse ratings that the results cannot come from.

    Raises
    ------
    InvalidParameter
        If there are more or fewer of them, or of their users or items.
    """
    theirs = [results.dataset[name] for name in ("ratings", "users", "items")]
    given = [len(ratings), len(ratings.users), len(ratings.items)]
    if theirs != given:
        words = ["{:,} ratings, {:,} users x {:,} items".format(*counts) for counts in (theirs, given)]
        raise InvalidParameter(
            f"the results do not come from these ratings; theirs: {words[0]}; those given: {words[1]}",
            hint="the ratings that compare was given",
        )


def chosen(results: Results) -> list[tuple[dict[str, Any], Model]]:
    """Return the rows and models to fit once more: the best, and those that tell how they learn."""
    seconds = 0.0
    found: list[tuple[dict[str, Any], Model]] = []
    for row in results.rows:
        if "refused" in row or row["model"] not in BY_NAME:
            continue
        tells = BY_NAME[row["model"]].learned_shapes().get("train_rmse_") == ("epochs",)
        if row is not results.best and not tells:
            continue
        seconds += row["fit_seconds"] or 0.0
        if seconds > PATIENCE or len(found) == 4:  # more curves than four cannot be told apart
            break
        try:
            found.append((row, from_spec({"model": row["model"], "params": row["params"]})))
        except ForetasteError:  # a row from elsewhere, or of another version
            continue
    return found


def _looked(found: list[tuple[dict[str, Any], Model]], protocol: Protocol, progress: Progress) -> HeldOut:
    train, test = protocol.parts(0)
    curves: dict[str, list[float]] = {}
    predicted = np.empty(0)
    with progress.task("report", len(found)) as task:
        for place, (row, model) in enumerate(found):
            label = name_of(row)
            task.step(0, label)
            model.fit(train, progress=progress)
            if place == 0:
                predicted = model.predict(test).astype(np.float64)
            told = getattr(model, "train_rmse_", None)
            if told is not None and len(told):
                curves[label] = [float(error) for error in told]
            task.step()
    return HeldOut(
        name_of(found[0][0]),
        len(protocol),
        test.value.astype(np.float64),
        predicted,
        float(train.value.astype(np.float64).mean()),
        _support(train.user, train.users, test.users, test.user),
        _support(train.item, train.items, test.items, test.item),
        curves,
    )


def _support(codes: Any, known: Any, asked: Any, rows: Any) -> Counts:
    """Return how many rows to learn from there are of the user (or item) of each row to judge by."""
    counts = np.bincount(codes, minlength=len(known))
    place = known.remap(asked.ids)
    found: Counts = np.where(place >= 0, counts[place], 0)[rows]
    return found


def name_of(row: dict[str, Any]) -> str:
    """Return what a row is called: the model, and the parameters that differ from its defaults."""
    return short(str(row["python"]).removesuffix("()"), LONGEST)
