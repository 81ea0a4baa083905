"""Collateral: what quotes are judged by, carried beside them or kept in a store.

Spec: spec/v1/tee.md, section 6. It is signed by the makers of the hardware, so whoever hands it
over can hold it back or hand over an old one, and no more than that.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from veridical.errors import InputError, MalformedError
from veridical.receipt.canonical import decode, decode_base64, encode, encode_base64
from veridical.receipt.members import Members
from veridical.tee.quote import refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from veridical.receipt.canonical import Value

__all__ = ["BUNDLE_MAX_BYTES", "Collateral", "CollateralItem", "Kind"]

BUNDLE_MAX_BYTES: Final = 2 * 1024 * 1024
MAX_ITEMS: Final = 64
ITEM_MAX_BYTES: Final = 512 * 1024
_VERSION: Final = "veridical-collateral/v1"


class Kind(StrEnum):
    """What an item is."""

    AMD_CHAIN = "amd-chain"
    AMD_CRL = "amd-crl"
    AMD_VCEK = "amd-vcek"
    INTEL = "intel"
    NVIDIA_OCSP = "nvidia-ocsp"
    NVIDIA_RIM = "nvidia-rim"


@dataclass(frozen=True, slots=True, order=True)
class CollateralItem:
    """One document of a maker, and what it is about."""

    kind: Kind
    subject: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Collateral:
    """A set of items, at most one of each kind and subject."""

    items: tuple[CollateralItem, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a set that has no encoding."""
        names = [(item.kind.value, item.subject) for item in self.items]
        if names != sorted(set(names)):
            raise InputError("items of collateral are ascending, and none stands twice")
        for item in self.items:
            if not 1 <= len(item.content) <= ITEM_MAX_BYTES:
                raise InputError(
                    f"{len(item.content)} bytes of collateral; 1 to {ITEM_MAX_BYTES} are allowed",
                    where=f"{item.kind.value} {item.subject}",
                )

    @classmethod
    def of(cls, items: Iterable[CollateralItem]) -> Self:
        """Put items in order."""
        return cls(tuple(sorted(items)))

    def __iter__(self) -> Iterator[CollateralItem]:
        return iter(self.items)

    def find(self, kind: Kind, subject: str) -> bytes | None:
        """Return the content of an item."""
        found = (i.content for i in self.items if i.kind is kind and i.subject == subject)
        return next(found, None)

    def or_from(self, other: Collateral) -> Collateral:
        """Return these items, and those of another set that are missing here."""
        names = {(item.kind, item.subject) for item in self.items}
        missing = (item for item in other.items if (item.kind, item.subject) not in names)
        return Collateral.of((*self.items, *missing))

    def to_bytes(self) -> bytes:
        """Return the one encoding; a bundle holds fewer items than a store may.

        Raises:
            InputError: these are too many for a bundle.
        """
        if len(self.items) > MAX_ITEMS:
            raise InputError(f"a bundle has at most {MAX_ITEMS} items, not {len(self.items)}")
        items: list[Value] = [
            {
                "content": encode_base64(item.content),
                "kind": item.kind.value,
                "subject": item.subject,
            }
            for item in self.items
        ]
        return encode({"items": items, "version": _VERSION})

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a bundle; whatever it returns encodes to the same bytes again.

        Raises:
            QuoteError: it breaks the format.
        """
        try:
            document = decode(untrusted, max_bytes=BUNDLE_MAX_BYTES, where="collateral")
            members = Members(document, ("items", "version"), where="collateral")
            members.literal("version", _VERSION)
            items = [
                _item(value, where=f"collateral[{index}]")
                for index, value in enumerate(members.items("items", max_items=MAX_ITEMS))
            ]
        except MalformedError as error:
            raise refused("format", error.message, error.where) from error
        try:
            return cls(tuple(items))
        except InputError as error:
            raise refused("format", error.message, error.where or "collateral") from error


def _item(value: Value, *, where: str) -> CollateralItem:
    members = Members(value, ("content", "kind", "subject"), where=where)
    kind = members.text("kind")
    if kind not in set(Kind):
        raise members.refuse("kind", f"{kind[:40]!r} is not known")
    content = members.text("content", max_length=2 * ITEM_MAX_BYTES)
    return CollateralItem(
        Kind(kind), members.text("subject"), decode_base64(content, where=members.where("content"))
    )
