"""The provider has two keys for seeds, and decides after the draw which one it used.

The consumer names both, as while a key is replaced by the next. The intent names one of them.
"""

from __future__ import annotations

from attacks.logged import drawn_with, logged_scene, require_logged
from attacks.scene import Handed, Scene, demonstrate

STOPPED_BY = "log.binding"
SCENE = logged_scene


def forge(scene: Scene) -> Handed:
    honest = require_logged(scene)
    receipt, run = drawn_with(honest, honest.second_key, honest.intent)
    return Handed(receipt=honest.logged(receipt, honest.intent), answer=run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
