"""The provider signs an answer that the program did not give.

Every signature and commitment is in order. Only running the program again shows it.
"""

from __future__ import annotations

import numpy as np

from attacks.scene import Claimed, Handed, Scene, demonstrate, signed

STOPPED_BY = "tier"


def forge(scene: Scene) -> Handed:
    integers = {name: array + np.int32(1) for name, array in scene.run.integer_outputs.items()}
    outputs = scene.program.decode(integers)
    lie = Claimed.of(scene.run, integer_outputs=integers, outputs=outputs)
    return Handed(receipt=signed(scene, lie), answer=outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
