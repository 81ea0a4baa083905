"""A provider asks itself under other nonces until a draw pleases it, and uses that seed.

The seed is honest for the other nonce; for the consumer's question it is not the key's output.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import asked, require_seeded, seeded_scene
from veridical.seeds import draw

STOPPED_BY = "seed.vrf"
SCENE = seeded_scene


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    wanted = 1 - int(honest.sampled().outputs["y"][0])
    for attempt in range(10_000):
        liked = draw(honest.key, asked(scene, nonce=f"mine-{attempt}"))
        if int(honest.sampled(liked).outputs["y"][0]) == wanted:
            return Handed(receipt=honest.signed(liked), answer=honest.sampled(liked).outputs)
    raise AssertionError("every draw was the same")


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
