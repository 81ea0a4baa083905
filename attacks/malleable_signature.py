"""Somebody on the way makes a second signature out of a P-256 signature, without the key.

ECDSA accepts both `s` and `n - s`. Whoever counts receipts by their bytes would count two. A
signature has one encoding: only the low `s` is taken.
"""

from __future__ import annotations

from dataclasses import replace

from attacks.scene import Handed, Scene, demonstrate, honest_scene
from veridical.keys.public import P256_ORDER

STOPPED_BY = "signature"
ALGORITHM = "p256"


def forge(scene: Scene) -> Handed:
    (envelope,) = scene.receipt.envelopes
    s = int.from_bytes(envelope.signature[32:], "big")
    other = envelope.signature[:32] + (P256_ORDER - s).to_bytes(32, "big")
    receipt = replace(scene.receipt, envelopes=(replace(envelope, signature=other),))
    return Handed(receipt=receipt, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=honest_scene(ALGORITHM))
