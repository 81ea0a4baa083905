"""Succinct proofs of the whole zoo: time to prove and verify, sizes, and that they are exact."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

import veridical
from examples.zoo import num_samples, take, zoo
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion
from tests.differential.proofs import prove
from veridical import zk

if TYPE_CHECKING:
    from veridical import Program, Run

pytestmark = pytest.mark.accept

REPEATS: Final = 5
MEBIBYTE: Final = 2**20


@dataclass(frozen=True)
class Bar:
    """Most that proving, verifying and a proof may take: milliseconds and kilobytes."""

    prove: float
    verify: float
    size: float


NONE: Final = Bar(float("inf"), float("inf"), float("inf"))
BARS: Final = {
    "alloc_softmax": Bar(50, 15, 300),
    "tiny_sigmoid": Bar(50, 15, 300),
    "mlp100k": Bar(60, 15, 300),
    "lenet": Bar(200, 25, 500),
    "mlp1m": Bar(150, 25, 500),
    "tblock": Bar(150, 25, 500),
    "minilm": Bar(4000, 60, 1000),
}


def run_of(name: str, program: Program, batch: int) -> Run:
    case = zoo()[name]
    samples = take(case.test(), slice(0, batch))
    missing = batch - num_samples(samples)
    if missing > 0:
        samples = {key: np.concatenate([x, x[:missing]]) for key, x in samples.items()}
    return veridical.run(program, samples)


def timed(name: str, path: str, batch: int) -> tuple[list[float], list[float], int, int]:
    """Return milliseconds to prove and to verify, bytes of the proof, bits of soundness."""
    program = veridical.load(path)
    inputs = dict(run_of(name, program, batch).encoded.tensors)
    zk.commit(program)
    proving, verifying = [], []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        proven = prove(program, inputs)
        proving.append((time.perf_counter() - begin) * 1e3)
        begin = time.perf_counter()
        bits = proven.verify()
        verifying.append((time.perf_counter() - begin) * 1e3)
    return proving, verifying, len(proven.proof), bits


@pytest.mark.parametrize("name", sorted(zoo()))
def test_proving(name: str, compiled: CompiledPath, criterion: RecordCriterion) -> None:
    proving, verifying, size, bits = timed(name, str(compiled(name)), 1)
    bar = BARS.get(name, NONE)
    criterion(
        f"succinct proof of {name}, all cores",
        required=f"prove <= {bar.prove:g} ms, verify <= {bar.verify:g} ms, <= {bar.size:g} kB",
        measured=f"prove {statistics.median(proving):.1f} ms, verify "
        f"{statistics.median(verifying):.1f} ms, {size / 1e3:.0f} kB, {bits} bits",
    )
    assert bits >= zk.PROFILES["standard"]
    assert statistics.median(proving) <= bar.prove
    assert statistics.median(verifying) <= bar.verify
    assert size <= bar.size * 1e3


@pytest.mark.parametrize(("name", "milliseconds"), [("mlp1m", 5.0)])
def test_proving_many_inputs_together(
    name: str, milliseconds: float, compiled: CompiledPath, criterion: RecordCriterion
) -> None:
    batch = 64
    proving, _, size, _ = timed(name, str(compiled(name)), batch)
    each = statistics.median(proving) / batch
    criterion(
        f"succinct proof of {batch} inputs of {name}, each",
        required=f"<= {milliseconds:g} ms",
        measured=f"{each:.2f} ms, {size / 1e3:.0f} kB for all",
    )
    assert each <= milliseconds
