"""The evidence of tier `tee`: quotes with what they are about, in one blob.

Spec: spec/v1/tee.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeVar

from veridical.commitment import frame
from veridical.errors import InputError
from veridical.receipt.evidence import EvidenceBlob
from veridical.tee.binding import (
    KEY_SET_MAX_BYTES,
    Freshness,
    FreshnessKind,
    KeySet,
    Purpose,
    report_value,
)
from veridical.tee.claims import Family
from veridical.tee.collateral import BUNDLE_MAX_BYTES, Collateral
from veridical.tee.quote import QUOTE_MAX_BYTES, refused
from veridical.tlog.tree import (
    Hashes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    tree_root,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veridical.receipt.program import Run
    from veridical.receipt.statement import Statement

__all__ = [
    "TEE_TYPE",
    "Attestation",
    "Attester",
    "Membership",
    "QuoteBlob",
    "Tee",
    "TeeEvidence",
    "attest_batch",
]

TEE_TYPE: Final = "urn:veridical:evidence:tee:v1"
EVIDENCE_MAX_BYTES: Final = 4 * 1024 * 1024
#: One processor, eight GPUs and eight switches.
MAX_QUOTES: Final = 17
EVENT_LOG_MAX_BYTES: Final = 256 * 1024
T = TypeVar("T", Purpose, FreshnessKind, Family)

_TAG: Final = b"veridical.tee-evidence.v1"
_U64: Final = 8
_HASH: Final = 32
_MAX_PATH: Final = 33
_MAX_BATCH: Final = 2**32
_MAX_NAME: Final = 32


@dataclass(frozen=True, slots=True)
class QuoteBlob:
    """One quote as it travels, with the event log of its run-time registers."""

    family: Family
    content: bytes = field(repr=False)
    event_log: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Where a statement stands in a batch, and the path to the batch's root."""

    size: int = 1
    index: int = 0
    path: tuple[bytes, ...] = ()

    def root(self, statement: bytes) -> bytes:
        """Return the root to which the digest of a statement leads.

        Raises:
            QuoteError: the path does not fit the place.
        """
        inner = (self.index ^ (self.size - 1)).bit_length()
        node, rest = leaf_hash(statement), self.path
        if len(rest) != inner + (self.index >> inner).bit_count():
            raise refused("binding", "the path does not fit the place in the batch", "evidence")
        for level, sibling in enumerate(rest):
            is_right = level >= inner or self.index >> level & 1
            node = node_hash(sibling, node) if is_right else node_hash(node, sibling)
        return node


