"""Settings for all tests: the same cases in every run, and how many of them."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# `make test` runs a sample of each long campaign, `make accept` all of it.
FULL_CAMPAIGN = os.environ.get("VERIDICAL_CAMPAIGN", "sample") == "full"

# Time per case is no property of the code on a shared machine; a failure prints how to repeat it.
settings.register_profile(
    "sample",
    deadline=None,
    derandomize=True,
    max_examples=200,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("full", settings.get_profile("sample"), max_examples=10_000)
settings.load_profile("full" if FULL_CAMPAIGN else "sample")
