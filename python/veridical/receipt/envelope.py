"""The envelope: who vouches for a statement, in which tier, with which evidence.

Spec: spec/v1/receipt.md, section 5. A DSSE envelope around an in-toto Statement. The payload stays
bytes until its signature was verified.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from securesystemslib.dsse import Envelope as DSSEEnvelope

from veridical.errors import Error, FieldError, InputError
from veridical.keys import SIGNATURE_BYTES, Signer
from veridical.receipt import canonical
from veridical.receipt.canonical import Value, decode_base64, encode_base64
from veridical.receipt.evidence import EvidenceDescriptor
from veridical.receipt.members import Members, require_object

if TYPE_CHECKING:
    from veridical.receipt.statement import Statement

__all__ = [
    "MAX_DESCRIPTORS",
    "PAYLOAD_MAX_BYTES",
    "Envelope",
    "Predicate",
    "pre_authentication_encoding",
]

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:veridical:inference:v1"
#: A payload holds digests, never data.
PAYLOAD_MAX_BYTES: Final = 64 * 1024
MAX_DESCRIPTORS: Final = 16
MAX_CRITICAL: Final = 16

_KEY_ID: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicate:
    """What one signer says about one statement."""

    receipt_id: str
    #: Hex of the digest in `output.integers`; it is the subject of the in-toto Statement.
    output_digest: str
    tier: str
    issued_at: int
    evidence: tuple[EvidenceDescriptor, ...] = ()
    critical: tuple[str, ...] = ()

    @classmethod
    def about(
        cls,
        statement: Statement,
        *,
        tier: str,
        issued_at: int,
        evidence: tuple[EvidenceDescriptor, ...],
    ) -> Self:
        """Bind a tier and its evidence to a statement."""
        return cls(
            receipt_id=statement.receipt_id,
            output_digest=statement.output.integers.digest.hex(),
            tier=tier,
            issued_at=issued_at,
            evidence=evidence,
        )

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form, an in-toto Statement."""
        return {
            "_type": STATEMENT_TYPE,
            "predicate": {
                "critical": list(self.critical),
                "evidence": [descriptor.to_value() for descriptor in self.evidence],
                "issued_at": self.issued_at,
                "statement": self.receipt_id,
                "tier": self.tier,
            },
            "predicateType": PREDICATE_TYPE,
            "subject": [{"digest": {"sha256": self.output_digest}, "name": "output"}],
        }

    def to_bytes(self) -> bytes:
        """Return the payload: its canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def from_bytes(cls, payload: bytes, *, where: str) -> Self:
        """Parse a payload whose signature was verified.

        Raises:
            MalformedError: the payload is not canonical or has other members than section 5 says.
        """
        value = canonical.decode(payload, max_bytes=PAYLOAD_MAX_BYTES, where=where)
        outer = Members(value, ("_type", "predicate", "predicateType", "subject"), where=where)
        outer.literal("_type", STATEMENT_TYPE)
        outer.literal("predicateType", PREDICATE_TYPE)
        names = ("critical", "evidence", "issued_at", "statement", "tier")
        inner = Members(outer["predicate"], names, where=outer.where("predicate"))
        tier = inner.text("tier", max_length=64)
        if not tier:
            raise inner.refuse("tier", "a tier has a name")
        evidence = tuple(
            EvidenceDescriptor.from_value(item, where=inner.where(f"evidence[{i}]"))
            for i, item in enumerate(inner.items("evidence", max_items=MAX_DESCRIPTORS))
        )
        if len({descriptor.digest for descriptor in evidence}) != len(evidence):
            raise inner.refuse("evidence", "one digest stands twice")
        return cls(
            receipt_id=inner.digest("statement"),
            output_digest=_subject_digest(outer),
            tier=tier,
            issued_at=inner.count("issued_at"),
            evidence=evidence,
            critical=_critical(inner),
        )

    def require_valid(self) -> Self:
        """Return this predicate if a verifier would parse it.

        Raises:
            InputError: an issuer passed something that the format does not allow.
        """
        try:
            Predicate.from_bytes(self.to_bytes(), where="payload")
        except Error as error:
            raise InputError(error.message, where=error.where) from error
        return self


def _subject_digest(outer: Members) -> str:
    subjects = outer.items("subject", max_items=1)
    if len(subjects) != 1:
        raise outer.refuse("subject", "expected one subject")
    subject = Members(subjects[0], ("digest", "name"), where=outer.where("subject[0]"))
    subject.literal("name", "output")
    digest = Members(subject["digest"], ("sha256",), where=subject.where("digest"))
    text = digest.text("sha256")
    if _KEY_ID.fullmatch(text) is None:
        raise digest.refuse("sha256", "expected 64 lower-case hexadecimal digits")
    return text


def _critical(inner: Members) -> tuple[str, ...]:
    names: list[str] = []
    for name in inner.items("critical", max_items=MAX_CRITICAL):
        if not isinstance(name, str) or not name:
            raise inner.refuse("critical", "expected names")
        names.append(name)
    if names != sorted(set(names)):
        raise inner.refuse("critical", "names are not ascending and unique")
    return tuple(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Signed bytes. Nothing in the payload counts before `signature` was verified."""

    payload: bytes
    key_id: str
    signature: bytes

    @classmethod
    def sign(cls, predicate: Predicate, signer: Signer) -> Self:
        """Sign a predicate."""
        payload = predicate.to_bytes()
        return cls(
            payload=payload,
            key_id=signer.public_key.key_id,
            signature=signer.sign(pre_authentication_encoding(payload)),
        )

    @property
    def signed_bytes(self) -> bytes:
        """Return the bytes that the signature is over."""
        return pre_authentication_encoding(self.payload)

    def to_value(self) -> dict[str, Value]:
        """Return the DSSE JSON form."""
        return {
            "payload": encode_base64(self.payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": self.key_id, "sig": encode_base64(self.signature)}],
        }

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the DSSE JSON form; the payload is not parsed."""
        members = Members(value, ("payload", "payloadType", "signatures"), where=where)
        members.literal("payloadType", PAYLOAD_TYPE)
        text = members.text("payload", max_length=2 * PAYLOAD_MAX_BYTES)
        payload = decode_base64(text, where=members.where("payload"))
        if len(payload) > PAYLOAD_MAX_BYTES:
            raise members.refuse("payload", f"more than {PAYLOAD_MAX_BYTES} bytes")
        signatures = members.items("signatures", max_items=1)
        if len(signatures) != 1:
            raise members.refuse("signatures", "expected one signature")
        entry = Members(
            require_object(signatures[0], where=members.where("signatures[0]")),
            ("keyid", "sig"),
            where=members.where("signatures[0]"),
        )
        key_id = entry.text("keyid")
        if _KEY_ID.fullmatch(key_id) is None:
            raise entry.refuse("keyid", "expected 64 lower-case hexadecimal digits")
        signature = decode_base64(entry.text("sig"), where=entry.where("sig"))
        if len(signature) != SIGNATURE_BYTES:
            raise FieldError(
                f"a signature has {SIGNATURE_BYTES} bytes, not {len(signature)}",
                where=entry.where("sig"),
                check="format",
            )
        return cls(payload=payload, key_id=key_id, signature=signature)


def pre_authentication_encoding(payload: bytes) -> bytes:
    """Return what DSSE signs: the type and the payload, each with its length."""
    encoded: bytes = DSSEEnvelope(payload, PAYLOAD_TYPE, {}).pae()
    return encoded
