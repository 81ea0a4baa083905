"""The one place that names the functions of our prover and verifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import veridical
from benches.receipts import NONCE, NOW
from benches.zk.environments import UnavailableError
from veridical import _core, zk
from veridical.policy import (
    AllOf,
    ExpectInput,
    ExpectOutput,
    MinSoundnessBits,
    Nonce,
    RequireTier,
    TrustedModels,
    TrustedSigners,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from numpy.typing import NDArray

    from veridical.keys import PrivateKey, PublicKey
    from veridical.program import Program, Run
    from veridical.receipt.statement import Statement

    Arrays = Mapping[str, NDArray[Any]]

MIN_BITS = 100
NEEDED = ("WeightCommitment", "prove", "verify_proof")


def require() -> None:
    """Check that this build can prove.

    Raises:
        UnavailableError: it cannot.
    """
    missing = [name for name in NEEDED if not hasattr(_core, name)]
    if missing:
        raise UnavailableError(
            f"veridical is skipped: this build of the extension has no {', '.join(missing)}"
        )


def commit(program: Program, threads: int) -> zk.WeightCommitment:
    """Commit to the weights."""
    return zk.commit(program, threads=threads)


def state(run: Run, signer: PrivateKey) -> Statement:
    """Return what the proof is about."""
    return veridical.issue(run, signer=signer, nonce=NONCE, issued_at=NOW).statement


def prove(
    run: Run, statement: Statement, commitment: zk.WeightCommitment, threads: int
) -> zk.ProofEvidence:
    """Prove all rows of a run in one proof; the trace of every integer is made in here."""
    return zk.prove([(run, statement)], commitment=commitment, threads=threads)


def describe(evidence: zk.ProofEvidence) -> dict[str, int]:
    """Return facts about a proof."""
    return {"proof_bytes": len(evidence.proof), "soundness_bits": evidence.soundness_bits}


def issue(run: Run, evidence: zk.ProofEvidence, signer: PrivateKey) -> bytes:
    """Return the receipt that carries a proof."""
    receipt = veridical.issue(
        run, signer=signer, evidence=zk.Zk(proof=evidence), nonce=NONCE, issued_at=NOW
    )
    return receipt.to_bytes()


def verifier(
    receipt: bytes, key: Program, public_key: PublicKey, inputs: Arrays, outputs: Arrays
) -> Callable[[], object]:
    """Return a call that verifies a receipt, all checks; a rejection is raised."""
    policy = AllOf(
        TrustedSigners(public_key),
        TrustedModels(key.digest_hex),
        RequireTier("zk"),
        MinSoundnessBits(MIN_BITS),
        ExpectInput(),
        ExpectOutput(),
        Nonce(NONCE),
    )
    return lambda: veridical.verify(
        receipt, policy, now=NOW, input=inputs, output=outputs, program=key
    )
