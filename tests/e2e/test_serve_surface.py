"""The gateway is asked what its OpenAPI document allows, and what not: no error of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.serving import served
from tests.surface import run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def test_responses_are_those_of_the_document(tmp_path: Path) -> None:
    with served(tmp_path / "state") as gateway:
        # Paths with a version lead to the same code; the acceptance test takes them too.
        options = ("--exclude-path-regex", "versions")
        report = run(gateway, tmp_path, phases="coverage", examples=1, seconds=60, options=options)
        assert report.failures == 0, report.text
        assert report.cases > 300
        gateway.stop()
        assert gateway.errors.read_text() == ""
