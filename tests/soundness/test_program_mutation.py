"""Every tensor of a program, and every byte of its file: no change keeps the digest.

A receipt pins a program by its digest alone, so this is what "the promised model" rests on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import veridical
from tests.conftest import FULL_CAMPAIGN
from tests.repository import ROOT
from tests.toy import NOW, SIGNER
from veridical.errors import Error, StatementMismatchError
from veridical.policy import AllOf, TrustedModels, TrustedSigners
from veridical.receipt import issue
from veridical.verifier import verify

if TYPE_CHECKING:
    from tests.acceptance import RecordCriterion

pytestmark = pytest.mark.timeout(900 if FULL_CAMPAIGN else 60)

FOLDER = ROOT / "vectors" / "program"


def programs_with_plain_constants() -> list[str]:
    """Return vectors whose constants can be put back without a salt."""
    found = []
    for path in sorted(FOLDER.glob("*.vprog")):
        graph = veridical.load(path).graph
        if b'"salted":0' in graph and b'"dtype"' in graph:
            found.append(path.stem)
    return found


def changed_consts(program: veridical.Program) -> list[tuple[int, Any]]:
    """Return (index, constant) with one element changed, for elements of every constant."""
    found = []
    for index in range(program.graph.count(b'"dtype"')):
        const = program.const(index)
        size = const.size
        step = 1 if FULL_CAMPAIGN and size < 1000 else max(1, size // 8)
        for position in range(0, size, step):
            for delta in (1, -1):
                mutant = const.copy()
                flat = mutant.reshape(-1)
                limit = np.iinfo(mutant.dtype)
                if limit.min <= int(flat[position]) + delta <= limit.max:
                    flat[position] += delta
                    found.append((index, mutant))
    return found


def test_a_changed_element_of_any_tensor_changes_the_digest(criterion: RecordCriterion) -> None:
    refused = other = 0
    same = []
    names = programs_with_plain_constants()
    for name in names:
        program = veridical.load(FOLDER / f"{name}.vprog")
        consts = [program.const(index) for index in range(program.graph.count(b'"dtype"'))]
        assert veridical.Program.build(program.graph, consts).digest == program.digest
        for index, mutant in changed_consts(program):
            tensors = [*consts[:index], mutant, *consts[index + 1 :]]
            try:
                digest = veridical.Program.build(program.graph, tensors).digest
            except Error:
                refused += 1
                continue
            if digest == program.digest:
                same.append((name, index))
            else:
                other += 1
    criterion(
        f"elements of every tensor of {len(names)} programs changed one at a time",
        required="0 keep the digest",
        measured=f"{refused} refused at load, {other} with another digest, {len(same)} the same",
    )
    assert len(names) > 10
    assert refused
    assert other
    assert not same


def test_a_changed_byte_of_the_file_is_refused_or_another_model_or_the_same(
    criterion: RecordCriterion,
) -> None:
    encoded = (FOLDER / "example.vprog").read_bytes()
    honest = veridical.Program.from_bytes(encoded)
    question = {"x": np.array([[0.5, -0.25, 1.0]], np.float32)}
    answer = veridical.run(honest, question, threads=1)
    receipt = issue(answer, signer=SIGNER, issued_at=NOW)
    policy = AllOf(TrustedSigners(SIGNER.public_key), TrustedModels(honest.digest))
    refused = other = 0
    same: list[int] = []
    for offset in range(0, len(encoded), 1 if FULL_CAMPAIGN else 7):
        mutant = bytearray(encoded)
        mutant[offset] ^= 1
        try:
            program = veridical.Program.from_bytes(bytes(mutant))
        except Error:
            refused += 1
            continue
        if program.digest == honest.digest:
            same.append(offset)
            again = veridical.run(program, question, threads=1)
            assert (again.integer_outputs["y"] == answer.integer_outputs["y"]).all()
            continue
        other += 1
        with pytest.raises(StatementMismatchError):
            verify(receipt, policy, now=NOW, input=question, program=program)
    criterion(
        "bytes of a program file changed",
        required="0 run otherwise under the same digest",
        measured=f"{refused} refused, {other} another model, {len(same)} the same model",
    )
    assert refused
    assert other
