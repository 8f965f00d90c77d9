"""What is aimed at on each data set, and whether it is met."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from benchmarks.quality.peers import FACTOR_MODELS


@dataclass(frozen=True)
class Aim:
    """An error to reach.

    Parameters
    ----------
    data : str
    model : str or None
        None: the best model there is.
    figure : float
        Of the RMSE, or of the NMAE where that is told.
    within : float or None
        None: at most the figure; else the figure is to be reproduced to within this.
    """

    data: str
    model: str | None
    figure: float
    within: float | None = None

    def verdict(self, error: float) -> str:
        """Say what is aimed at and whether an error meets it."""
        if self.within is not None:
            return f"{self.figure:g} +- {self.within:g}: {yes(abs(error - self.figure) <= self.within)}"
        return f"<= {self.figure:g}: {yes(error <= self.figure)}"


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
BELOW_PEERS = frozenset({"ml-100k"})  # where every family is to be below its peers
CHANCE = frozenset({"NormalRandom"})  # by luck, so no aim
BELOW_BIASES = frozenset({"jester-2"})  # where every factor model is to be below the biases


def verdicts(
    data: str,
    model: str,
    error: float,
    *,
    best: bool,
    peers: Sequence[tuple[float, float]] = (),
    bias: float | None = None,
) -> list[str]:
    """Return what is aimed at for one model, each with yes or no.

    Parameters
    ----------
    data, model : str
    error : float
        Its error on all folds.
    best : bool
        Whether no other model of ours has a smaller one.
    peers : sequence of (float, float)
        Our error and the peer's on the folds that both were judged by, for each peer of the family.
    bias : float, optional
        The error of the model ``Bias``.
    """
    said = [
        aim.verdict(error)
        for aim in AIMS
        if aim.data == data and (aim.model == model or (aim.model is None and best))
    ]
    if data in BELOW_PEERS and peers and model not in CHANCE:
        said.append(f"< surprise: {yes(all(ours < theirs for ours, theirs in peers))}")
    if data in BELOW_BIASES and model in FACTOR_MODELS and bias is not None:
        said.append(f"< Bias: {yes(error < bias)}")
    return said


def not_judged(data: str, judged: Collection[str]) -> list[str]:
    """Return the models of which an error is aimed at but that were not judged by all folds."""
    return [aim.model for aim in AIMS if aim.data == data and aim.model and aim.model not in judged]


def yes(met: bool) -> str:
    """Return yes or no."""
    return "yes" if met else "no"
