"""A provider that promised seeds answers without one: the largest logit, and mode `none`."""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate, honest_scene, signed
from attacks.seeded import seeded_scene

STOPPED_BY = "policy"
SCENE = seeded_scene


def forge(scene: Scene) -> Handed:
    plain = honest_scene()
    assert plain.program is scene.program
    return Handed(receipt=signed(plain, plain.run), answer=plain.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
