"""The receipt: statement, envelopes, evidence and reveals in one file.

Spec: spec/v1/receipt.md, sections 2 and 6. A `Receipt` is parsed, not checked: read the statement
from the result of `veridical.verify`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from veridical.commitment import FIELDS, SALT_BYTES
from veridical.errors import FieldError, InputError, OversizeError
from veridical.files import write_whole
from veridical.receipt import canonical
from veridical.receipt.canonical import Value, decode_base64, encode_base64
from veridical.receipt.envelope import Envelope
from veridical.receipt.evidence import blob_digest
from veridical.receipt.members import Members
from veridical.receipt.statement import Statement

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_ENVELOPES", "MAX_EVIDENCE", "RECEIPT_MAX_BYTES", "Receipt", "Reveal"]

RECEIPT_VERSION: Final = "veridical-receipt/v1"
#: Room for a proof of ten megabytes; a rejection stays below 100 ms and 100 MB.
RECEIPT_MAX_BYTES: Final = 16 * 1024 * 1024
#: Each costs a signature check.
MAX_ENVELOPES: Final = 16
MAX_EVIDENCE: Final = 64


@dataclass(frozen=True, slots=True)
class Reveal:
    """What opens one commitment: its content, its salt, or both; an absent one is empty."""

    content: bytes = field(default=b"", repr=False)
    salt: bytes = field(default=b"", repr=False)

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {"bytes": encode_base64(self.content), "salt": encode_base64(self.salt)}

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("bytes", "salt"), where=where)
        text = members.text("bytes", max_length=RECEIPT_MAX_BYTES)
        content = decode_base64(text, where=members.where("bytes"))
        salt = decode_base64(members.text("salt"), where=members.where("salt"))
        if len(salt) not in (0, SALT_BYTES):
            raise members.refuse("salt", f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
        if not content and not salt:
            raise members.refuse("bytes", "a reveal has bytes or a salt")
        return cls(content, salt)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """A parsed receipt. Nothing in it is checked."""

    statement: Statement
    envelopes: tuple[Envelope, ...] = ()
    evidence: tuple[bytes, ...] = field(default=(), repr=False)
    reveals: Mapping[str, Reveal] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Freeze the mapping, and refuse what could not be read back."""
        object.__setattr__(self, "reveals", MappingProxyType(dict(sorted(self.reveals.items()))))
        for name, items, limit in (
            ("envelopes", self.envelopes, MAX_ENVELOPES),
            ("evidence", self.evidence, MAX_EVIDENCE),
        ):
            if len(items) > limit:
                raise FieldError(
                    f"more than {limit} {name}", where=f"receipt.{name}", check="format"
                )
            if len(set(items)) != len(items):
                raise FieldError("one item stands twice", where=f"receipt.{name}", check="format")
        unknown = set(self.reveals) - set(FIELDS)
        if unknown:
            raise FieldError(
                f"no field {min(unknown)[:64]!r} to reveal", where="receipt.reveals", check="format"
            )

    @property
    def receipt_id(self) -> str:
        """The digest that names this receipt; an upgrade does not change it."""
        return self.statement.receipt_id

    def evidence_by_digest(self) -> dict[str, bytes]:
        """Return every blob under the digest by which envelopes name it; hashes them all."""
        return {blob_digest(blob): blob for blob in self.evidence}

    def without_reveals(self) -> Self:
        """Return the receipt as it may be published: commitments stay closed."""
        return replace(self, reveals={})

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "envelopes": [envelope.to_value() for envelope in self.envelopes],
            "evidence": [encode_base64(blob) for blob in self.evidence],
            "reveals": {name: reveal.to_value() for name, reveal in self.reveals.items()},
            "statement": self.statement.to_value(),
            "version": RECEIPT_VERSION,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes of the bundle."""
        return canonical.encode(self.to_value())

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a bundle. Whatever it returns encodes to the same bytes again.

        Raises:
            MalformedError: one subclass per defect.
        """
        value = canonical.decode(untrusted, max_bytes=RECEIPT_MAX_BYTES, where="receipt")
        names = ("envelopes", "evidence", "reveals", "statement", "version")
        members = Members(value, names, where="receipt")
        members.literal("version", RECEIPT_VERSION)
        reveals = members.mapping("reveals", max_items=len(FIELDS))
        return cls(
            statement=Statement.from_value(members["statement"]),
            envelopes=tuple(
                Envelope.from_value(item, where=f"envelopes[{i}]")
                for i, item in enumerate(members.items("envelopes", max_items=MAX_ENVELOPES))
            ),
            evidence=tuple(
                _blob(item, where=f"evidence[{i}]")
                for i, item in enumerate(members.items("evidence", max_items=MAX_EVIDENCE))
            ),
            reveals={
                name: Reveal.from_value(item, where=f"reveals.{name}")
                for name, item in reveals.items()
            },
        )

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a receipt file; its size is taken before anything is read.

        Raises:
            InputError: the file cannot be read.
            MalformedError: as `from_bytes`.
        """
        try:
            with Path(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                # The file may grow, or be a pipe without a size: the read has the same limit.
                untrusted = b"" if size > RECEIPT_MAX_BYTES else file.read(RECEIPT_MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL
            raise InputError(f"cannot read the receipt: {error}", where=str(path)) from error
        if max(size, len(untrusted)) > RECEIPT_MAX_BYTES:
            raise OversizeError(
                f"{max(size, len(untrusted))} bytes; at most {RECEIPT_MAX_BYTES} are allowed",
                where=str(path),
                check="size",
            )
        return cls.from_bytes(untrusted)

    def save(self, path: str | Path) -> None:
        """Write the bundle to a file in one step, `*.receipt.json` by convention.

        Raises:
            InputError: the file cannot be written.
        """
        write_whole(path, self.to_bytes(), what="the receipt")


def _blob(value: Value, *, where: str) -> bytes:
    if not isinstance(value, str) or not value:
        raise FieldError("expected base64", where=where, check="format")
    return decode_base64(value, where=where)
