"""An honest receipt of an earlier request is shown again, with the answer of that time.

Question and answer are the same; the nonce is not.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate, signed

STOPPED_BY = "policy"


def forge(scene: Scene) -> Handed:
    return Handed(receipt=signed(scene, scene.run, nonce="order-4710"), answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
