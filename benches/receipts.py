"""What a receipt costs: to issue, to keep, and to verify by running the program again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import veridical
from benches import timing
from veridical.policy import AllOf, ExpectInput, ExpectOutput, Nonce, TrustedModels, TrustedSigners

if TYPE_CHECKING:
    from benches.subject import Subject
    from examples.zoo import Samples

NONCE = "bench"
#: Any second will do: the receipt is issued and judged at the same one.
NOW = 1_800_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One model, one question. Units: seconds per call, bytes."""

    model: str
    answer: float
    """Question to answer, without a receipt."""
    issue: float
    """Statement, commitments and signature for an answer that is there."""
    verify: float
    """All checks, with the program run again; this is what the verifier pays."""
    size_bytes: int


def cost(subject: Subject, model: str, question: Samples) -> Cost:
    """Measure the three in turn: the answer on one thread, `verify` as it is, on all processors."""
    program = veridical.load(subject.path)
    signer = veridical.keys.generate()
    executor = program.executor(threads=1)
    answer = veridical.run(program, question, threads=1)
    issue = partial(veridical.issue, answer, signer=signer, nonce=NONCE, issued_at=NOW)
    receipt = issue()
    policy = AllOf(
        TrustedSigners(signer.public_key),
        TrustedModels(program.digest_hex),
        ExpectInput(),
        ExpectOutput(),
        Nonce(NONCE),
    )
    verify = partial(
        veridical.verify,
        receipt.to_bytes(),
        policy,
        now=NOW,
        input=question,
        output=answer.outputs,
        program=program,
    )
    seconds = timing.interleaved(
        {"answer": partial(executor.infer, question), "issue": issue, "verify": verify}
    )
    return Cost(
        model=model,
        answer=seconds["answer"],
        issue=seconds["issue"],
        verify=seconds["verify"],
        size_bytes=len(receipt.to_bytes()),
    )
