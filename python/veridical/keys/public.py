"""Public keys. Who holds one holds a point of prime order in its one encoding."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, Self, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from veridical.errors import (
    InputError,
    KeyFormatError,
    NonCanonicalKeyError,
    PointNotOnCurveError,
    SignatureError,
    UnsupportedKeyError,
)
from veridical.keys.edwards import require_prime_order

__all__ = ["P256_ORDER", "SIGNATURE_BYTES", "Algorithm", "PublicKey", "read_key_file"]

Algorithm: TypeAlias = Literal["ed25519", "p256"]

#: Both algorithms: R || S of RFC 8032, or r || s of ECDSA.
SIGNATURE_BYTES: Final = 64
#: Order of the P-256 group (FIPS 186-5, SEC 2).
P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
#: A key in PEM has less than 300 bytes.
KEY_FILE_MAX_BYTES: Final = 16 * 1024
#: SubjectPublicKeyInfo of P-256 with an uncompressed point, up to the point's coordinates.
_P256_FRAME: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
P256_ENCODED_BYTES: Final = 91

_CryptographyKey: TypeAlias = Ed25519PublicKey | ec.EllipticCurvePublicKey


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A checked public key; equal keys have equal `key_id`."""

    algorithm: Algorithm
    key_id: str
    _key: _CryptographyKey = field(repr=False, compare=False)

    @classmethod
    def from_cryptography(cls, key: object) -> Self:
        """Check and take a key of the `cryptography` package.

        Raises:
            KeyFormatError: by subclass: another algorithm, a bad point, a point of small order.
        """
        if isinstance(key, Ed25519PublicKey):
            require_prime_order(key.public_bytes_raw())
            return cls("ed25519", _key_id(key), key)
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            return cls("p256", _key_id(key), key)
        raise UnsupportedKeyError(
            f"a {type(key).__name__} is neither an Ed25519 nor a P-256 key", check="key"
        )

    @classmethod
    def from_pem(cls, pem: bytes, *, where: str | None = None) -> Self:
        """Load a PEM SubjectPublicKeyInfo.

        Raises:
            KeyFormatError: by subclass, as `from_cryptography`; also a second encoding of a key.
        """
        try:
            key = serialization.load_pem_public_key(pem)
            public_key = cls.from_cryptography(key)
        except UnsupportedAlgorithm as error:
            raise UnsupportedKeyError(f"unsupported key: {error}", where=where) from error
        except KeyFormatError as error:
            raise type(error)(error.message, where=where, check="key") from error
        except ValueError as error:
            raise _named(pem, error, where=where) from error
        if _lines(pem) != _lines(public_key.to_pem()):
            raise NonCanonicalKeyError(
                "the file holds more than one key in its one encoding", where=where, check="key"
            )
        return public_key

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Load a public key file."""
        return cls.from_pem(read_key_file(Path(path)), where=str(path))

    def to_pem(self) -> bytes:
        """Return the PEM SubjectPublicKeyInfo."""
        return self._key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def save(self, path: str | Path) -> None:
        """Write the PEM to a file.

        Raises:
            InputError: the file cannot be written.
        """
        try:
            Path(path).write_bytes(self.to_pem())
        except OSError as error:
            raise InputError(f"cannot write the key: {error.strerror}", where=str(path)) from error

    def verify(self, signature: bytes, message: bytes) -> None:
        """Return if the signature is this key's, in its one encoding.

        Raises:
            SignatureError: it is not.
        """
        try:
            if len(signature) != SIGNATURE_BYTES:
                raise SignatureError(f"a signature has {SIGNATURE_BYTES} bytes", check="signature")
            if isinstance(self._key, Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(_p256_to_der(signature), message, ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise SignatureError(
                f"the signature is not by key {self.key_id[:16]}", check="signature"
            ) from error


def _p256_to_der(signature: bytes) -> bytes:
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    # (r, n - s) verifies too; only the low one counts, so that nobody else can make a second.
    if not (1 <= r < P256_ORDER and 1 <= s <= P256_ORDER // 2):
        raise SignatureError("r or s of the P-256 signature is out of range", check="signature")
    return utils.encode_dss_signature(r, s)


def _key_id(key: _CryptographyKey) -> str:
    encoded = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(encoded).hexdigest()


def _lines(pem: bytes) -> list[bytes]:
    """Return the lines of a PEM file; line ends may differ between systems."""
    return [line.rstrip(b"\r") for line in pem.rstrip(b"\r\n").split(b"\n")]


def _named(pem: bytes, error: ValueError, *, where: str | None) -> KeyFormatError:
    """Name the defect of a PEM that the library refused."""
    if b"PRIVATE KEY" in pem:
        return KeyFormatError("this is a private key; a public key is expected", where=where)
    # The library only says "invalid key"; the frame being right, it is the point that is not.
    if len(_body(pem)) == P256_ENCODED_BYTES and _body(pem).startswith(_P256_FRAME):
        return PointNotOnCurveError("the P-256 key is no point of the curve", where, check="key")
    return KeyFormatError(f"not a PEM public key: {error}", where=where, check="key")


def _body(pem: bytes) -> bytes:
    lines = [line for line in _lines(pem) if not line.startswith(b"-----")]
    try:
        return base64.b64decode(b"".join(lines), validate=True)
    except ValueError:
        return b""


def read_key_file(path: Path) -> bytes:
    """Read a key file, never more than the limit.

    Raises:
        InputError: it cannot be read.
        KeyFormatError: it is too large for a key.
    """
    try:
        with path.open("rb") as file:
            content = file.read(KEY_FILE_MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise InputError(f"cannot read the key file: {error}", where=str(path)) from error
    if len(content) > KEY_FILE_MAX_BYTES:
        raise KeyFormatError(f"more than {KEY_FILE_MAX_BYTES} bytes", where=str(path), check="key")
    return content
