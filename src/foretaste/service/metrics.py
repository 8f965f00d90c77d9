"""What Prometheus asks for: requests by route and how long they took, ratings written, the active model."""

from __future__ import annotations

import os
from typing import Any


class Figures:
    """The figures of this worker; of all of them together where several share a folder for it."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        name = "foretaste_requests"
        self.requests = Counter(name, "Requests answered.", labels, registry=self.registry)
        self.seconds = Histogram(
            "foretaste_request_seconds", "How long answers took.", ("route",), registry=self.registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
        )  # fmt: skip
        self.written = Counter(
            "foretaste_ratings_written", "Ratings stored, changed or deleted.", registry=self.registry
        )

        self._of: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        found = self._of.get((method, route, status))
        if found is None:
            found = self.requests.labels(method, route, str(status)), self.seconds.labels(route)
            self._of[method, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def text(self, model: int | None) -> bytes:
        """Return all figures as Prometheus reads them."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        registry: Any = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        own = (
            "# HELP foretaste_model Number of the active model.\n"
            f"# TYPE foretaste_model gauge\nforetaste_model {model or 0}\n"
        )
        return bytes(generate_latest(registry)) + own.encode()
