"""The provider runs a model in which one weight was changed, and names the promised one.

Running the promised program again gives other integers. Were they the same, the statement would be
true: it is about the answer, not about the machine room.
"""

from __future__ import annotations

import veridical
from attacks.changed_weight import with_changed_weight
from attacks.scene import Claimed, Handed, Scene, demonstrate, signed

STOPPED_BY = "tier"


def forge(scene: Scene) -> Handed:
    other = veridical.run(with_changed_weight(scene.program), scene.run.inputs, threads=1)
    lie = Claimed.of(other, program=scene.program)
    return Handed(receipt=signed(scene, lie), answer=other.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
