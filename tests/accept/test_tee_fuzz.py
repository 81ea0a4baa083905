"""Parsers of hardware evidence under a fuzzer: nothing but named errors, in time and memory."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from tests.acceptance import RecordCriterion
from tests.conftest import FULL_CAMPAIGN
from tests.fuzz.parsers import PARSERS
from tests.repository import ROOT

SECONDS = 600 if FULL_CAMPAIGN else 3
#: Of which the instrumented interpreter with all packages takes about 90.
MAX_MEMORY_MB = 512

pytestmark = [pytest.mark.accept, pytest.mark.timeout(SECONDS + 600)]


@pytest.mark.parametrize("name", PARSERS)
def test_parsers_under_a_fuzzer(name: str, criterion: RecordCriterion) -> None:
    command = ["scripts/fuzz_tee.sh", name, str(SECONDS)]
    environment = {**os.environ, "PYTHON": sys.executable}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    figures = {
        key: int(n) for key, n in re.findall(r"^stat::(\w+): +(\d+)$", run.stderr, re.MULTILINE)
    }
    criterion(
        f"fuzzed parser {name}",
        required=f"{SECONDS} s, named errors only, under {MAX_MEMORY_MB} MB and 10 s an input",
        measured=(
            f"{figures.get('number_of_executed_units', 0)} inputs, "
            f"{figures.get('peak_rss_mb', 0)} MB, slowest {figures.get('slowest_unit_time_sec')} s"
        ),
    )
    assert run.returncode == 0, (run.stdout + run.stderr)[-4000:]
    assert figures["number_of_executed_units"] > 100 * SECONDS
    assert figures["peak_rss_mb"] < MAX_MEMORY_MB
