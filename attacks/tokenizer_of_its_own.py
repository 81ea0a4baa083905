"""The provider states tokenizers that do not exist until a draw pleases it.

Decode parameters are as they were asked for; the digest of a tokenizer moves the seed as they do.
"""

from __future__ import annotations

from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import require_seeded, seeded_scene, signed_draw
from veridical.seeds import draw

STOPPED_BY = "policy"
SCENE = seeded_scene


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    wanted = 1 - int(honest.sampled().outputs["y"][0])
    for attempt in range(10_000):
        mine = replace(honest.question.parameters, tokenizer=f"sha256:{attempt:064x}")
        question = replace(honest.question, parameters=mine)
        seed = draw(honest.key, question)
        run = honest.sampled(seed)
        if int(run.outputs["y"][0]) == wanted:
            return Handed(receipt=signed_draw(scene, question, seed, run), answer=run.outputs)
    raise AssertionError("every draw was the same")


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
