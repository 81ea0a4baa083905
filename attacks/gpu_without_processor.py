"""The provider shows the quote of a GPU alone: what fed it and signed for it is anybody's code."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import demonstrate

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.gpu-without-cpu"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    return scene.handed(replace(scene.evidence, quotes=scene.evidence.quotes[1:]))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
