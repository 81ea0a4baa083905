"""An unknown party signs a true statement.

It may even be right; the consumer asked for the word of somebody else.
"""

from __future__ import annotations

from attacks.scene import NONCE, NOW, Handed, Scene, demonstrate
from veridical import keys
from veridical.receipt import issue

STOPPED_BY = "signer"


def forge(scene: Scene) -> Handed:
    receipt = issue(scene.run, signer=keys.generate(), nonce=NONCE, issued_at=NOW)
    return Handed(receipt=receipt, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
