"""What attacks on hardware evidence start from: a provider in a simulated enclave with a GPU.

The consumer names the simulator's root, as it would never do in production, so that everything
behind that rule is met.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from attacks.scene import NONCE, NOW, Handed, Scene, honest_scene, signed
from veridical.policy import (
    AllOf,
    ExpectInput,
    ExpectOutput,
    MaxAge,
    Nonce,
    RequireTee,
    TrustedModels,
    TrustedSigners,
)
from veridical.receipt import issue
from veridical.tee import Freshness, FreshnessKind, Key, KeySet, TeePolicy
from veridical.tee.context import TeeContext
from veridical.tee.evidence import Tee
from veridical.tee.runtime import MODEL_EVENT, Event
from veridical.tee.simulator import Simulator
from veridical.tee.simulator.intel import SimulatedIntel

if TYPE_CHECKING:
    from veridical.keys import PublicKey
    from veridical.policy import Policy
    from veridical.tee.evidence import TeeEvidence

CHALLENGE = bytes(range(32))
HOUR = 3600


@dataclass(frozen=True, kw_only=True)
class AttestedScene(Scene):
    """An honest provider whose key was made inside, quoted over the consumer's challenge."""

    simulator: Simulator
    evidence: TeeEvidence

    def with_machine(self, **changes: object) -> Simulator:
        """Return the simulator with another processor."""
        machine = self.simulator.machine
        assert isinstance(machine, SimulatedIntel)
        return replace(self.simulator, machine=replace(machine, **changes))  # type: ignore[arg-type] # fields of the machine

    def handed(self, evidence: TeeEvidence, policy: Policy | None = None) -> Handed:
        """Let the provider sign for its run with other evidence."""
        receipt = signed(self, self.run, evidence=Tee(keys=evidence))
        return Handed(receipt=receipt, answer=self.run.outputs, policy=policy)

    def quoted(self, simulator: Simulator, key_set: KeySet | None = None) -> TeeEvidence:
        """Quote a key set, the honest one unless it is given, over the challenge."""
        keys = key_set or keys_of(self.provider.public_key)
        made = Tee.of_keys(simulator, keys, challenge()).keys
        assert made is not None
        return made


def challenge(nonce: bytes = CHALLENGE) -> Freshness:
    return Freshness(FreshnessKind.NONCE, nonce)


def keys_of(key: PublicKey, *, not_after: int = NOW + HOUR) -> KeySet:
    return KeySet.of(Key.for_receipts(key, not_before=NOW - HOUR, not_after=not_after))


def rules(scene: Scene, tee: TeePolicy | None) -> Policy:
    """Return the consumer's policy, with what it asks of hardware."""
    return AllOf(
        TrustedSigners(scene.provider.public_key),
        TrustedModels(scene.program.digest),
        *(() if tee is None else (RequireTee(tee),)),
        ExpectInput(),
        ExpectOutput(),
        Nonce(NONCE),
        MaxAge(600),
    )


@cache
def attested_scene() -> AttestedScene:
    """Return the scene; its simulator has a fresh root."""
    plain = honest_scene()
    now = datetime.fromtimestamp(NOW, tz=UTC)
    simulator = Simulator.of(gpus=1, now=now)
    machine = simulator.machine
    assert isinstance(machine, SimulatedIntel)
    loaded = Event.of_application(MODEL_EVENT, plain.program.digest)
    simulator = replace(simulator, machine=replace(machine, events=(loaded,)))
    tee = Tee.of_keys(simulator, keys_of(plain.provider.public_key), challenge())
    assert tee.keys is not None
    asked = TeePolicy(
        simulators=frozenset({simulator.fingerprint}),
        nonce=CHALLENGE,
        gpus=1,
        require_model=True,
    )
    return AttestedScene(
        program=plain.program,
        provider=plain.provider,
        run=plain.run,
        receipt=issue(plain.run, signer=plain.provider, nonce=NONCE, issued_at=NOW, evidence=tee),
        policy=rules(plain, asked),
        tee=TeeContext(time=NOW),
        simulator=simulator,
        evidence=tee.keys,
    )
