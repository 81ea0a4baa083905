"""What a quote is about: the value that code puts into it, and how it follows from a statement.

Spec: spec/v1/tee.md, section 1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Literal, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from veridical.commitment import frame
from veridical.errors import FieldError, InputError, KeyFormatError, MalformedError
from veridical.keys import PublicKey
from veridical.receipt.canonical import decode, decode_base64, encode, encode_base64
from veridical.receipt.members import Members
from veridical.tee.quote import refused

if TYPE_CHECKING:
    from veridical.receipt.canonical import Value

__all__ = ["Freshness", "FreshnessKind", "Key", "KeySet", "Purpose", "gpu_nonce", "report_value"]

_VALUE_TAG: Final = b"veridical.tee.report-data.v1"
_GPU_TAG: Final = b"veridical.tee.gpu-nonce.v1"
_KEY_SET_TAG: Final = b"veridical.key-set.v1"
_KEY_SET_VERSION: Final = "veridical-key-set/v1"
MAX_KEYS: Final = 16
KEY_SET_MAX_BYTES: Final = 16 * 1024
_DIGEST_BYTES: Final = 32
_ALGORITHMS: Final = ("ed25519", "p256", "x25519")


class Purpose(StrEnum):
    """What the subject of a quote is."""

    KEY_SET = "key-set"
    STATEMENTS = "statements"


class FreshnessKind(StrEnum):
    """What shows that a quote is not older than something."""

    NONCE = "nonce"
    CHECKPOINT = "checkpoint"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Freshness:
    """A typed value that nobody could know before a certain moment."""

    kind: FreshnessKind = FreshnessKind.NONE
    value: bytes = b""

    def __post_init__(self) -> None:
        """Refuse a value that does not fit its kind."""
        expected = 0 if self.kind is FreshnessKind.NONE else _DIGEST_BYTES
        if len(self.value) != expected:
            raise InputError(f"a {self.kind.value} has {expected} bytes, not {len(self.value)}")


def report_value(purpose: Purpose, subject: bytes, freshness: Freshness) -> bytes:
    """Return the 32 bytes that stand for purpose, subject and freshness in every quote."""
    fields = (_VALUE_TAG, purpose.value.encode(), subject)
    framed = frame(*fields, freshness.kind.value.encode(), freshness.value)
    return hashlib.sha256(framed).digest()


def gpu_nonce(value: bytes) -> bytes:
    """Return the nonce that a GPU has to sign, so that nobody can borrow its report."""
    return hashlib.sha256(frame(_GPU_TAG, value)).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key that the code inside holds, for how long, and for what."""

    algorithm: Literal["ed25519", "p256", "x25519"]
    #: DER SubjectPublicKeyInfo.
    spki: bytes
    not_before: int
    not_after: int
    use: Literal["receipt", "input"]

    @property
    def key_id(self) -> str:
        """The key id that an envelope names."""
        return hashlib.sha256(self.spki).hexdigest()

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "algorithm": self.algorithm,
            "key": encode_base64(self.spki),
            "not_after": self.not_after,
            "not_before": self.not_before,
            "use": self.use,
        }

    @classmethod
    def for_receipts(cls, key: PublicKey, *, not_before: int, not_after: int) -> Self:
        """Take a key that signs envelopes."""
        spki = b"".join(key.to_pem().splitlines()[1:-1])
        return cls(
            algorithm="ed25519" if key.algorithm == "ed25519" else "p256",
            spki=decode_base64(spki.decode("ascii"), where="key"),
            not_before=not_before,
            not_after=not_after,
            use="receipt",
        )

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        names = ("algorithm", "key", "not_after", "not_before", "use")
        members = Members(value, names, where=where)
        algorithm, use = members.text("algorithm"), members.text("use")
        if algorithm not in _ALGORITHMS:
            raise members.refuse("algorithm", f"{algorithm[:40]!r} is not known")
        if use != ("input" if algorithm == "x25519" else "receipt"):
            raise members.refuse("use", f"{use[:40]!r} is no use of an {algorithm} key")
        spki = decode_base64(members.text("key"), where=members.where("key"))
        if not _is_key_of(algorithm, spki):
            raise members.refuse("key", f"not the SubjectPublicKeyInfo of an {algorithm} key")
        first, last = members.count("not_before"), members.count("not_after")
        if first > last:
            raise members.refuse("not_after", "it ends before it begins")
        return cls(algorithm=algorithm, spki=spki, not_before=first, not_after=last, use=use)  # type: ignore[arg-type] # both were compared above


def _is_key_of(algorithm: str, spki: bytes) -> bool:
    """Return whether these bytes are the one encoding of a key of an algorithm."""
    try:
        key = load_der_public_key(spki)
        is_x25519 = isinstance(key, X25519PublicKey)
        found = "x25519" if is_x25519 else PublicKey.from_cryptography(key).algorithm
    except (ValueError, UnsupportedAlgorithm, KeyFormatError):
        return False
    return (
        found == algorithm
        and key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == spki
    )


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys that were made inside; a quote names them by one digest."""

    keys: tuple[Key, ...]

    def __post_init__(self) -> None:
        """Refuse a set that has no encoding."""
        texts = [encode_base64(key.spki) for key in self.keys]
        if not 1 <= len(texts) <= MAX_KEYS or texts != sorted(set(texts)):
            raise InputError(f"a key set has 1 to {MAX_KEYS} keys, ascending, none twice")

    @classmethod
    def of(cls, *keys: Key) -> Self:
        """Put keys in order."""
        return cls(tuple(sorted(keys, key=lambda key: encode_base64(key.spki))))

    def to_bytes(self) -> bytes:
        """Return the one encoding."""
        keys: list[Value] = [key.to_value() for key in self.keys]
        return encode({"keys": keys, "version": _KEY_SET_VERSION})

    @property
    def digest(self) -> bytes:
        """The subject of a quote of purpose `key-set`."""
        return hashlib.sha256(frame(_KEY_SET_TAG, self.to_bytes())).digest()

    def find(self, key_id: str) -> Key | None:
        """Return the receipt key with this id."""
        found = (key for key in self.keys if key.use == "receipt" and key.key_id == key_id)
        return next(found, None)

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a key set; whatever it returns encodes to the same bytes again.

        Raises:
            QuoteError: it breaks the format.
        """
        try:
            document = decode(untrusted, max_bytes=KEY_SET_MAX_BYTES, where="key set")
            members = Members(document, ("keys", "version"), where="key set")
            members.literal("version", _KEY_SET_VERSION)
            items = members.items("keys", max_items=MAX_KEYS)
            keys = tuple(Key.from_value(v, where=f"key set[{i}]") for i, v in enumerate(items))
        except (MalformedError, FieldError) as error:
            raise refused("format", error.message, error.where) from error
        try:
            return cls(keys)
        except InputError as error:
            raise refused("format", error.message, "key set") from error
