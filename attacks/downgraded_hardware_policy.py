"""The consumer's policy names the tier but forgets to ask what the hardware is.

What was not asked is not waived: the defaults are asked in its place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import demonstrate
from veridical.policy import AllOf, AnyOf, RequireTee, RequireTier, TrustedSigners
from veridical.tee import TeePolicy

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.simulated"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    trusted = TrustedSigners(scene.provider.public_key)
    # One branch names a simulator and asks for more GPUs than there are; the other asks nothing.
    named = RequireTee(TeePolicy(simulators=frozenset({scene.simulator.fingerprint}), gpus=9))
    policy = AllOf(trusted, AnyOf(named, RequireTier("tee")))
    return scene.handed(scene.evidence, policy)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
