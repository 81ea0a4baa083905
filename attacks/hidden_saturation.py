"""The provider clamps inputs to the declared range and states that it did not.

The answer is for other numbers than those of the question. The count is recomputed.
"""

from __future__ import annotations

import numpy as np

import veridical
from attacks.scene import Claimed, Handed, Scene, demonstrate, signed
from veridical.program import Encoded

STOPPED_BY = "tier"


def forge(scene: Scene) -> Handed:
    question = {"x": np.array([[0.5, -0.25, 1e6]], np.float32)}
    run = veridical.run(scene.program, question, threads=1)
    assert run.encoded.saturated == 1
    lie = Claimed.of(run, encoded=Encoded(run.encoded.tensors, 0))
    return Handed(receipt=signed(scene, lie), answer=run.outputs, question=question)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
