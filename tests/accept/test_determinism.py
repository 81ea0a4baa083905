"""The same integers from every kernel path, thread count and batch size, and from NumPy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

import veridical
from examples.zoo import num_samples, take, zoo
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion
from veridical import _core, reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from veridical.program import Isa

pytestmark = pytest.mark.accept

SEED = 20_261_122
NUM_SMALL, NUM_LARGE = 1_000, 20
BATCHES = (1, 64)
THREADS = (1, 2)


def digest(outputs: dict[str, NDArray[Any]]) -> str:
    """Return one digest over names, shapes and bits of all outputs."""
    state = hashlib.sha256()
    for name in sorted(outputs):
        array = np.ascontiguousarray(outputs[name])
        state.update(f"{name}{array.dtype}{array.shape}".encode() + array.tobytes())
    return state.hexdigest()


def in_batches(
    executor: _core.Executor, tensors: dict[str, NDArray[np.int32]], batch: int
) -> dict[str, NDArray[np.int32]]:
    """Run all rows, so many at a time, and put the answers together."""
    total = len(next(iter(tensors.values())))
    parts = [
        executor.run({name: rows[start : start + batch] for name, rows in tensors.items()})
        for start in range(0, total, batch)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@pytest.mark.parametrize("name", sorted(zoo()))
def test_all_engines_agree(name: str, compiled: CompiledPath, criterion: RecordCriterion) -> None:
    case = zoo()[name]
    count = NUM_LARGE if case.is_large else NUM_SMALL
    program = veridical.load(compiled(name))
    # Real questions where they mean something, and inputs without meaning for the rest.
    real = take(case.test(), slice(0, min(count // 2, num_samples(case.test()))))
    noise = case.random(count - num_samples(real), seed=SEED)
    inputs = {key: np.concatenate([real[key], noise[key]]) for key in real}
    encoded = program.encode(inputs)

    digests: dict[str, str] = {}
    for isa in cast("list[Isa]", _core.available_isas()):
        for threads in THREADS:
            executor = program.executor(threads=threads, isa=isa)
            for batch in BATCHES:
                outputs = in_batches(executor, encoded.tensors, batch)
                digests[f"{isa}, {threads} threads, batch {batch}"] = digest(outputs)

    second = reference.load(compiled(name).read_bytes())
    again = second.encode(inputs)
    assert again.saturation_count == encoded.saturated
    assert digest(dict(again.values)) == digest(dict(encoded.tensors))
    digests["NumPy"] = digest(dict(second.run(again.values, keep_trace=False).outputs))
    assert f"sha256:{second.digest.removeprefix('sha256:')}" == program.digest_hex

    different = sorted(engine for engine, value in digests.items() if value != digests["NumPy"])
    criterion(
        f"determinism of {name}, {count} inputs",
        required="one output digest",
        measured=f"{len(digests)} engines, {len(set(digests.values()))} digest"
        + (f"; different: {different}" if different else ""),
    )
    assert not different
