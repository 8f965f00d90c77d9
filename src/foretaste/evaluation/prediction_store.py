"""Predictions of the rows judged, kept for questions that come after a comparison."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from foretaste.errors import NotFound
from foretaste.evaluation.error_breakdown import Breakdown, breakdown_of
from foretaste.evaluation.plan import Protocol

LIMIT = 256_000_000  # bytes


class Kept:
    """Predictions as float32, 4 bytes for each row judged and model, the best models first.

    When they would take more than ``limit`` bytes, those of the worst models are let go; those of the best
    are always there.
    """

    def __init__(self, protocol: Protocol, limit: int = LIMIT) -> None:
        self.protocol, self.limit = protocol, limit
        self.predicted: dict[str, tuple[float, list[npt.NDArray[np.float32]]]] = {}

    @property
    def nbytes(self) -> int:
        """How many bytes are kept."""
        return sum(part.nbytes for _, parts in self.predicted.values() for part in parts)

    def keep(self, name: str, rmse: float, predicted: Sequence[npt.NDArray[np.float32]]) -> None:
        """Keep the predictions of one model, one array a fold."""
        self.predicted[name] = rmse, list(predicted)
        while self.nbytes > self.limit and len(self.predicted) > 1:
            del self.predicted[max(self.predicted, key=lambda one: self.predicted[one][0])]

    def breakdown(self, name: str, label: str) -> Breakdown:
        """Take the error of one model apart.

        Raises
        ------
        NotFound
            If its predictions were let go.
        """
        if name not in self.predicted:
            raise NotFound(
                f"the predictions of {label} were not kept: those of better models filled "
                f"{self.limit / 1e6:,.0f} MB",
                hint=f"compare([{name}], ratings).breakdown()",
            )
        return breakdown_of(self.protocol, self.predicted[name][1], label)
