"""Checkpoints: signed heads of a log, and the signatures of its cosigners.

Spec: spec/v1/log.md, section 3; https://c2sp.org/tlog-checkpoint, https://c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Self

from veridical.errors import (
    CheckpointError,
    InputError,
    MalformedError,
    NonCanonicalError,
    SignatureError,
)
from veridical.keys import SIGNATURE_BYTES
from veridical.receipt.canonical import decode_base64, encode_base64
from veridical.tlog.note import Note, NoteKey, NoteSignature
from veridical.tlog.tree import HASH_BYTES, MAX_SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from veridical.keys import Signer

__all__ = ["Checkpoint", "Cosignature", "SignedCheckpoint", "require_distinct"]

MAX_EXTENSIONS: Final = 16
NUM_OWN_LINES: Final = 3
TIMESTAMP_BYTES: Final = 8
MAX_TIMESTAMP: Final = 2**63 - 1

_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """The head of a log: what its signature is about."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return the text of the note, with its final newline."""
        lines = (self.origin, str(self.size), encode_base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def from_text(cls, text: str, *, where: str = "checkpoint") -> Self:
        """Read the text of a note.

        Raises:
            MalformedError: it is no checkpoint.
        """
        lines = text[:-1].split("\n")
        if not NUM_OWN_LINES <= len(lines) <= NUM_OWN_LINES + MAX_EXTENSIONS or "" in lines:
            raise MalformedError("not a checkpoint", where=where, check="log.format")
        origin, size, root, *extensions = lines
        try:
            decoded = decode_base64(root, where=where)
        except NonCanonicalError as error:
            raise NonCanonicalError(error.message, where=where, check="log.format") from error
        if len(decoded) != HASH_BYTES:
            raise MalformedError("the root is no hash", where=where, check="log.format")
        return cls(
            origin=origin,
            size=parse_size(size, where=where),
            root=decoded,
            extensions=tuple(extensions),
        )


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A cosigner's signature that was verified, and its time."""

    key: NoteKey
    timestamp: int


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with signature lines. None of them is checked."""

    checkpoint: Checkpoint
    note: Note

    @property
    def size(self) -> int:
        """Number of leaves."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """Root of the tree."""
        return self.checkpoint.root

    def to_bytes(self) -> bytes:
        """Return the bytes of the note."""
        return self.note.to_bytes()

    @classmethod
    def from_bytes(cls, untrusted: bytes, *, where: str = "checkpoint") -> Self:
        """Parse a signed checkpoint.

        Raises:
            MalformedError: it is none.
        """
        note = Note.from_bytes(untrusted, where=where)
        return cls(Checkpoint.from_text(note.text, where=where), note)

    @classmethod
    def sign(cls, checkpoint: Checkpoint, key: NoteKey, signer: Signer) -> Self:
        """Sign as the log."""
        signature = signer.sign(checkpoint.to_text().encode())
        line = NoteSignature(key.name, key.key_id, signature)
        return cls(checkpoint, Note(checkpoint.to_text(), (line,)))

    def with_lines(self, lines: Iterable[NoteSignature]) -> Self:
        """Return this checkpoint with lines of further keys; a key that signed is not repeated.

        So a head that stands still keeps each cosigner's earliest time, and its note stays small.
        """
        merged: dict[tuple[str, bytes], NoteSignature] = {}
        for line in (*self.note.signatures, *lines):
            merged.setdefault((line.name, line.key_id), line)
        return replace(self, note=replace(self.note, signatures=tuple(merged.values())))

    def verify_log(self, logs: Iterable[NoteKey]) -> NoteKey:
        """Return the log key that signed this.

        Raises:
            CheckpointError: check `log.origin` or `log.signature`.
        """
        named = [key for key in logs if key.name == self.checkpoint.origin and key.role == "log"]
        if not named:
            raise CheckpointError(
                f"origin {self.checkpoint.origin[:80]!r} is not that of a log that was named",
                check="log.origin",
            )
        found = self.note.by(named)
        for key, line in found:
            _verify(key, line.signature, self.note.text.encode(), check="log.signature")
        if not found:
            raise CheckpointError(
                f"no signature by the key of {self.checkpoint.origin[:80]!r}", check="log.signature"
            )
        return found[0][0]

    def verify_cosigners(
        self, cosigners: Iterable[NoteKey], *, at_least: int = 0
    ) -> tuple[Cosignature, ...]:
        """Return one verified cosignature for each cosigner that signed, the earliest of each.

        Raises:
            CheckpointError: check `log.cosignature`: one does not verify, or there are too few.
        """
        verified: dict[NoteKey, int] = {}
        named = [key for key in cosigners if key.role == "cosigner"]
        for key, line in self.note.by(named):
            timestamp = _cosigned_at(key, line.signature, self.note.text)
            verified[key] = min(timestamp, verified.get(key, timestamp))
        if len(verified) < at_least:
            raise CheckpointError(
                f"cosigned by {len(verified)} of {len(named)} named cosigners; "
                f"at least {at_least} are required",
                check="log.cosignature",
            )
        return tuple(Cosignature(key, timestamp) for key, timestamp in verified.items())


def cosign(text: str, key: NoteKey, signer: Signer, *, timestamp: int) -> NoteSignature:
    """Return a cosigner's signature line over the text of a checkpoint."""
    if not 1 <= timestamp <= MAX_TIMESTAMP:
        raise InputError(f"{timestamp} is no time of a cosignature")
    signature = signer.sign(_cosigned_message(text, timestamp))
    encoded = timestamp.to_bytes(TIMESTAMP_BYTES, "big")
    return NoteSignature(key.name, key.key_id, encoded + signature)


def _cosigned_message(text: str, timestamp: int) -> bytes:
    return f"cosignature/v1\ntime {timestamp}\n{text}".encode()


def _cosigned_at(key: NoteKey, signature: bytes, text: str) -> int:
    timestamp = int.from_bytes(signature[:TIMESTAMP_BYTES], "big")
    if len(signature) != TIMESTAMP_BYTES + SIGNATURE_BYTES or not 1 <= timestamp <= MAX_TIMESTAMP:
        raise CheckpointError(
            f"the line of {key.name} is no timestamped signature", check="log.cosignature"
        )
    message = _cosigned_message(text, timestamp)
    _verify(key, signature[TIMESTAMP_BYTES:], message, check="log.cosignature")
    return timestamp


def _verify(key: NoteKey, signature: bytes, message: bytes, *, check: str) -> None:
    try:
        key.key.verify(signature, message)
    except SignatureError as error:
        raise CheckpointError(
            f"the signature of {key.name} does not verify: {error.message}", check=check
        ) from error


def parse_size(text: str, *, where: str) -> int:
    """Read a size or an index in its shortest decimal form."""
    if _DECIMAL.fullmatch(text) is None or int(text) > MAX_SIZE:
        raise MalformedError(f"not a size: {text[:40]!r}", where=where, check="log.format")
    return int(text)


def require_distinct(keys: Mapping[str, Iterable[NoteKey]]) -> None:
    """Return if names and keys within each role are pairwise distinct: one key is one voice.

    Raises:
        InputError: one stands twice.
    """
    for role, members in keys.items():
        seen: set[object] = set()
        for key in members:
            if key.role != role:
                raise InputError(f"{key.name} is the vkey of a {key.role}, not of a {role}")
            # Logs may rotate keys under one name; cosigners are counted by name and by key.
            mine = {key.raw} if role == "log" else {key.raw, key.name}
            if seen & mine:
                raise InputError(f"{role} {key.name} is named twice")
            seen |= mine
