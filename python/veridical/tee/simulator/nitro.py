"""Simulated attestation documents of Nitro."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from veridical.tee.cbor import encode
from veridical.tee.claims import Family
from veridical.tee.evidence import QuoteBlob
from veridical.tee.simulator.pki import Authority, sign_raw

if TYPE_CHECKING:
    from veridical.tee.cbor import Item
    from veridical.tee.collateral import CollateralItem

__all__ = ["SimulatedNitro"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedNitro:
    """An enclave that is none."""

    root: Authority
    debug: bool = False
    code: bytes = b"veridical simulator: code"

    def quote(self, value: bytes) -> tuple[QuoteBlob, tuple[CollateralItem, ...]]:
        """Make a document that holds a value; it needs nothing beside it."""
        zone = self.root.below("simulator zone", ec.SECP384R1())
        leaf = zone.issue("simulator enclave", curve=ec.SECP384R1(), may_issue=False)
        pcrs: dict[int | str, Item] = {i: bytes(48) for i in range(16)}
        if not self.debug:
            pcrs |= {i: hashlib.sha384(self.code + bytes([i])).digest() for i in range(3)}
        bundle: list[Item] = list(reversed(leaf.ders[1:]))
        document: dict[int | str, Item] = {
            "module_id": "i-simulated-enc0",
            "digest": "SHA384",
            "timestamp": int(time.time() * 1000),
            "pcrs": pcrs,
            "certificate": leaf.ders[0],
            "cabundle": bundle,
            "public_key": None,
            "user_data": value,
            "nonce": None,
        }
        payload, protected = encode(document), encode({1: -35})
        signed = encode(["Signature1", protected, b"", payload])
        signature = sign_raw(leaf.key, signed, hashes.SHA384(), size=48)
        message = encode([protected, {}, payload, signature])
        return QuoteBlob(Family.NITRO, message), ()
