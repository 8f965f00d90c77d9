"""Prometheus metrics: requests by route, latencies, ratings written, the active model."""

from __future__ import annotations

import os
from typing import Any


class PrometheusMetrics:
    """Metrics of this worker; aggregated over all workers if they share ``PROMETHEUS_MULTIPROC_DIR``."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self.registry = CollectorRegistry()
        labels = ("method", "route", "status")
        name = "foretaste_requests"
        self.request_count = Counter(name, "HTTP requests.", labels, registry=self.registry)
        self.request_seconds = Histogram(
            "foretaste_request_seconds", "Latency of HTTP requests.", ("route",), registry=self.registry,
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
        )  # fmt: skip
        self.ratings_written = Counter(
            "foretaste_ratings_written", "Ratings created, changed or deleted.", registry=self.registry
        )

        self._series: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Record one response."""
        series = self._series.get((method, route, status))
        if series is None:
            series = self.request_count.labels(method, route, str(status)), self.request_seconds.labels(route)
            self._series[method, route, status] = series
        series[0].inc()
        series[1].observe(seconds)

    def render(self, model_id: int | None) -> bytes:
        """Return all metrics in Prometheus' text format."""
        from prometheus_client import CollectorRegistry, generate_latest, multiprocess

        registry: Any = self.registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        active_model_lines = (
            "# HELP foretaste_model Id of the active model.\n"
            f"# TYPE foretaste_model gauge\nforetaste_model {model_id or 0}\n"
        )
        return bytes(generate_latest(registry)) + active_model_lines.encode()
