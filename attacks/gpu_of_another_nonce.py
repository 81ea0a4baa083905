"""The provider has no confidential GPU and borrows a genuine report from somebody who has one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import demonstrate

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.gpu-nonce"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    borrowed = scene.simulator.attest(b"\x07" * 32)
    quotes = (scene.evidence.quotes[0], borrowed.quotes[1])
    return scene.handed(replace(scene.evidence, quotes=quotes, collateral=borrowed.collateral))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