@dataclass(frozen=True, slots=True, kw_only=True)
class TeeEvidence:
    """Quotes, what they are bound to, and the collateral that travels with them."""

    quotes: tuple[QuoteBlob, ...]
    freshness: Freshness = field(default_factory=Freshness)
    #: Purpose `key-set`: the keys. None: the quotes are about statements.
    key_set: KeySet | None = None
    membership: Membership = Membership()
    collateral: Collateral = field(default_factory=Collateral)

    @property
    def purpose(self) -> Purpose:
        """What the subject of the quotes is."""
        return Purpose.STATEMENTS if self.key_set is None else Purpose.KEY_SET

    def value(self, statement: bytes) -> bytes:
        """Return the value that the quotes have to hold, for the digest of a statement."""
        subject = self.membership.root(statement) if self.key_set is None else self.key_set.digest
        return report_value(self.purpose, subject, self.freshness)

    def to_bytes(self) -> bytes:
        """Return the one encoding."""
        place = self.membership
        numbers = (0, 0) if self.key_set is not None else (place.size, place.index)
        keys = b"" if self.key_set is None else self.key_set.to_bytes()
        collateral = self.collateral.to_bytes() if self.collateral.items else b""
        return b"".join(
            (
                frame(_TAG, self.purpose.value.encode(), self.freshness.kind.value.encode()),
                frame(self.freshness.value, keys),
                *(number.to_bytes(_U64, "little") for number in (*numbers, len(place.path))),
                *(frame(node) for node in place.path),
                len(self.quotes).to_bytes(_U64, "little"),
                *(frame(q.family.value.encode(), q.content, q.event_log) for q in self.quotes),
                frame(collateral),
            )
        )

    def blob(self) -> EvidenceBlob:
        """Return the form in which a receipt carries it."""
        return EvidenceBlob(TEE_TYPE, self.to_bytes())

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse evidence; whatever it returns encodes to the same bytes again.

        Raises:
            QuoteError: it breaks the form.
        """
        if len(untrusted) > EVIDENCE_MAX_BYTES:
            raise refused("format", f"{len(untrusted)} bytes; at most {EVIDENCE_MAX_BYTES}")
        reader = _Reader(untrusted)
        if reader.frame(len(_TAG)) != _TAG:
            raise reader.fail("it does not begin as evidence of this version")
        purpose = reader.name(Purpose)
        kind = reader.name(FreshnessKind)
        try:
            freshness = Freshness(kind, reader.frame(_HASH))
        except InputError as error:
            raise reader.fail(error.message) from error
        keys = reader.frame(KEY_SET_MAX_BYTES)
        membership = reader.membership(is_of_keys=purpose is Purpose.KEY_SET)
        quotes = reader.quotes()
        collateral = reader.frame(BUNDLE_MAX_BYTES)
        reader.require_end()
        if purpose is Purpose.KEY_SET and kind is FreshnessKind.NONE:
            raise reader.fail("a quote over keys is bound to a nonce or a checkpoint")
        if bool(keys) != (purpose is Purpose.KEY_SET):
            raise reader.fail("a key set belongs to purpose key-set, and to no other")
        evidence = cls(
            quotes=quotes,
            freshness=freshness,
            key_set=KeySet.from_bytes(keys) if keys else None,
            membership=membership,
            collateral=Collateral.from_bytes(collateral) if collateral else Collateral(),
        )
        if evidence.to_bytes() != untrusted:
            raise reader.fail("this is not the one encoding")
        return evidence


class _Reader:
    """Reads framed fields; every length is compared with what is left before it is used."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._offset = 0

    def fail(self, message: str) -> Exception:
        return refused("format", f"malformed evidence: {message}", f"evidence, byte {self._offset}")

    def _take(self, size: int) -> bytes:
        end = self._offset + size
        if end > len(self._content):
            raise self.fail("it ends too early")
        taken = self._content[self._offset : end]
        self._offset = end
        return taken

    def count(self, most: int) -> int:
        number = int.from_bytes(self._take(_U64), "little")
        if number > most:
            raise self.fail(f"{number} where at most {most} is allowed")
        return number

    def frame(self, most: int) -> bytes:
        return self._take(self.count(most))

    def name(self, kind: type[T]) -> T:
        text = self.frame(_MAX_NAME).decode("ascii", "replace")
        try:
            return kind(text)
        except ValueError as error:
            raise self.fail(f"{text!r:.40} is not known") from error

    def membership(self, *, is_of_keys: bool) -> Membership:
        size, index = self.count(_MAX_BATCH), self.count(_MAX_BATCH)
        path = tuple(self.frame(_HASH) for _ in range(self.count(_MAX_PATH)))
        if any(len(node) != _HASH for node in path):
            raise self.fail("a node of the path has not 32 bytes")
        if is_of_keys:
            if size or index or path:
                raise self.fail("a place in a batch belongs to statements")
            return Membership()
        if not index < size:
            raise self.fail(f"a batch of {size} has no statement {index}")
        return Membership(size=size, index=index, path=path)

    def quotes(self) -> tuple[QuoteBlob, ...]:
        quotes = []
        for position in range(self.count(MAX_QUOTES)):
            family = self.name(Family)
            if family.is_processor is not (position == 0):
                check = "gpu-without-cpu" if position == 0 else "format"
                message = f"quote {position} is of {family.value}: one of a processor comes first"
                raise refused(check, message, "evidence")
            content, log = self.frame(QUOTE_MAX_BYTES), self.frame(EVENT_LOG_MAX_BYTES)
            quotes.append(QuoteBlob(family, content, log))
        if not quotes:
            raise self.fail("there is no quote")
        return tuple(quotes)

    def require_end(self) -> None:
        if self._offset != len(self._content):
            raise self.fail("there are bytes behind it")


