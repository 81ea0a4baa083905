"""Schemathesis against a running gateway: what its OpenAPI document allows, and what it does not.

Left out are three of its checks, for reasons that hold for this interface:

* a request may fit the schema and not the model: shapes and counts are not in a schema;
* to cancel a job is not to delete it: it can be read afterwards.

A caller that sets a deadline asks for 504 when it passes; any other status from 500 on is a fault.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Served

_LEFT_OUT = "positive_data_acceptance,use_after_free,ensure_resource_availability"
_QUESTION = {
    "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1.5, 0.75]}]
}


@dataclass(frozen=True)
class Report:
    """What a run found."""

    cases: int
    failures: int
    text: str


def run(
    gateway: Served,
    folder: Path,
    *,
    phases: str,
    examples: int,
    seconds: int,
    options: tuple[str, ...] = (),
) -> Report:
    """Run Schemathesis for at most so many seconds."""
    receipt_id = httpx.post(f"{gateway.url}/v2/models/example/infer", json=_QUESTION).headers[
        "Veridical-Receipt"
    ]
    upgrade = f"{gateway.url}/v1/receipts/{receipt_id}/upgrade?tier=zk"
    job_id = httpx.post(upgrade).json()["job_id"]
    httpx.delete(f"{gateway.url}/v1/jobs/{job_id}")  # else its stream of events has no end
    # Routes that take an id are asked for one that is there.
    (folder / "schemathesis.toml").write_text(
        f"""\
max-stream-events = 2
[parameters]
"path.receipt_id" = "{receipt_id}"
"path.job_id" = "{job_id}"
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 504]
"""
    )
    command = [sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()"]
    command += ["run", f"{gateway.url}/openapi.json", "--no-color", "--warnings", "off"]
    command += ["--phases", phases, "--max-examples", str(examples), "--max-time", str(seconds)]
    command += ["--exclude-checks", _LEFT_OUT, "--continue-on-failure", "--seed", "20261122"]
    command += options
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=seconds + 300
    )
    counts = re.search(r"(\d+) generated(?:, (\d+) found)?", done.stdout)
    assert counts is not None, done.stdout[-4000:] + done.stderr[-2000:]
    failures = int(counts[2] or 0)
    assert bool(failures) == bool(done.returncode), done.stdout[-4000:]
    return Report(int(counts[1]), failures, done.stdout)
