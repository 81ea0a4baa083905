"""The provider writes nonces of its own until a draw pleases it, and says so in the statement.

The seed follows from the question that is stated; it is not the question that was asked.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import asked, require_seeded, seeded_scene, signed_draw
from veridical.policy import AllOf, Nonce
from veridical.seeds import draw

STOPPED_BY = "policy"
SCENE = seeded_scene


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    wanted = 1 - int(honest.sampled().outputs["y"][0])
    # A consumer who sends a nonce and forgets the rule `nonce` is still told.
    assert isinstance(honest.policy, AllOf)
    plain = honest.policy.rules[0]
    assert isinstance(plain, AllOf)
    kept = [rule for rule in plain.rules if not isinstance(rule, Nonce)]
    policy = AllOf(*kept, *honest.policy.rules[1:])
    for attempt in range(10_000):
        question = asked(scene, nonce=f"mine-{attempt}")
        seed = draw(honest.key, question)
        run = honest.sampled(seed)
        if int(run.outputs["y"][0]) == wanted:
            receipt = signed_draw(scene, question, seed, run)
            return Handed(receipt=receipt, answer=run.outputs, policy=policy)
    raise AssertionError("every draw was the same")


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
