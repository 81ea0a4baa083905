"""The gateway is asked thousands of things that its OpenAPI document allows, or does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import FULL_CAMPAIGN
from tests.serving import served
from tests.surface import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.acceptance import RecordCriterion

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1800)]

EXAMPLES = 100 if FULL_CAMPAIGN else 10
SECONDS = 900 if FULL_CAMPAIGN else 60


def test_no_server_error(tmp_path: Path, criterion: RecordCriterion) -> None:
    phases = "examples,coverage,fuzzing,stateful"
    with served(tmp_path / "state") as gateway:
        report = run(gateway, tmp_path, phases=phases, examples=EXAMPLES, seconds=SECONDS)
        criterion(
            "Schemathesis against the OpenAPI document",
            required="no 5xx but 504 at the caller's own deadline; every response conforms",
            measured=f"{report.cases} cases, {report.failures} failures",
        )
        assert report.failures == 0, report.text
        gateway.stop()
        assert gateway.errors.read_text() == "", "the gateway had something to complain of"
