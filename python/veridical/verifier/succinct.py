"""Tier `zk`: check a succinct proof; nothing is run again.

Spec: spec/v1/receipt.md, section 7 and check 14; spec/v1/zk.md.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from veridical import _core
from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import MalformedError, ProofError, UndecidedError
from veridical.program import Program
from veridical.verifier.opening import Opening
from veridical.verifier.report import Shown, Standing
from veridical.zk.evidence import PROOF_TYPE, Member, ProofEvidence
from veridical.zk.weights import PROFILES, known_root

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from veridical.keys import PublicKey
    from veridical.receipt.bundle import Receipt
    from veridical.receipt.envelope import Predicate
    from veridical.verifier.given import Given

__all__ = ["SuccinctVerifier"]

_PROPERTIES: Final[Mapping[str, Standing]] = MappingProxyType(
    {
        "model": Standing.PROVEN,
        "input": Standing.REVEALED,  # unless it is the caller's own, which check 12 says
        "output": Standing.PROVEN,
    }
)
#: With a verification key alone, nobody but the signer has compared the weights.
_OF_KEY: Final[Mapping[str, Standing]] = MappingProxyType(
    {**_PROPERTIES, "model": Standing.COMMITTED_ONLY}
)
#: What a profile rests on beyond well-known results.
_THEOREM: Final = {
    "strong": (
        "theorem: 128 bits rest on eprint 2026/2056; with eprint 2025/2055 alone they are 121",
    )
}
_ALWAYS: Final = (
    "log: none; answers that the signer withheld cannot be seen",
    "time of issue: the signer's word",
)


class SuccinctVerifier:
    """Checks the proof of one receipt against the caller's program or verification key."""

    evidence_types: Mapping[str, int] = MappingProxyType({PROOF_TYPE: 1})

    def __init__(self, receipt: Receipt, evidence: Mapping[str, bytes], given: Given) -> None:
        self._receipt = receipt
        self._evidence = evidence
        self._given = given
        self._opening = Opening(receipt, given, "the proof", ProofError)
        self._outcomes: dict[str, Shown | ProofError | UndecidedError] = {}

    def verify(self, predicate: Predicate, signer: PublicKey) -> Shown:  # noqa: ARG002 - protocol
        """Return what was shown; see `TierVerifier`."""
        digests = [descriptor.digest for descriptor in predicate.evidence]
        if len(digests) != 1:
            raise ProofError(
                f"{len(digests)} proofs; this tier takes one", where="evidence", check="tier"
            )
        digest = digests[0]
        if digest not in self._outcomes:
            try:
                self._outcomes[digest] = self._check(
                    ProofEvidence.from_bytes(self._evidence[digest])
                )
            except (ProofError, UndecidedError) as error:
                self._outcomes[digest] = error
        outcome = self._outcomes[digest]
        if isinstance(outcome, Shown):
            return outcome
        raise outcome

    def _check(self, evidence: ProofEvidence) -> Shown:
        if evidence.profile not in PROFILES:
            raise ProofError(
                f"profile {evidence.profile!r} is none of {', '.join(PROFILES)}",
                where="evidence.profile",
                check="tier",
            )
        program = self._opening.program()
        if not isinstance(program, Program):
            raise UndecidedError(
                "this engine cannot check proofs",
                check="tier",
                advice="Verify with a program or verification key of `veridical.load`.",
            )
        own = self._own_member(evidence)
        encoded = self._opening.encoded_input()
        inputs = tensors_to_bytes(encoded.tensors)
        if own.inputs and own.inputs != inputs:
            raise ProofError(
                "the proof is about another input", where="evidence.inputs", check="tier"
            )
        outputs = [_integers(member.outputs, "outputs") for member in evidence.members]
        count = self._opening.require_outputs(outputs[evidence.members.index(own)])
        assumption = self._weights(program, evidence)
        arguments = (
            [member.statement for member in evidence.members],
            [_integers(member.inputs or inputs, "inputs") for member in evidence.members],
            outputs,
        )
        bits = self._opening.guarded(
            "checking the proof",
            lambda: _core.verify_proof(
                program.core,
                evidence.profile,
                evidence.weight_root,
                *arguments,
                evidence.proof,
            ),
        )
        if bits != evidence.soundness_bits:
            raise ProofError(
                f"the evidence claims {evidence.soundness_bits} bits of soundness, it has {bits}",
                where="evidence.soundness_bits",
                check="tier",
            )
        return Shown(
            detail=f"a succinct proof over {count} output integers, {bits} bits",
            properties=_OF_KEY if program.is_vkey else _PROPERTIES,
            assumptions=(
                f"proof: {bits} bits of soundness by the union bound, in the random oracle model",
                *_THEOREM.get(evidence.profile, ()),
                assumption,
                *_ALWAYS,
            ),
            soundness_bits=_total_bits(program, evidence, bits),
        )

    def _own_member(self, evidence: ProofEvidence) -> Member:
        digest = bytes.fromhex(self._receipt.receipt_id.removeprefix("sha256:"))
        for member in evidence.members:
            if member.statement == digest:
                return member
        raise ProofError(
            "the proof is about other statements", where="evidence.statement", check="tier"
        )

    def _weights(self, program: Program, evidence: ProofEvidence) -> str:
        """Compare the weight commitment with the weights, where they are given."""
        if program.is_vkey and program.registrations:
            return _registered(program, evidence)
        if program.is_vkey:
            return (
                f"weights: that commitment {evidence.weight_root.hex()[:16]} is to the weights of "
                "this model, and that these keep the declared ranges, is the signer's word; a "
                "registration proof shows the ranges, the program both"
            )
        committed = self._opening.guarded(
            "committing to the weights", lambda: known_root(program, profile=evidence.profile)
        )
        if committed.root != evidence.weight_root:
            raise ProofError(
                "the proof is about other weights than those of the program",
                where="evidence.weight_root",
                check="tier",
            )
        if not committed.is_computed:
            return "weights: committed to earlier by this user with this build, from the program"
        return "weights: committed to again by this verifier, from the program"


