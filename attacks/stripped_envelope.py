"""Somebody on the way removes the signature, and with it the tier.

No envelope, no signer: nothing is accepted by default.
"""

from __future__ import annotations

from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate

STOPPED_BY = "signer"


def forge(scene: Scene) -> Handed:
    receipt = replace(scene.receipt, envelopes=())
    return Handed(receipt=receipt, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
