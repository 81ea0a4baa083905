"""The provider logs an intent in a log that nobody audits, and again where it is looked for.

One intent would stand for two runs; it names its log, so it stands for one.
"""

from __future__ import annotations

from dataclasses import replace

from attacks.logged import drawn_with, logged_scene, require_logged
from attacks.scene import Handed, Scene, demonstrate

STOPPED_BY = "log.binding"
SCENE = logged_scene


def forge(scene: Scene) -> Handed:
    honest = require_logged(scene)
    elsewhere = replace(honest.intent, origin="log.example/unaudited")
    receipt, run = drawn_with(honest, honest.key, elsewhere)
    return Handed(receipt=honest.logged(receipt, elsewhere), answer=run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