def _registered(program: Program, evidence: ProofEvidence) -> str:
    """Compare the commitment with the one whose ranges were proven."""
    registration = program.registrations.get(evidence.profile)
    if registration is None:
        raise UndecidedError(
            f"the proof is under profile {evidence.profile}, and the registration of its weights "
            f"under {', '.join(program.registrations)}",
            where="evidence.profile",
            check="tier",
            advice="Give the registration of this profile, or the program.",
        )
    if registration.weight_root != evidence.weight_root:
        raise ProofError(
            "the proof is about other weights than those registered",
            where="evidence.weight_root",
            check="tier",
        )
    return (
        f"weights: those behind {evidence.weight_root.hex()[:16]} keep every declared range, by a "
        f"registration proof of {registration.soundness_bits} bits; that they are the weights of "
        "this model is the word of the signer and of who registered them"
    )


def _total_bits(program: Program, evidence: ProofEvidence, bits: int) -> int:
    """Return whole bits of the union bound over every proof that the verdict rests on."""
    registration = program.registrations.get(evidence.profile) if program.is_vkey else None
    if registration is None:
        return bits
    # Either may be false, so their errors add up to at most twice the larger one.
    return min(bits, registration.soundness_bits) - 1


def _integers(content: bytes, what: str) -> dict[str, NDArray[np.int32]]:
    where = f"evidence.{what}"
    try:
        tensors = tensors_from_bytes(content, where=where)
    except MalformedError as error:
        raise ProofError(error.message, where=where, check="tier") from error
    if any(array.dtype.str != "<i4" for array in tensors.values()):
        raise ProofError("a program's integers are i32", where=where, check="tier")
    return dict(tensors)
