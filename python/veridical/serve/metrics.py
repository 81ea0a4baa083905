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

    def render(self) -> bytes:
        """Return the page that Prometheus reads."""
        return generate_latest(self.registry)
