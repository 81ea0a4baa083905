"""The receipt of the demo with a succinct proof, and who is satisfied with a key.

Times are of this one run, on this machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from veridical import zk
from veridical.demo.forgeries import signed_lie_with_a_proof
from veridical.errors import Error, InternalError
from veridical.program import Program
from veridical.receipt import upgrade
from veridical.verifier import verify

if TYPE_CHECKING:
    from veridical.demo.forgeries import Case
    from veridical.policy import Policy
    from veridical.receipt import Receipt
    from veridical.verifier import Verified

__all__ = ["Proven", "prove"]

_MILLI: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What became of the receipt, and of a forged answer with a proof."""

    receipt: Receipt
    verified: Verified
    proof_bytes: int
    key_bytes: int
    commit_ms: float
    prove_ms: float
    verify_ms: float
    story: str
    rejection: Error


def prove(case: Case, policy: Policy) -> Proven:
    """Upgrade the receipt, verify it with the verification key, and forge its answer.

    Raises:
        InternalError: the forgery was accepted, which is a defect.
    """
    began = time.perf_counter()
    commitment = zk.commit(case.program)
    committed = time.perf_counter()
    proof = zk.prove([(case.run, case.receipt.statement)], commitment=commitment)
    proven = time.perf_counter()
    receipt = upgrade(
        case.receipt, case.run, signer=case.signer, evidence=zk.Zk(proof=proof), issued_at=case.now
    )
    key = case.program.to_bytes(vkey=True)
    consumer = Program.from_bytes(key)
    began_to_verify = time.perf_counter()
    verified = verify(
        receipt,
        policy,
        input=case.run.inputs,
        output=case.run.outputs,
        program=consumer,
        now=case.now,
    )
    ended = time.perf_counter()
    handed = signed_lie_with_a_proof(case, proof)
    try:
        verify(
            handed.receipt,
            policy,
            input=case.run.inputs,
            output=handed.output,
            program=consumer,
            now=case.now,
        )
    except Error as error:
        rejection = error
    else:
        raise InternalError("a false answer with the proof of the true one was accepted")
    return Proven(
        receipt=receipt,
        verified=verified,
        proof_bytes=len(proof.proof),
        key_bytes=len(key),
        commit_ms=(committed - began) * _MILLI,
        prove_ms=(proven - committed) * _MILLI,
        verify_ms=(ended - began_to_verify) * _MILLI,
        story=(signed_lie_with_a_proof.__doc__ or "").strip(),
        rejection=rejection,
    )
