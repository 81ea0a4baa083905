"""The provider signs with a key of its own, beside a genuine quote over the keys of the enclave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene, keys_of
from attacks.scene import demonstrate
from veridical import keys

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.key"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    inside = keys_of(keys.generate().public_key)
    return scene.handed(scene.quoted(scene.simulator, inside))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
