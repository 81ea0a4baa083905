"""Changed proofs of real models: every byte of two small ones, 20,000 elements of large ones."""

from __future__ import annotations

import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

import veridical
from benches import baseline
from examples.zoo import zoo
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion
from tests.conftest import FULL_CAMPAIGN
from tests.differential.proofs import Proven, prove
from veridical.errors import ProofError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = [pytest.mark.accept, pytest.mark.timeout(7200)]

SMALL: Final = ("alloc_softmax", "tiny_sigmoid")
LARGE: Final = ("lenet", "mlp1m", "tblock", "minilm")
MODULUS: Final = 2**31 - 2**24 + 1
ELEMENT: Final = 4
ELEMENTS: Final = 20_000 if FULL_CAMPAIGN else 200
#: Without the full campaign, one byte of so many.
STEP: Final = 1 if FULL_CAMPAIGN else 257
CHUNK: Final = 64
NUMBER: Final = re.compile(r"\d+")


def honest(name: str, compiled: CompiledPath) -> Proven:
    """Prove one test sample of a model."""
    program = veridical.load(compiled(name))
    sample = baseline.repeat(zoo()[name].test(), 0, 1)
    proven = prove(program, dict(program.encode(sample).tensors))
    assert proven.verify() >= 100
    return proven


def changed_bytes(proof: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each byte with a random other value."""
    source = np.random.default_rng(1)
    for offset in range(0, len(proof), STEP):
        yield offset, bytes([proof[offset] ^ int(source.integers(1, 256))])


def changed_elements(proof: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield random elements with random other values below the modulus."""
    source = np.random.default_rng(2)
    while True:
        offset = ELEMENT * int(source.integers(len(proof) // ELEMENT))
        value = int(source.integers(MODULUS)).to_bytes(ELEMENT, "little")
        if proof[offset : offset + ELEMENT] != value:
            yield offset, value


def refusals(proven: Proven, changes: Iterable[tuple[int, bytes]]) -> Counter[str]:
    """Judge every change; count the reasons. One that is accepted fails."""

    def judge(chunk: tuple[tuple[int, bytes], ...]) -> Counter[str]:
        checks: Counter[str] = Counter()
        for offset, value in chunk:
            proof = bytearray(proven.proof)
            proof[offset : offset + len(value)] = value
            try:
                proven.verify(proof=bytes(proof))
            except ProofError as refusal:
                # One check says the same of every place but for its numbers.
                checks[NUMBER.sub("#", str(refusal))] += 1
            else:
                pytest.fail(f"accepted: {value.hex()} at byte {offset} of {len(proof)}")
        return checks

    def chunks() -> Iterator[tuple[tuple[int, bytes], ...]]:
        rest = iter(changes)
        while chunk := tuple(islice(rest, CHUNK)):
            yield chunk

    # The verifier works without the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        total: Counter[str] = Counter()
        for checks in pool.map(judge, chunks()):
            total.update(checks)
    return total


def note(
    criterion: RecordCriterion, item: str, what: str, proven: Proven, found: Counter[str]
) -> None:
    """Record how many changes each check refused."""
    criterion(
        item,
        required=f"0 accepted: {what}",
        measured=f"{found.total()} changes of {len(proven.proof)} bytes, all refused, "
        f"for {len(found)} reasons",
    )


@pytest.mark.parametrize("name", SMALL)
def test_no_byte_can_change(name: str, compiled: CompiledPath, criterion: RecordCriterion) -> None:
    proven = honest(name, compiled)
    found = refusals(proven, changed_bytes(proven.proof))
    note(criterion, f"{name}: changed bytes of a proof", "every byte", proven, found)
    assert found.total() == len(range(0, len(proven.proof), STEP))
    assert len(found) > 2


@pytest.mark.parametrize("name", LARGE)
def test_no_element_can_change(
    name: str, compiled: CompiledPath, criterion: RecordCriterion
) -> None:
    proven = honest(name, compiled)
    found = refusals(proven, islice(changed_elements(proven.proof), ELEMENTS))
    note(criterion, f"{name}: changed elements of a proof", f"{ELEMENTS} elements", proven, found)
    assert found.total() == ELEMENTS
    assert len(found) > 2
