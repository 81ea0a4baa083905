"""The provider starts the enclave in debug mode, where it can read and change everything inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import demonstrate

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.debug"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    return scene.handed(scene.quoted(scene.with_machine(debug=True)))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
