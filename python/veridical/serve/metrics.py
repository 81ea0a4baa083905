"""What a gateway counts, in the format of Prometheus."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SIZES: Final = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The figures of one gateway."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "veridical_requests_total",
            "Requests by route and status.",
            ("route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "veridical_request_seconds",
            "Time from a request to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.receipts = Counter(
            "veridical_receipts_total",
            "Receipts by model and tier.",
            ("model", "tier"),
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "veridical_batch_size",
            "Requests that went to the disk together.",
            buckets=_SIZES,
            registry=self.registry,
        )
        self.jobs = Gauge(
            "veridical_proof_jobs", "Proofs by state.", ("state",), registry=self.registry
        )
        self.log_size = Gauge("veridical_log_size", "Entries in the log.", registry=self.registry)
        self.held_bytes = Gauge(
            "veridical_held_bytes", "Bytes of requests in memory.", registry=self.registry
        )
        self.connections = Gauge(
            "veridical_connections", "Connections that are open.", registry=self.registry
        )
        self._by_status: dict[tuple[str, int], Counter] = {}
        self._by_route: dict[str, Histogram] = {}

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is one of few names, never what a caller sent."""
        counter = self._by_status.get((route, status))
        if counter is None:  # looking the labels up takes as long as counting
            counter = self.requests.labels(route=route, status=str(status))
            self._by_status[route, status] = counter
        counter.inc()
        histogram = self._by_route.get(route)
        if histogram is None:
            histogram = self._by_route[route] = self.seconds.labels(route=route)
        histogram.observe(seconds)

    def render(self) -> bytes:
        """Return the page that Prometheus reads."""
        return generate_latest(self.registry)
