"""Private keys, their files, and signers outside this process."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from veridical.errors import InputError, KeyFormatError, SignatureError, UnsupportedKeyError
from veridical.keys.public import P256_ORDER, Algorithm, PublicKey, read_key_file

if TYPE_CHECKING:
    from securesystemslib.signer._signer import Signer as SecureSystemsSigner

__all__ = ["ExternalSigner", "PrivateKey", "Signer", "generate"]


class Signer(Protocol):
    """Whatever can sign: a key in memory, a hardware module, a key service."""

    @property
    def public_key(self) -> PublicKey:
        """The key that verifiers check against."""

    def sign(self, message: bytes, /) -> bytes:
        """Return the 64-byte signature of a message."""


class PrivateKey:
    """A private key in memory. It is never printed, compared or hashed."""

    def __init__(self, key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._public_key = PublicKey.from_cryptography(key.public_key())

    def __repr__(self) -> str:
        """Name the key without showing it."""
        return f"PrivateKey({self._public_key.algorithm}, {self._public_key.key_id[:16]})"

    @classmethod
    def from_pem(cls, pem: bytes, *, where: str | None = None) -> Self:
        """Load an unencrypted PEM PKCS #8 key.

        Raises:
            KeyFormatError: the bytes are no such key, or of another algorithm.
        """
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFormatError(f"not a PEM private key: {error}", where=where) from error
        is_p256 = isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(
            key.curve, ec.SECP256R1
        )
        if not isinstance(key, Ed25519PrivateKey | ec.EllipticCurvePrivateKey) or not (
            is_p256 or isinstance(key, Ed25519PrivateKey)
        ):
            raise UnsupportedKeyError("neither an Ed25519 nor a P-256 key", where=where)
        return cls(key)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a private key file that only its owner may read.

        Raises:
            InputError: the file cannot be read, or others can read it.
            KeyFormatError: it is no private key.
        """
        path = Path(path)
        content = read_key_file(path)
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise InputError(
                "others may read this private key",
                where=str(path),
                advice=f"Run `chmod 600 {path}`; if it was ever exposed, make a new key.",
            )
        return cls.from_pem(content, where=str(path))

    @property
    def public_key(self) -> PublicKey:
        """The public half."""
        return self._public_key

    def to_pem(self) -> bytes:
        """Return the unencrypted PEM PKCS #8 form. Keep it secret."""
        return self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def save(self, path: str | Path) -> None:
        """Write a new file that only its owner may read.

        Raises:
            InputError: the file exists already, or cannot be written.
        """
        try:
            # O_EXCL: an existing key is never overwritten, and no link is followed.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise InputError(f"cannot write the key: {error.strerror}", where=str(path)) from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(self.to_pem())

    def sign(self, message: bytes, /) -> bytes:
        """Sign a message. Deterministic: Ed25519, or ECDSA after RFC 6979."""
        if isinstance(self._key, Ed25519PrivateKey):
            return self._key.sign(message)
        der = self._key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))
        return p256_from_der(der)


class ExternalSigner:
    """A signer of `securesystemslib`: hardware modules and key services.

    What it returns is brought into the one encoding and verified before it is used.
    """

    def __init__(self, signer: SecureSystemsSigner, public_key: PublicKey) -> None:
        self._signer = signer
        self._public_key = public_key

    @property
    def public_key(self) -> PublicKey:
        """The key that verifiers check against."""
        return self._public_key

    def sign(self, message: bytes, /) -> bytes:
        """Sign a message.

        Raises:
            KeyFormatError: the signer signed with another key than the public key given.
        """
        try:
            signature = bytes.fromhex(self._signer.sign(message).signature)
            if self._public_key.algorithm == "p256":
                signature = p256_from_der(signature)
            self._public_key.verify(signature, message)
        except (SignatureError, ValueError, OverflowError) as error:
            raise KeyFormatError("the signer does not hold the private half of this key") from error
        return signature


def p256_from_der(der: bytes) -> bytes:
    """Return `r || s` with the low `s`, the one encoding that verifiers take."""
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


def generate(algorithm: Algorithm = "ed25519") -> PrivateKey:
    """Make a new private key from the system's randomness."""
    if algorithm == "ed25519":
        return PrivateKey(Ed25519PrivateKey.generate())
    if algorithm == "p256":
        return PrivateKey(ec.generate_private_key(ec.SECP256R1()))
    raise InputError(f"unknown algorithm {algorithm!r}; expected 'ed25519' or 'p256'")
