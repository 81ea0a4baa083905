"""A provider states a key of small order, for which many inputs share one output."""

from __future__ import annotations

import base64
from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import require_seeded, seeded_scene
from veridical.receipt.statement import Seed

STOPPED_BY = "seed.key"
SCENE = seeded_scene

NEUTRAL = (1).to_bytes(32, "little")


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    proof = NEUTRAL + base64.b64decode(honest.seed.stated.proof)[32:]
    stated = Seed(mode="vrf", proof=base64.b64encode(proof).decode("ascii"))
    seed = replace(honest.seed, stated=stated)
    return Handed(receipt=honest.signed(seed), answer=honest.sampled(seed).outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
