"""The prediction tuple, and the exception for impossible predictions."""

from __future__ import annotations

from typing import Any, NamedTuple


class PredictionImpossible(Exception):
    """Raised by ``estimate`` where no prediction is possible; the default prediction is used instead."""


class _Fields(NamedTuple):
    uid: Any
    iid: Any
    r_ui: Any
    est: Any
    details: Any


class Prediction(_Fields):
    """One predicted rating."""

    __slots__ = ()

    def __str__(self) -> str:
        true = "None" if self.r_ui is None else f"{self.r_ui:1.2f}"
        return (
            f"user: {self.uid!s:<10} item: {self.iid!s:<10} r_ui = {true}   est = {self.est:1.2f}   "
            f"{self.details}"
        )
