"""A digest that was made for one field is stated in another.

Received and forwarded input hold the same tensors, yet their digests differ: the field is hashed.
"""

from __future__ import annotations

from dataclasses import replace

from attacks.scene import NOW, Handed, Scene, demonstrate
from veridical.receipt import Envelope, Predicate, Receipt

STOPPED_BY = "input"


def forge(scene: Scene) -> Handed:
    statement = scene.receipt.statement
    false = replace(statement.input, received=statement.input.forwarded)
    confused = replace(statement, input=false)
    predicate = Predicate.about(confused, tier="reexecution", issued_at=NOW, evidence=())
    envelope = Envelope.sign(predicate, scene.provider)
    return Handed(
        receipt=Receipt(statement=confused, envelopes=(envelope,)), answer=scene.run.outputs
    )


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
