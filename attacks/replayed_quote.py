"""The provider shows a genuine quote that it made for another verifier's challenge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene, challenge, keys_of
from attacks.scene import demonstrate
from veridical.tee.evidence import Tee

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.nonce"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    keys = keys_of(scene.provider.public_key)
    old = Tee.of_keys(scene.simulator, keys, challenge(bytes(32))).keys
    assert old is not None
    return scene.handed(old)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
