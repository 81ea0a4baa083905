"""The committed WebAssembly module is what its sources build to, byte for byte."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.agreement import MODULE
from tests.repository import ROOT

if TYPE_CHECKING:
    from tests.acceptance import RecordCriterion

pytestmark = [pytest.mark.accept, pytest.mark.timeout(7200)]


def test_the_module_is_built_again_bit_for_bit(criterion: RecordCriterion) -> None:
    done = subprocess.run(
        ("scripts/wasm.sh",), cwd=ROOT, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    is_same = f"the same bytes as {MODULE.relative_to(ROOT)}" in done.stdout
    record = json.loads(MODULE.with_suffix(".wasm.json").read_text(encoding="utf-8"))
    median = re.search(r"median ([0-9.]+) ms", said)
    criterion(
        "the module of the page, built again",
        required="the same bytes; Node accepts a proof with it, and no changed one",
        measured=(
            f"{'the same' if is_same else 'other'} {record['bytes']} bytes by "
            f"{record['compiler']}; a proof in {median[1] if median else '?'} ms"
        ),
    )
    assert done.returncode == 0, said[-4000:]
    assert is_same, said[-4000:]
