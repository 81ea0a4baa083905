"""Log proofs: an entry, where it stands, and the checkpoint that has it.

Spec: spec/v1/log.md, section 6; https://c2sp.org/tlog-proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from veridical.errors import MalformedError, NonCanonicalError, OversizeError
from veridical.receipt.canonical import decode_base64, encode_base64
from veridical.tlog.checkpoint import SignedCheckpoint, parse_size
from veridical.tlog.entry import ENTRY_MAX_BYTES
from veridical.tlog.note import NOTE_MAX_BYTES
from veridical.tlog.tree import HASH_BYTES, leaf_hash, verify_inclusion

__all__ = ["LOG_PROOF_MAX_BYTES", "LogProof"]

LOG_PROOF_MAX_BYTES: Final = NOTE_MAX_BYTES
#: The height of the largest tree.
MAX_NODES: Final = 63

_HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProof:
    """A parsed log proof. Nothing in it is checked."""

    entry: bytes
    index: int
    nodes: tuple[bytes, ...]
    checkpoint: SignedCheckpoint

    @staticmethod
    def is_one(blob: bytes) -> bool:
        """Return whether a blob of evidence says that it is a log proof."""
        return blob.startswith(f"{_HEADER}\n".encode())

    def verify_inclusion(self) -> None:
        """Return if the entry is in the tree of the checkpoint.

        Raises:
            InclusionError: it is not.
        """
        head = self.checkpoint
        verify_inclusion(leaf_hash(self.entry), self.index, head.size, self.nodes, head.root)

    def to_bytes(self) -> bytes:
        """Return the bytes of the proof."""
        lines = [_HEADER, f"extra {encode_base64(self.entry)}", f"index {self.index}"]
        lines += [encode_base64(node) for node in self.nodes]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint.to_bytes()

    @classmethod
    def from_bytes(cls, untrusted: bytes, *, where: str = "log proof") -> Self:
        """Parse a proof; whatever it returns has the same bytes again.

        Raises:
            MalformedError: by subclass; check `log.format`.
        """
        if len(untrusted) > LOG_PROOF_MAX_BYTES:
            raise OversizeError(
                f"{len(untrusted)} bytes; a log proof has at most {LOG_PROOF_MAX_BYTES}",
                where=where,
                check="log.format",
            )
        head, separator, note = untrusted.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as error:
            raise MalformedError("not ASCII", where=where, check="log.format") from error
        if not separator or lines[0] != _HEADER:
            raise MalformedError(f"expected {_HEADER!r}", where=where, check="log.format")
        if len(lines) > 3 + MAX_NODES:
            raise OversizeError(f"more than {MAX_NODES} nodes", where=where, check="log.format")
        entry = _decode(_member(lines, 1, "extra", where), where)
        if not 1 <= len(entry) <= ENTRY_MAX_BYTES:
            raise OversizeError(
                f"an entry has 1 to {ENTRY_MAX_BYTES} bytes", where=where, check="log.format"
            )
        index = parse_size(_member(lines, 2, "index", where), where=where)
        nodes = tuple(_decode(line, where) for line in lines[3:])
        if any(len(node) != HASH_BYTES for node in nodes):
            raise MalformedError("a node is no hash", where=where, check="log.format")
        return cls(
            entry=entry,
            index=index,
            nodes=nodes,
            checkpoint=SignedCheckpoint.from_bytes(note, where=where),
        )


def _member(lines: list[str], position: int, name: str, where: str) -> str:
    line = lines[position] if position < len(lines) else ""
    if not line.startswith(f"{name} "):
        raise MalformedError(f"the line {name!r} is missing", where=where, check="log.format")
    return line.removeprefix(f"{name} ")


def _decode(text: str, where: str) -> bytes:
    try:
        return decode_base64(text, where=where)
    except NonCanonicalError as error:
        raise NonCanonicalError(error.message, where=where, check="log.format") from error
