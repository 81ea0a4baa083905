"""A key that was made inside got out; it is used after the end that the quote gave it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene, keys_of
from attacks.scene import NOW, demonstrate

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.key-expired"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    short = keys_of(scene.provider.public_key, not_after=NOW - 1)
    return scene.handed(scene.quoted(scene.simulator, short))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
