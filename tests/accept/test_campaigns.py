"""Campaigns against the verifier that are written in Rust: what was tried, none of it accepted."""

from __future__ import annotations

import ast
import os
import re
import subprocess
from collections import Counter

import pytest

from tests.acceptance import RecordCriterion
from tests.conftest import FULL_CAMPAIGN
from tests.repository import ROOT

pytestmark = [pytest.mark.accept, pytest.mark.timeout(7200)]

PROVER = ("cargo", "test", "--quiet", "--locked", "--package", "veridical-prover")
# What a campaign prints: how many times each check refused.
COUNTS = re.compile(r"\{\"\w+\": \d+(?:, \"\w+\": \d+)*\}")
# What libFuzzer says at its end, and for how long each target runs: the verifier longest.
EXECUTED = re.compile(r"^stat::number_of_executed_units: +(\d+)", re.MULTILINE)
FUZZED = {"proof": 600, "witness": 60, "graph": 60, "file": 60, "receipt": 60}
PASSED = re.compile(r"^test result: (\w+)\. (\d+) passed; (\d+) failed", re.MULTILINE)


def campaign(*arguments: str) -> tuple[str, int]:
    """Run tests of the prover; return what they print and how many passed."""
    done = subprocess.run(
        [*PROVER, *arguments, "--", "--nocapture"],
        cwd=ROOT,
        env=os.environ | ({"VERIDICAL_CAMPAIGN": "full"} if FULL_CAMPAIGN else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    (result,) = PASSED.findall(done.stdout)
    assert result[0] == "ok"
    return done.stdout, int(result[1])


def test_forgeries_of_a_lying_prover(criterion: RecordCriterion) -> None:
    _, passed = campaign("--features", "cheating", "--test", "forgeries")
    page = (ROOT / "docs" / "forgeries.md").read_text(encoding="utf-8")
    # A test of the suite keeps the page and the suite equal.
    rows = re.findall(r"^\| (\d+)[a-z]* \|", page, flags=re.MULTILINE)
    criterion(
        "forgeries of a lying prover, docs/forgeries.md",
        required="each refused by the check that is named",
        measured=f"{len(rows)} forgeries of {len(set(rows))} kinds, {passed} tests passed",
    )
    assert len(set(rows)) >= 60


def test_mutations_of_proofs_and_witnesses(criterion: RecordCriterion) -> None:
    output, passed = campaign("--test", "mutations")
    found = [ast.literal_eval(line) for line in COUNTS.findall(output)]
    refused: Counter[str] = Counter()
    for counts in found:
        refused.update(counts)
    criterion(
        "changed proofs and witness cells",
        required="0 accepted: every byte of two small proofs, 20000 elements of a larger one",
        measured=f"{refused.total()} changes refused, {passed} tests passed; by check: "
        + ", ".join(f"{name} {count}" for name, count in refused.most_common()),
    )
    assert refused.total() >= (20_000 if FULL_CAMPAIGN else 1_000)


@pytest.mark.parametrize("target", FUZZED)
def test_fuzzing(target: str, criterion: RecordCriterion) -> None:
    seconds = FUZZED[target] if FULL_CAMPAIGN else 5
    done = subprocess.run(
        [str(ROOT / "scripts" / "fuzz.sh"), target, str(seconds)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    output = done.stdout + done.stderr
    executed = [int(count) for count in EXECUTED.findall(output)]
    criterion(
        f"fuzzing with coverage, target {target}, {seconds} s",
        required="no panic, no slow input, none that takes too much memory",
        measured=f"{sum(executed)} inputs, exit code {done.returncode}",
    )
    assert done.returncode == 0, output[-4000:]
    assert sum(executed) > 0
