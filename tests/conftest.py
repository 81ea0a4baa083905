"""Settings of all tests: the same cases in every run, their number, the acceptance table."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from rich.console import Console

from tests import acceptance
from tests.postgres import postgres  # noqa: F401 - a fixture
from tests.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from _pytest.terminal import TerminalReporter

# `make test` runs a sample of each long campaign, `make accept` all of it.
FULL_CAMPAIGN = os.environ.get("VERIDICAL_CAMPAIGN", "sample") == "full"

# No test reads or writes the cache of whoever runs it; commands that tests start inherit this.
os.environ["VERIDICAL_CACHE"] = ""

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


@pytest.fixture
def criterion(record_property: Callable[[str, object], None]) -> acceptance.RecordCriterion:
    """Note a line of the acceptance table: what is required of an item and what was measured."""

    def record(item: str, *, required: str, measured: str) -> None:
        record_property(acceptance.PROPERTY, (item, required, measured))

    return record


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the acceptance table at the end of a full campaign, and keep it as data."""
    if not FULL_CAMPAIGN:
        return
    reports = [
        report
        for outcome in ("passed", "failed", "error", "skipped", "xfailed")
        for report in terminalreporter.stats.get(outcome, [])
    ]
    lines = acceptance.lines_of(reports)
    terminalreporter.ensure_newline()
    acceptance.show(lines, Console(file=terminalreporter._tw._file, width=150))
    acceptance.write(lines, ROOT / "out" / "acceptance.json")
