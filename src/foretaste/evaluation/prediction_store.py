"""Test-set predictions of compared models, stored for analyses that follow."""

from __future__ import annotations

from collections.abc import Sequence

from foretaste.errors import NotFoundError
from foretaste.evaluation.error_breakdown import Breakdown, breakdown_from_plan
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.typing import Float32Array

MAX_BYTES = 256_000_000


class PredictionStore:
    """Stores predictions as float32 (4 bytes per test row and model) up to a memory limit.

    Above ``max_bytes`` the predictions of the worst models are dropped; those of the best are always there.
    """

    def __init__(self, plan: EvaluationPlan, max_bytes: int = MAX_BYTES) -> None:
        self.plan, self.max_bytes = plan, max_bytes
        self.predictions: dict[str, tuple[float, list[Float32Array]]] = {}

    @property
    def nbytes(self) -> int:
        """Number of bytes stored."""
        return sum(part.nbytes for _, parts in self.predictions.values() for part in parts)

    def add(self, name: str, rmse: float, predictions: Sequence[Float32Array]) -> None:
        """Store the predictions of one model, one array per fold."""
        self.predictions[name] = rmse, list(predictions)
        while self.nbytes > self.max_bytes and len(self.predictions) > 1:
            del self.predictions[max(self.predictions, key=lambda key: self.predictions[key][0])]

    def breakdown(self, name: str, label: str) -> Breakdown:
        """Break the error of one model down.

        Raises
        ------
        NotFoundError
            If its predictions were dropped.
        """
        if name not in self.predictions:
            raise NotFoundError(
                f"the predictions of {label} were dropped: those of better models filled "
                f"{self.max_bytes / 1e6:,.0f} MB",
                hint=f"compare(ratings, [{name}]).breakdown()",
            )
        return breakdown_from_plan(self.plan, self.predictions[name][1], label)
