"""The trace root of another run is attached as evidence.

It is in the bundle and signed, but it is not the root of this run.
"""

from __future__ import annotations

from attacks.scene import Claimed, Handed, Scene, demonstrate, other_run, signed
from veridical.receipt import Reexecution

STOPPED_BY = "tier"


def forge(scene: Scene) -> Handed:
    lie = Claimed.of(scene.run, trace=other_run(scene).trace)
    receipt = signed(scene, lie, evidence=Reexecution(trace_root=True))
    return Handed(receipt=receipt, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
