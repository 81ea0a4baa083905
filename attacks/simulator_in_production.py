"""The provider has no hardware at all and answers from the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene, rules
from attacks.scene import demonstrate
from veridical.tee import TeePolicy

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.simulated"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    return scene.handed(scene.evidence, rules(scene, TeePolicy()))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
