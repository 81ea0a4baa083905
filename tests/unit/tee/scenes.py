"""Receipts of tier `tee` from simulated machines, and who judges them."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.toy import NOW, SIGNER, toy_run
from veridical.policy import AllOf, Policy, RequireTee, TrustedSigners
from veridical.receipt import Receipt, issue
from veridical.tee import Family, Freshness, FreshnessKind, Key, KeySet, TeePolicy
from veridical.tee.context import TeeContext
from veridical.tee.evidence import Tee
from veridical.tee.simulator import Simulator

HOUR = 3600
CHALLENGE = Freshness(FreshnessKind.NONCE, bytes(range(32)))
CONTEXT = TeeContext(time=NOW)
PROCESSORS = [Family.SGX, Family.TDX, Family.SEV_SNP, Family.NITRO]


def simulator(family: Family = Family.TDX, *, gpus: int = 0) -> Simulator:
    return Simulator.of(family, gpus=gpus, now=datetime.fromtimestamp(NOW, tz=UTC))


def key_set(first: int = NOW - HOUR, last: int = NOW + HOUR) -> KeySet:
    return KeySet.of(Key.for_receipts(SIGNER.public_key, not_before=first, not_after=last))


def receipt(tee: Tee) -> Receipt:
    return issue(toy_run(), signer=SIGNER, issued_at=NOW, evidence=tee)


def naming(attester: Simulator, **members: object) -> Policy:
    """Return a policy that names the simulator, and asks for what is given."""
    tee = TeePolicy(simulators=frozenset({attester.fingerprint}), **members)  # type: ignore[arg-type] # members of the policy
    return AllOf(TrustedSigners(SIGNER.public_key), RequireTee(tee))
