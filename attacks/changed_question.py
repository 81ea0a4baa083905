"""The provider answers another question, and says so in the statement.

The consumer compares its own question with the commitment.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate, other_run, signed

STOPPED_BY = "input"


def forge(scene: Scene) -> Handed:
    other = other_run(scene)
    return Handed(receipt=signed(scene, other), answer=other.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
