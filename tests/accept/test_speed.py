"""Speed at the default precision, single thread, beside ONNX Runtime in the same run."""

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

MAX_RATIO_TO_INT8 = 2.5


@pytest.mark.parametrize("batch", [1, 64])
@pytest.mark.parametrize("name", ["mlp1m", "lenet", "minilm"])
def test_speed(
    name: str, batch: int, compiled: CompiledPath, criterion: RecordCriterion, tmp_path: Path
) -> None:
    case = zoo()[name]
    subject = Subject(path=compiled(name), compile_seconds=0.0)
    variants, _ = baseline.candidates(case, batch, tmp_path)
    (row,) = contest.race(case, subject, variants, batch, [1])
    assert row.int8 is not None
    to_float, to_int8 = row.ours / row.float32, row.ours / row.int8
    criterion(
        f"speed of {name}, batch {batch}, one thread",
        required=f"<= 1 x float32, <= {MAX_RATIO_TO_INT8} x int8",
        measured=f"{to_float:.2f} x float32, {to_int8:.2f} x int8 ({row.int8_variant})",
    )
    assert to_float <= 1.0
    assert to_int8 <= MAX_RATIO_TO_INT8
