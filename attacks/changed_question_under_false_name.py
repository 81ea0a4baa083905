"""The provider answers another question, and the statement names the consumer's.

What was received is stated truly, what was encoded is not; encoding again shows it.
"""

from __future__ import annotations

from attacks.scene import Claimed, Handed, Scene, demonstrate, other_run, signed

STOPPED_BY = "tier"


def forge(scene: Scene) -> Handed:
    other = other_run(scene)
    lie = Claimed.of(other, inputs=scene.run.inputs)
    return Handed(receipt=signed(scene, lie), answer=other.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
