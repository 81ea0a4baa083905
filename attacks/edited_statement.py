"""Somebody on the way rewrites the statement so that it fits another answer.

The envelope was signed over the digest of the statement that it came with.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate, other_run, restated, signed

STOPPED_BY = "binding"


def forge(scene: Scene) -> Handed:
    other = other_run(scene)
    output = signed(scene, other).statement.output
    return Handed(receipt=restated(scene.receipt, output=output), answer=other.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
