"""Signed notes and the keys that sign them.

Spec: spec/v1/log.md, section 3; https://c2sp.org/signed-note.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Self, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from veridical.errors import (
    InputError,
    KeyFormatError,
    MalformedError,
    NonCanonicalError,
    OversizeError,
    UnsupportedKeyError,
)
from veridical.keys import PublicKey
from veridical.receipt.canonical import decode_base64, encode_base64

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NOTE_MAX_BYTES", "KeyRole", "Note", "NoteKey", "NoteSignature"]

NOTE_MAX_BYTES: Final = 64 * 1024
#: 16 are what every verifier must take.
MAX_SIGNATURES: Final = 64
MAX_NAME_LENGTH: Final = 256
KEY_BYTES: Final = 32
KEY_ID_BYTES: Final = 4
MAX_VKEY_LENGTH: Final = MAX_NAME_LENGTH + 64

KeyRole: TypeAlias = Literal["log", "cosigner"]
_TYPE_OF: Final[dict[KeyRole, int]] = {"log": 0x01, "cosigner": 0x04}
_ROLE_OF: Final = {number: role for role, number in _TYPE_OF.items()}

_DASH: Final = "\N{EM DASH} "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_VKEY: Final = re.compile(r"(?P<name>[^+]+)\+(?P<id>[0-9a-f]{8})\+(?P<key>[A-Za-z0-9+/=]+)")


def require_name(name: str) -> str:
    """Return the name if a key may have it.

    Raises:
        InputError: it is empty or long, or holds white space, `+` or control characters.
    """
    if not _is_name(name):
        raise InputError(
            f"{name[:80]!r} is no key name: 1 to {MAX_NAME_LENGTH} characters, no space, no '+'",
            advice="Take a URL without its scheme, such as log.example/provider.",
        )
    return name


def _is_name(name: str) -> bool:
    return (
        1 <= len(name) <= MAX_NAME_LENGTH
        and "+" not in name
        and name.isprintable()
        and not any(character.isspace() for character in name)
    )


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key under a name, in the role of a log or of a cosigner."""

    name: str
    role: KeyRole
    key: PublicKey
    raw: bytes

    @classmethod
    def of(cls, name: str, key: PublicKey, *, role: KeyRole) -> Self:
        """Give a public key a name and a role.

        Raises:
            InputError: no such name is allowed.
            UnsupportedKeyError: it is no Ed25519 key.
        """
        require_name(name)
        loaded = load_pem_public_key(key.to_pem())
        if not isinstance(loaded, Ed25519PublicKey):
            raise UnsupportedKeyError("logs and cosigners sign with Ed25519", check="key")
        return cls(name, role, key, loaded.public_bytes_raw())

    @classmethod
    def from_vkey(cls, text: str) -> Self:
        """Read `name+id+key`; one text for each key.

        Raises:
            KeyFormatError: it is no vkey of a type that is taken, or the key is refused.
        """
        match = _VKEY.fullmatch(text) if len(text) <= MAX_VKEY_LENGTH else None
        if match is None or not _is_name(match["name"]):
            raise KeyFormatError(f"not a vkey: {text[:80]!r}", check="key")
        try:
            encoded = decode_base64(match["key"], where="vkey")
        except NonCanonicalError as error:
            raise KeyFormatError(f"not a vkey: {error.message}", check="key") from error
        role = _ROLE_OF.get(encoded[0])
        if role is None or len(encoded) != 1 + KEY_BYTES:
            raise UnsupportedKeyError(
                f"a vkey of type {encoded[0]:#04x} with {len(encoded) - 1} bytes is not taken",
                check="key",
            )
        raw = encoded[1:]
        try:
            key = PublicKey.from_cryptography(Ed25519PublicKey.from_public_bytes(raw))
        except KeyFormatError as error:
            raise type(error)(error.message, where=match["name"], check="key") from error
        result = cls(match["name"], role, key, raw)
        if result.key_id.hex() != match["id"]:
            raise KeyFormatError("the key id is not the one of name and key", where=text[:80])
        return result

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before its signatures."""
        content = self.name.encode() + b"\n" + bytes([_TYPE_OF[self.role]]) + self.raw
        return hashlib.sha256(content).digest()[:KEY_ID_BYTES]

    @property
    def vkey(self) -> str:
        """The key as text."""
        encoded = encode_base64(bytes([_TYPE_OF[self.role]]) + self.raw)
        return f"{self.name}+{self.key_id.hex()}+{encoded}"

    def __str__(self) -> str:
        """Return the vkey."""
        return self.vkey


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes

    def to_line(self) -> str:
        """Return the line, with its end."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    @classmethod
    def from_line(cls, line: str, *, where: str) -> Self:
        """Read a line without its end.

        Raises:
            MalformedError: it is no signature line.
        """
        parts = line.removeprefix(_DASH).split(" ")
        if not line.startswith(_DASH) or len(parts) != 2 or not _is_name(parts[0]):  # noqa: PLR2004
            raise MalformedError("not a signature line", where=where, check="log.format")
        try:
            content = decode_base64(parts[1], where=where)
        except NonCanonicalError as error:
            raise NonCanonicalError(error.message, where=where, check="log.format") from error
        if len(content) <= KEY_ID_BYTES:
            raise MalformedError("a signature line is too short", where=where, check="log.format")
        return cls(parts[0], content[:KEY_ID_BYTES], content[KEY_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. No signature is checked."""

    #: With its final newline.
    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """Return the bytes of the note."""
        lines = "".join(signature.to_line() for signature in self.signatures)
        return f"{self.text}\n{lines}".encode()

    def by(self, keys: Iterable[NoteKey]) -> list[tuple[NoteKey, NoteSignature]]:
        """Return the signature lines that carry name and id of one of these keys."""
        known = {(key.name, key.key_id): key for key in keys}
        distinct = dict.fromkeys(self.signatures)  # a line that is repeated costs nothing
        found = ((known.get((line.name, line.key_id)), line) for line in distinct)
        return [(key, line) for key, line in found if key is not None]

    @classmethod
    def from_bytes(cls, untrusted: bytes, *, where: str = "note") -> Self:
        """Parse a note; whatever it returns has the same bytes again.

        Raises:
            MalformedError: by subclass: too large, not text, no signature lines.
        """
        if len(untrusted) > NOTE_MAX_BYTES:
            raise OversizeError(
                f"{len(untrusted)} bytes; a note has at most {NOTE_MAX_BYTES}",
                where=where,
                check="log.format",
            )
        try:
            content = untrusted.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MalformedError("not UTF-8", where=where, check="log.format") from error
        text, separator, lines = content.rpartition("\n\n")
        if _CONTROL.search(content) or not separator or not text or not lines.endswith("\n"):
            raise MalformedError("not a signed note", where=where, check="log.format")
        split = lines[:-1].split("\n")
        if len(split) > MAX_SIGNATURES:
            raise OversizeError(
                f"more than {MAX_SIGNATURES} signatures", where=where, check="log.format"
            )
        return cls(text + "\n", tuple(NoteSignature.from_line(line, where=where) for line in split))
