"""Key sets: a key is what it says it is, and in one form."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.toy import NOW
from veridical.errors import QuoteError
from veridical.tee import Key, KeySet

ED25519 = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
P256 = ec.derive_private_key(7, ec.SECP256R1()).public_key()
X25519 = X25519PrivateKey.from_private_bytes(bytes(32)).public_key()
FORM = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
EDWARDS = ED25519.public_bytes(*FORM)
P256_HEAD = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
GOOD = {
    "ed25519": EDWARDS,
    "p256": P256.public_bytes(*FORM),
    "x25519": X25519.public_bytes(*FORM),
}
BAD = {
    # What the fuzzer found: an algorithm that the library does not know.
    "unknown": EDWARDS.replace(b"\x2b\x65\x70", b"\x2b\x85\x70"),
    "Ed448": ed448.Ed448PrivateKey.generate().public_key().public_bytes(*FORM),
    "RSA": rsa.generate_private_key(65537, 2048).public_key().public_bytes(*FORM),
    "P-384": ec.derive_private_key(7, ec.SECP384R1()).public_key().public_bytes(*FORM),
    "compressed": P256_HEAD + P256.public_bytes(Encoding.X962, PublicFormat.CompressedPoint),
    "small order": EDWARDS[:12] + bytes([1]) + bytes(31),
    "trailing": EDWARDS + b"\0",
    "empty": b"",
}


def key(algorithm: str, spki: bytes) -> Key:
    use = "input" if algorithm == "x25519" else "receipt"
    return Key(
        algorithm=algorithm,  # type: ignore[arg-type] # one of the three
        spki=spki,
        not_before=NOW,
        not_after=NOW,
        use=use,  # type: ignore[arg-type] # one of the two
    )


def test_keys_of_every_algorithm_are_read() -> None:
    keys = KeySet.of(*(key(*row) for row in GOOD.items()))
    assert KeySet.from_bytes(keys.to_bytes()) == keys


@pytest.mark.parametrize("algorithm", GOOD)
@pytest.mark.parametrize("name", [*BAD, *GOOD])
def test_a_key_is_of_the_algorithm_that_it_names(algorithm: str, name: str) -> None:
    if algorithm == name:
        return
    forged = replace(key(algorithm, GOOD[algorithm]), spki=(BAD | GOOD)[name])
    with pytest.raises(QuoteError) as caught:
        KeySet.from_bytes(KeySet.of(forged).to_bytes())
    assert caught.value.check == "tee.format"
