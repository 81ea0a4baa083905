"""The envelope of one honest receipt is put on the statement of another.

Both are signed by the trusted key; the envelope names the statement that it belongs to.
"""

from __future__ import annotations

from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate, signed

STOPPED_BY = "binding"


def forge(scene: Scene) -> Handed:
    other = signed(scene, scene.run, nonce="order-4710")
    receipt = replace(scene.receipt, envelopes=other.envelopes)
    return Handed(receipt=receipt, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
