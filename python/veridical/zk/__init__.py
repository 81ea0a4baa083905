"""Succinct proofs of inference: the tier `zk`.

    receipt = veridical.issue(run, signer=key, evidence=Zk())
    receipt = veridical.upgrade(receipt, run, signer=key, evidence=Zk())

A proof shows that the committed weights, on this input, gave this output, without running anything
again. It is short and sound; it does not hide what it is about. Spec: spec/v1/zk.md and
spec/v1/receipt.md section 7.
"""

from __future__ import annotations

from veridical.zk.cache import RootCache
from veridical.zk.evidence import PROOF_TYPE, Member, ProofEvidence
from veridical.zk.proving import STAGES, Costs, Zk, costs, prove, require_memory
from veridical.zk.registration import (
    REGISTRATION_STAGES,
    RegistrationProof,
    register,
    registration_costs,
)
from veridical.zk.timeline import Span, Timeline
from veridical.zk.weights import PROFILES, WeightCommitment, commit

__all__ = [
    "PROFILES",
    "PROOF_TYPE",
    "REGISTRATION_STAGES",
    "STAGES",
    "Costs",
    "Member",
    "ProofEvidence",
    "RegistrationProof",
    "RootCache",
    "Span",
    "Timeline",
    "WeightCommitment",
    "Zk",
    "commit",
    "costs",
    "prove",
    "register",
    "registration_costs",
    "require_memory",
]
