"""A provider makes keys until one draws the label that it likes, and names the promised key.

The proof is that of the key it made; under the name of the promised key it does not verify.
"""

from __future__ import annotations

import base64
from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import require_seeded, seeded_scene
from veridical.receipt.statement import Seed
from veridical.seeds import SeedKey, draw, public_bytes

STOPPED_BY = "seed.vrf"
SCENE = seeded_scene


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    wanted = 1 - int(honest.sampled().outputs["y"][0])
    while True:
        liked = draw(SeedKey.generate(), honest.question)
        if int(honest.sampled(liked).outputs["y"][0]) == wanted:
            break
    proof = public_bytes(honest.key.public_key) + base64.b64decode(liked.stated.proof)[32:]
    stated = Seed(mode="vrf", proof=base64.b64encode(proof).decode("ascii"))
    seed = replace(liked, stated=stated)
    return Handed(receipt=honest.signed(seed), answer=honest.sampled(seed).outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
