"""A weaker tier is delivered than was paid for.

The consumer asked for a proof. The tier is signed, so it cannot be renamed; nothing falls back.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate
from veridical.policy import AllOf, RequireTier

STOPPED_BY = "policy"


def forge(scene: Scene) -> Handed:
    return Handed(
        receipt=scene.receipt,
        answer=scene.run.outputs,
        policy=AllOf(scene.policy, RequireTier("zk")),
    )


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
