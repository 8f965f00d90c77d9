"""Target errors of each dataset, and whether they are met."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.quality.peers import FACTOR_MODELS


@dataclass(frozen=True)
class Aim:
    """A target error.

    Parameters
    ----------
    data : str
    model : str or None
        None: the best model.
    figure : float
        RMSE, or NMAE on datasets that report it.
    within : float or None
        None: at most the figure; else the figure is to be reproduced within this tolerance.
    """

    data: str
    model: str | None
    figure: float
    within: float | None = None

    def verdict(self, error: float) -> str:
        """Return the target, and whether an error meets it."""
        if self.within is not None:
            return f"{self.figure:g} +- {self.within:g}: {yes_no(abs(error - self.figure) <= self.within)}"
        return f"<= {self.figure:g}: {yes_no(error <= self.figure)}"


AIMS = (
    Aim("ml-100k", "SVD", 0.905),
    Aim("ml-100k", "SVDpp", 0.901),
    Aim("ml-100k", "ItemKNN", 0.913),
    Aim("u1", "SVD", 0.917),
    Aim("ml-1m", "SVD", 0.843),
    Aim("ml-1m", "SVDpp", 0.842),
    Aim("ml-1m", "ItemKNN", 0.858),
    Aim("jester-1", None, 0.154),
    Aim("jester-2", "SVD", 4.28),
    Aim("lecture", "SVD", 4.44),
    Aim("lecture", "Blend", 4.42),
    Aim("lecture", "GlobalMean", 5.77, within=0.02),
    Aim("lecture", "UserMean", 4.90, within=0.02),
    Aim("lecture", "ItemMean", 5.53, within=0.02),
    Aim("lecture", "UserItemMean", 4.90, within=0.02),
    Aim("lecture", "KNNImputation", 4.78, within=0.02),
)
BELOW_PEERS = frozenset({"ml-100k"})  # every family is to be below its peers
CHANCE = frozenset({"NormalRandom"})  # random, so no target
BELOW_BIASES = frozenset({"jester-2"})  # every factor model is to be below Bias


def verdicts(
    data: str,
    model: str,
    error: float,
    *,
    best: bool,
    peers: Sequence[tuple[float, float]] = (),
    bias: float | None = None,
) -> list[str]:
    """Return the targets of one model, each with yes or no.

    Parameters
    ----------
    data, model : str
    error : float
        Its error on all folds.
    best : bool
        Whether no other model of ours has a smaller one.
    peers : sequence of (float, float)
        Our error and the peer's on their common folds, for each peer of the family.
    bias : float, optional
        The error of the model ``Bias``.
    """
    texts = [
        aim.verdict(error)
        for aim in AIMS
        if aim.data == data and (aim.model == model or (aim.model is None and best))
    ]
    if data in BELOW_PEERS and peers and model not in CHANCE:
        texts.append(f"< surprise: {yes_no(all(ours < theirs for ours, theirs in peers))}")
    if data in BELOW_BIASES and model in FACTOR_MODELS and bias is not None:
        texts.append(f"< Bias: {yes_no(error < bias)}")
    return texts


def models_not_evaluated(data: str, evaluated: Collection[str]) -> list[str]:
    """Return the models with a target that were not evaluated on all folds."""
    return [aim.model for aim in AIMS if aim.data == data and aim.model and aim.model not in evaluated]


def yes_no(met: bool) -> str:
    """Return yes_no or no."""
    return "yes" if met else "no"
