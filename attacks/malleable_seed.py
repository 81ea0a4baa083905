"""Somebody adds the group order to a scalar of the proof: the same seed in a second receipt."""

from __future__ import annotations

import base64
from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import require_seeded, seeded_scene
from veridical.receipt.statement import Seed

STOPPED_BY = "seed.vrf"
SCENE = seeded_scene

ORDER = 2**252 + 27742317777372353535851937790883648493


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    proof = base64.b64decode(honest.seed.stated.proof)
    scalar = int.from_bytes(proof[80:], "little") + ORDER
    proof = proof[:80] + scalar.to_bytes(32, "little")
    stated = Seed(mode="vrf", proof=base64.b64encode(proof).decode("ascii"))
    seed = replace(honest.seed, stated=stated)
    return Handed(receipt=honest.signed(seed), answer=honest.sampled(seed).outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
