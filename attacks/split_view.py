"""The provider keeps two histories of its log, and one of three cosigners signs both.

The auditor reads the one in which nothing was run; the consumer gets the intent from there and the
result from the other. Each proof has the two cosignatures that were asked for.
"""

from __future__ import annotations

from attacks.logged import logged_scene, require_logged, with_proofs
from attacks.scene import NOW, Handed, Scene, demonstrate
from veridical.tlog import Result

STOPPED_BY = "log.view"
SCENE = logged_scene


def forge(scene: Scene) -> Handed:
    honest = require_logged(scene)
    result = Result(intent=0, statement=honest.receipt.receipt_id, time=NOW)
    shown_to_auditors = honest.proofs([honest.intent], 0, by=(0, 1))
    shown_to_nobody_else = honest.proofs([honest.intent, result], 1, by=(1, 2))
    receipt = with_proofs(honest.receipt, shown_to_auditors + shown_to_nobody_else)
    return Handed(receipt=receipt, answer=honest.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
