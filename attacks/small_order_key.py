"""A provider publishes an Ed25519 key under which one signature fits every message.

The key is the neutral element of the curve. Common libraries load it, and accept the signature
below for anything. Here it is refused when the policy is made, before there is a receipt to judge.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from attacks.scene import Handed, Scene, demonstrate
from veridical.keys import PublicKey
from veridical.policy import AllOf, TrustedSigners

STOPPED_BY = "key"

NEUTRAL = (1).to_bytes(32, "little")
SIGNATURE = NEUTRAL + bytes(32)
HEADER = bytes.fromhex("302a300506032b6570032100")


def forge(scene: Scene) -> Handed:
    for message in (b"one statement", b"and any other"):
        Ed25519PublicKey.from_public_bytes(NEUTRAL).verify(SIGNATURE, message)  # does not raise
    body = base64.b64encode(HEADER + NEUTRAL)
    pem = b"-----BEGIN PUBLIC KEY-----\n" + body + b"\n-----END PUBLIC KEY-----\n"
    policy = AllOf(scene.policy, TrustedSigners(PublicKey.from_pem(pem)))
    return Handed(receipt=scene.receipt, answer=scene.run.outputs, policy=policy)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
