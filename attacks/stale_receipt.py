"""The nonce was guessed, and the receipt made long before it was asked for.

The time of issue is signed, and the policy limits the age.
"""

from __future__ import annotations

from attacks.scene import NOW, Handed, Scene, demonstrate, signed

STOPPED_BY = "policy"


def forge(scene: Scene) -> Handed:
    receipt = signed(scene, scene.run, issued_at=NOW - 365 * 86_400)
    return Handed(receipt=receipt, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
