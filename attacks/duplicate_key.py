"""One file, two nonces: readers that differ on duplicate keys see different receipts.

The standard parser takes the last one and says nothing. A bundle has one encoding.
"""

from __future__ import annotations

import json

from attacks.scene import Handed, Scene, demonstrate

STOPPED_BY = "encoding"


def forge(scene: Scene) -> Handed:
    honest = b'"request_id":"order-4711"'
    encoded = scene.receipt.to_bytes()
    forged = encoded.replace(honest, honest + b',"request_id":"order-4712"')
    assert json.loads(forged)["statement"]["request_id"] == "order-4712"
    return Handed(receipt=forged, answer=scene.run.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY)
