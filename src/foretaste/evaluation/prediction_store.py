"""Predictions of the rows judged, kept for questions that come after a comparison."""

from __future__ import annotations

from collections.abc import Sequence

from foretaste.errors import NotFoundError
from foretaste.evaluation.error_breakdown import Breakdown, breakdown_from_plan
from foretaste.evaluation.plan import EvaluationPlan
from foretaste.typing import Float32Array

MAX_BYTES = 256_000_000  # bytes


class PredictionStore:
    """Predictions as float32, 4 bytes for each row judged and model, the best models first.

    When they would take more than ``max_bytes`` bytes, those of the worst models are let go; those of the best
    are always there.
    """

    def __init__(self, plan: EvaluationPlan, max_bytes: int = MAX_BYTES) -> None:
        self.plan, self.max_bytes = plan, max_bytes
        self.predictions: dict[str, tuple[float, list[Float32Array]]] = {}

    @property
    def nbytes(self) -> int:
        """How many bytes are kept."""
        return sum(part.nbytes for _, parts in self.predictions.values() for part in parts)

    def add(self, name: str, rmse: float, predictions: Sequence[Float32Array]) -> None:
        """Keep the predictions of one model, one array a fold."""
        self.predictions[name] = rmse, list(predictions)
        while self.nbytes > self.max_bytes and len(self.predictions) > 1:
            del self.predictions[max(self.predictions, key=lambda key: self.predictions[key][0])]

    def breakdown(self, name: str, label: str) -> Breakdown:
        """Take the error of one model apart.

        Raises
        ------
        NotFoundError
            If its predictions were let go.
        """
        if name not in self.predictions:
            raise NotFoundError(
                f"the predictions of {label} were not kept: those of better models filled "
                f"{self.max_bytes / 1e6:,.0f} MB",
                hint=f"compare(ratings, [{name}]).breakdown()",
            )
        return breakdown_from_plan(self.plan, self.predictions[name][1], label)
