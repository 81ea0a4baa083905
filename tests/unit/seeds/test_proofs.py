"""A draw from proven logits: tier `zk` derives the noise itself, as re-execution does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from attacks.scene import NONCE, NOW, QUESTION
from attacks.seeded import SAMPLER, seeded_scene
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import ProofError
from veridical.policy import AllOf, RequireSeed, RequireTier, TrustedSigners
from veridical.receipt import Envelope, Predicate, Receipt, upgrade
from veridical.verifier import verify
from veridical.zk import Zk


def test_a_proven_draw_is_accepted_and_a_changed_one_is_not() -> None:
    scene = seeded_scene()
    policy = AllOf(
        TrustedSigners(scene.provider.public_key),
        RequireTier("zk"),
        RequireSeed(
            "vrf",
            scene.key.public_key,
            nonce=NONCE,
            parameters=SAMPLER.to_parameters(),
            models=[scene.program.digest],
        ),
    )
    run = scene.sampled()
    proven = upgrade(scene.receipt, run, signer=scene.provider, evidence=Zk(), issued_at=NOW)
    given: dict[str, Any] = {"now": NOW, "input": QUESTION, "program": scene.program}
    verified = verify(Receipt.from_bytes(proven.to_bytes()), policy, output=run.outputs, **given)
    assert verified.tier == "zk"

    answer = {"y": (run.outputs["y"] + 1) % 2}
    decoded = Commitment.commit("output.decoded", tensors_to_bytes(answer))
    output = replace(scene.receipt.statement.output, decoded=decoded)
    statement = replace(scene.receipt.statement, output=output)
    blobs = Zk().make(run, statement)
    predicate = Predicate.about(
        statement, tier="zk", issued_at=NOW, evidence=tuple(blob.descriptor for blob in blobs)
    )
    lie = Receipt(
        statement=statement,
        envelopes=(Envelope.sign(predicate, scene.provider),),
        evidence=tuple(blob.content for blob in blobs),
    )
    with pytest.raises(ProofError) as caught:
        verify(lie, policy, output=answer, **given)
    assert caught.value.where == "output.decoded"
