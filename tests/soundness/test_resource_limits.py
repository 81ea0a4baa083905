"""A truncated, a random and a 2 GB receipt: rejected within 100 ms and 100 MB.

Each case runs in a fresh process that measures itself: peak memory is a property of a process.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from hashlib import shake_256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.repository import ROOT
from tests.toy import toy_receipt

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.acceptance import RecordCriterion

# Starting a process takes its time where many share the machine; what is judged is inside it.
pytestmark = pytest.mark.timeout(240)

LIMIT_SECONDS = 0.1
LIMIT_BYTES = 100_000_000
MIB = 2**20

# Imports and the interpreter are no part of a verification: the peak before is subtracted.
PROBE = """
import json, sys, time
from tests.toy import GIVEN, STRICT
from veridical.verifier import explain

def peak():
    # Not getrusage: its peak is inherited from the process that started this one.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

explain(b"{}", STRICT, **GIVEN)
before = peak()
source = sys.argv[1]
if sys.argv[2] == "bytes":
    source = open(source, "rb").read()
    before = peak()
start = time.perf_counter()
report = explain(source, STRICT, **GIVEN)
seconds = time.perf_counter() - start
print(json.dumps({"seconds": seconds, "bytes": peak() - before, "verdict": report.verdict,
                  "error": type(report.error).__name__}))
"""


def measure(path: Path, how: str = "path") -> dict[str, Any]:
    best: dict[str, Any] = {}
    for _ in range(5):  # other processes share the machine; the least disturbed run counts
        run = subprocess.run(
            [sys.executable, "-c", PROBE, str(path), how],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        result = json.loads(run.stdout)
        if not best or result["seconds"] < best["seconds"]:
            best = result
        if best["seconds"] < LIMIT_SECONDS:
            break
    return best


def pseudo_random(size: int) -> bytes:
    return shake_256(b"receipt").digest(size)


def large_receipt() -> bytes:
    """Return an honest receipt with so much evidence that it just fits the limit."""
    return replace(toy_receipt(), evidence=(pseudo_random(11 * MIB),)).to_bytes()


@pytest.mark.parametrize("how", ["path", "bytes"])
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("empty", "MalformedError"),
        ("truncated", "MalformedError"),
        ("truncated_large", "MalformedError"),
        ("random", "MalformedError"),
        ("random_large", "MalformedError"),
        ("nested", "NestingError"),
        ("many_values", "OversizeError"),
        ("one_string", "MalformedError"),
        ("just_too_large", "OversizeError"),
    ],
)
def test_it_is_rejected_in_time_and_space(
    name: str, error: str, how: str, tmp_path: Path, criterion: RecordCriterion
) -> None:
    make: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "truncated": lambda: toy_receipt().to_bytes()[:-1],
        "truncated_large": lambda: large_receipt()[:-700],
        "random": lambda: pseudo_random(4096),
        "random_large": lambda: pseudo_random(16 * MIB),
        "nested": lambda: b"[" * (16 * MIB),
        "many_values": lambda: b"[" + b"1," * (8 * MIB - 1),
        "one_string": lambda: b'{"envelopes":"' + b"A" * (15 * MIB),
        "just_too_large": lambda: b" " * (16 * MIB + 1),
    }
    path = tmp_path / f"{name}.receipt.json"
    path.write_bytes(make[name]())
    result = measure(path, how)
    note(criterion, f"{name} receipt, as {how}", result)
    assert result["verdict"] == "rejected"
    assert result["error"] == error
    assert result["seconds"] < LIMIT_SECONDS, result
    assert result["bytes"] < LIMIT_BYTES, result


def note(criterion: RecordCriterion, item: str, result: dict[str, Any]) -> None:
    criterion(
        item,
        required="rejected within 100 ms and 100 MB",
        measured=f"{result['verdict']} by {result['error']} in {result['seconds'] * 1000:.1f} ms "
        f"and {result['bytes'] / 1e6:.1f} MB",
    )


def test_two_gigabytes_are_not_read(tmp_path: Path, criterion: RecordCriterion) -> None:
    path = tmp_path / "huge.receipt.json"
    with path.open("wb") as file:
        file.truncate(2 * 10**9)  # sparse: what counts is the size that the system reports
    result = measure(path)
    note(criterion, "2 GB receipt", result)
    assert result["error"] == "OversizeError"
    assert result["seconds"] < LIMIT_SECONDS, result
    assert result["bytes"] < LIMIT_BYTES / 10, result


def test_a_device_without_end_is_not_read_to_its_end() -> None:
    result = measure(Path("/dev/zero"))
    assert result["error"] == "OversizeError"
    assert result["bytes"] < LIMIT_BYTES, result
