"""Somebody on the way changes the answer; the receipt beside it stays honest.

The consumer compares the answer that it got with the commitment in the statement.
"""

from __future__ import annotations

from attacks.scene import Handed, Scene, demonstrate

STOPPED_BY = "output"


def forge(scene: Scene) -> Handed:
    answer = {name: array + 1 for name, array in scene.run.outputs.items()}
    return Handed(receipt=scene.receipt, answer=answer)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