@dataclass(frozen=True, slots=True)
class Attestation:
    """What an attester makes: quotes, processor first, and the collateral it has at hand."""

    quotes: tuple[QuoteBlob, ...]
    collateral: Collateral = field(default_factory=Collateral)


class Attester(Protocol):
    """Where quotes come from: hardware, or a simulator of it."""

    def attest(self, value: bytes, /) -> Attestation:
        """Make quotes that hold a value of 32 bytes; GPUs hold the nonce that follows from it."""


def attest_batch(
    attester: Attester, statements: Sequence[bytes], freshness: Freshness | None = None
) -> list[TeeEvidence]:
    """Make one set of quotes over a batch, and return the evidence of each statement.

    `statements` are the 32 bytes of receipt ids. The cost of quotes is shared by all of them.

    Raises:
        InputError: there is none.
    """
    freshness = freshness or Freshness()
    if not 1 <= len(statements) <= _MAX_BATCH:
        raise InputError("a batch has at least one statement")
    leaves = Hashes([leaf_hash(digest) for digest in statements])
    size = len(statements)
    root = tree_root(leaves, size)
    made = attester.attest(report_value(Purpose.STATEMENTS, root, freshness))
    return [
        TeeEvidence(
            quotes=made.quotes,
            freshness=freshness,
            membership=Membership(size=size, index=i, path=tuple(inclusion_proof(leaves, i, size))),
            collateral=made.collateral,
        )
        for i in range(size)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tee:
    """The issuer's side of the tier; `Tee.of_keys` or `Tee.of_statements` makes one."""

    attester: Attester | None = None
    freshness: Freshness = field(default_factory=Freshness)
    #: Evidence about the key of the signer, made once for the life of the key.
    keys: TeeEvidence | None = None

    @classmethod
    def of_keys(cls, attester: Attester, key_set: KeySet, freshness: Freshness) -> Self:
        """Quote a key set once; every envelope signed by its keys then carries these quotes.

        Raises:
            InputError: nothing would show the age of the quote.
        """
        if freshness.kind is FreshnessKind.NONE:
            raise InputError("a quote over keys is bound to a nonce or a checkpoint")
        value = report_value(Purpose.KEY_SET, key_set.digest, freshness)
        made = attester.attest(value)
        evidence = TeeEvidence(
            quotes=made.quotes, freshness=freshness, key_set=key_set, collateral=made.collateral
        )
        return cls(keys=evidence, freshness=freshness)

    @classmethod
    def of_statements(cls, attester: Attester, freshness: Freshness | None = None) -> Self:
        """Quote every statement by itself: nothing then rests on the secrecy of a key."""
        return cls(attester=attester, freshness=freshness or Freshness())

    @property
    def tier(self) -> str:
        """The tier's name, as it is signed."""
        return "tee"

    def make(self, run: Run, statement: Statement) -> tuple[EvidenceBlob, ...]:  # noqa: ARG002 - protocol
        """Return the evidence for a statement."""
        if self.keys is not None:
            return (self.keys.blob(),)
        if self.attester is None:
            raise InputError("neither quotes nor an attester to make them")
        digest = bytes.fromhex(statement.receipt_id.removeprefix("sha256:"))
        (evidence,) = attest_batch(self.attester, [digest], self.freshness)
        return (evidence.blob(),)
