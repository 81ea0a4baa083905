"""Signing keys: Ed25519 by default, P-256 for hardware and key services that lack it.

Spec: spec/v1/receipt.md, section 5.

| Module    | Purpose                                              |
|-----------|------------------------------------------------------|
| `public`  | public keys, checked once, when they are loaded       |
| `private` | private keys, their files, signers outside the process |
| `edwards` | the check that an Ed25519 key has prime order         |
"""

from __future__ import annotations

from veridical.keys.private import ExternalSigner, PrivateKey, Signer, generate
from veridical.keys.public import SIGNATURE_BYTES, Algorithm, PublicKey, read_key_file

__all__ = [
    "SIGNATURE_BYTES",
    "Algorithm",
    "ExternalSigner",
    "PrivateKey",
    "PublicKey",
    "Signer",
    "generate",
    "read_key_file",
]
