"""The provider runs a model in which one weight was changed, and names it by its own digest.

The digest covers every weight; the consumer's program has another one.
"""

from __future__ import annotations

import numpy as np

import veridical
from attacks.scene import Handed, Scene, demonstrate, signed

STOPPED_BY = "model"


def with_changed_weight(program: veridical.Program) -> veridical.Program:
    """Return the program with its first weight changed by enough to change the answer."""
    consts = [program.const(index).copy() for index in range(3)]
    consts[0].reshape(-1)[0] += np.int16(64)
    return veridical.Program.build(program.graph, consts)


def forge(scene: Scene) -> Handed:
    other = veridical.run(with_changed_weight(scene.program), scene.run.inputs, threads=1)
    return Handed(receipt=signed(scene, other), answer=other.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
