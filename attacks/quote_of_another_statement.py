"""The provider attaches a genuine quote over the statement of another inference.

Batches share one quote, so the path from the statement to the batch is what has to hold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene, challenge
from attacks.scene import demonstrate
from veridical.tee.evidence import attest_batch

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.binding"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    others = [bytes([n]) * 32 for n in range(3)]
    return scene.handed(attest_batch(scene.simulator, others, challenge())[1])


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
