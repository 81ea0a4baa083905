"""Peak memory of a proof against its prediction, for the whole zoo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from benches import baseline
from examples.zoo import zoo
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion
from tests.memory import measure

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.accept, pytest.mark.timeout(600)]

MEBIBYTE: Final = 2**20
#: From here on the prediction has to be close as well as sufficient.
LARGE: Final = 100 * MEBIBYTE
MOST: Final = 1.5
LIMITS: Final = {"minilm": 4 * 2**30}
CASES: Final = [(name, 1) for name in sorted(zoo())] + [("lenet", 64), ("mlp1m", 64)]


@pytest.mark.parametrize(("name", "batch"), CASES)
def test_memory_is_predicted(
    name: str, batch: int, compiled: CompiledPath, criterion: RecordCriterion, tmp_path: Path
) -> None:
    samples = baseline.repeat(zoo()[name].test(), 0, batch)
    memory = measure(compiled(name), samples, tmp_path)
    limit = LIMITS.get(name)
    is_close = memory.predicted <= MOST * memory.measured
    criterion(
        f"memory of a proof of {batch} of {name}",
        required="predicted >= measured"
        + (f", <= {MOST} times" if memory.measured > LARGE else "")
        + ("" if limit is None else f"; process <= {limit // MEBIBYTE} MiB"),
        measured=f"predicted {memory.predicted // MEBIBYTE} MiB, measured "
        f"{memory.measured // MEBIBYTE} MiB, process {memory.process // MEBIBYTE} MiB",
    )
    assert memory.predicted >= memory.measured
    assert is_close or memory.measured <= LARGE
    assert limit is None or memory.process <= limit
