"""Speed at the default precision against ONNX Runtime, one thread, batch 1, in the same run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benches import baseline, contest
from benches.subject import Subject
from examples.zoo import zoo
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.accept

MAX_OF_FLOAT32 = 1.0
MAX_OF_INT8 = 2.5


@pytest.mark.parametrize("name", ["mlp1m", "lenet", "minilm"])
def test_speed(
    name: str, compiled: CompiledPath, tmp_path: Path, criterion: RecordCriterion
) -> None:
    case = zoo()[name]
    subject = Subject(path=compiled(name), compile_seconds=0.0)  # compiled before; not timed here
    variants, failures = baseline.candidates(case, 1, tmp_path)
    (row,) = contest.race(case, subject, variants, 1, [1])
    assert row.int8 is not None, f"no int8 variant runs: {failures}"
    of_float32, of_int8 = row.ours / row.float32, row.ours / row.int8
    criterion(
        f"speed of {name}, one thread, batch 1",
        required=f"<= {MAX_OF_FLOAT32:g} x float32, <= {MAX_OF_INT8:g} x int8",
        measured=f"{row.ours * 1e3:.3f} ms = {of_float32:.2f} x float32, {of_int8:.2f} x int8",
    )
    assert of_float32 <= MAX_OF_FLOAT32
    assert of_int8 <= MAX_OF_INT8
