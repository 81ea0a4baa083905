"""Quotes of TDX and SEV-SNP from Linux: reports of the trusted security module in configfs.

Spec: spec/v1/tee.md, section 10.1. A folder below `/sys/kernel/config/tsm/report` is one request:
the kernel makes its attributes, of which `inblob` is written and the others are read. Its
`generation` counts what was written, so a report that somebody else's write went into shows.
"""

from __future__ import annotations

import os
import secrets
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from veridical.errors import QuoteError
from veridical.tee.attester.answers import (
    REPORT_DATA_BYTES,
    failed,
    require_value,
    require_value_size,
)
from veridical.tee.claims import Family
from veridical.tee.collateral import ITEM_MAX_BYTES, Collateral, CollateralItem, Kind
from veridical.tee.evidence import Attestation, QuoteBlob
from veridical.tee.quote import QUOTE_MAX_BYTES
from veridical.tee.snp import subject_of
from veridical.tee.x509 import UNREADABLE, parse_der, pem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REPORTS", "ConfigfsTsm", "Kernel", "certificates"]

REPORTS: Final = Path("sys/kernel/config/tsm/report")
#: What the kernel calls the makers of its reports.
_FAMILIES: Final = {"tdx_guest": Family.TDX, "sev_guest": Family.SEV_SNP}
_MAX_NUMBER: Final = 32
_ENTRY: Final = 24
_VCEK: Final = uuid.UUID("63da758d-e664-4564-adc5-f4b93be8accd")
_ASK: Final = uuid.UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782")
_ARK: Final = uuid.UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae")


class Kernel:
    """What is asked of the file system; a fake kernel has the same four operations."""

    def make(self, folder: Path) -> None:
        """Make a folder; the kernel puts its attributes there."""
        folder.mkdir()

    def remove(self, folder: Path) -> None:
        """Remove a folder; its attributes go with it."""
        folder.rmdir()

    def write(self, attribute: Path, content: bytes) -> None:
        """Write an attribute as a whole, in one call: the kernel takes it when it is closed."""
        descriptor = os.open(attribute, os.O_WRONLY)
        try:
            written = os.write(descriptor, content)
        finally:
            os.close(descriptor)
        if written != len(content):
            raise OSError(f"{written} of {len(content)} bytes were taken")

    def read(self, attribute: Path, most: int) -> bytes:
        """Read an attribute, and no more of it than is useful."""
        with attribute.open("rb") as file:
            return file.read(most + 1)


@dataclass(frozen=True, slots=True)
class ConfigfsTsm:
    """The attester of a Linux guest; `root` is where its file system begins."""

    root: Path = Path("/")
    kernel: Kernel = field(default_factory=Kernel, repr=False)

    @property
    def folder(self) -> Path:
        """Where requests are made."""
        return self.root / REPORTS

    def attest(self, value: bytes, /) -> Attestation:
        """Make a quote that holds a value of 32 bytes.

        Raises:
            AttesterError: the kernel refused, another write came between, or the answer is no
                quote of the value.
        """
        where = str(self.folder)
        require_value_size(value, where)
        entry = self.folder / f"veridical-{os.getpid()}-{secrets.token_hex(8)}"
        try:
            self.kernel.make(entry)
            try:
                family, content, auxiliary = self._report(entry, value)
            finally:
                self.kernel.remove(entry)
        except OSError as error:
            reason = error.strerror or str(error)
            raise failed("interface", f"the kernel made no report: {reason}", where) from error
        require_value(family, content, value, where)
        collateral = Collateral()
        if family is Family.SEV_SNP and auxiliary:
            collateral = _collateral(auxiliary, where)
        return Attestation((QuoteBlob(family, content),), collateral)

    def _report(self, entry: Path, value: bytes) -> tuple[Family, bytes, bytes]:
        where = str(self.folder)
        provider = self._text(entry / "provider")
        if provider not in _FAMILIES:
            raise failed("provider", f"reports of {provider!r:.40} are of no known family", where)
        before = self._number(entry / "generation")
        writes = 0
        # Behind a paravisor the guest runs at a lower privilege, and has to ask for its own.
        floor = entry / "privlevel_floor"
        if floor.exists() and self._number(floor) > 0:
            self.kernel.write(entry / "privlevel", str(self._number(floor)).encode("ascii"))
            writes += 1
        self.kernel.write(entry / "inblob", value.ljust(REPORT_DATA_BYTES, b"\0"))
        writes += 1
        content = self._bytes(entry / "outblob", QUOTE_MAX_BYTES)
        auxiliary = b""
        if (entry / "auxblob").exists():
            auxiliary = self._bytes(entry / "auxblob", ITEM_MAX_BYTES)
        after = self._number(entry / "generation")
        if after != before + writes:
            message = f"{after - before} writes where {writes} were made: somebody else wrote"
            raise failed("generation", message, where)
        return _FAMILIES[provider], content, auxiliary

    def _bytes(self, attribute: Path, most: int) -> bytes:
        content = self.kernel.read(attribute, most)
        if len(content) > most:
            raise failed("answer", f"more than {most} bytes of {attribute.name}", str(self.folder))
        return content

    def _text(self, attribute: Path) -> str:
        content = self._bytes(attribute, _MAX_NUMBER)
        return content.decode("ascii", "replace").strip()

    def _number(self, attribute: Path) -> int:
        text = self._text(attribute)
        if not text.isdecimal():
            raise failed("answer", f"{attribute.name} is {text!r:.40}", str(self.folder))
        return int(text)


def certificates(untrusted: bytes) -> Mapping[uuid.UUID, bytes]:
    """Read the table of certificates that a host hands to its guest (GHCB, section 4.1.8.1).

    Raises:
        ValueError: an entry points outside the table.
    """
    found: dict[uuid.UUID, bytes] = {}
    for start in range(0, len(untrusted) - _ENTRY + 1, _ENTRY):
        entry = untrusted[start : start + _ENTRY]
        if not any(entry):
            return found
        name = uuid.UUID(bytes_le=entry[:16])
        offset, size = (int.from_bytes(entry[i : i + 4], "little") for i in (16, 20))
        if offset + size > len(untrusted):
            raise ValueError(f"certificate {name} ends outside the table")
        found[name] = untrusted[offset : offset + size]
    raise ValueError("the table of certificates has no end")


def _collateral(auxiliary: bytes, where: str) -> Collateral:
    """Return the chain that came with a report; a host need not hand one over."""
    try:
        table = certificates(auxiliary)
        if not {_VCEK, _ASK, _ARK} <= set(table):
            return Collateral()
        generation, subject = subject_of(parse_der(_one_der(table[_VCEK]), what="VCEK"))
        chain = "".join(pem_of(_one_der(table[name])) for name in (_ASK, _ARK)).encode("ascii")
        return Collateral.of(
            (
                CollateralItem(Kind.AMD_CHAIN, generation, chain),
                CollateralItem(Kind.AMD_VCEK, subject, _one_der(table[_VCEK])),
            )
        )
    except (QuoteError, *UNREADABLE) as error:
        raise failed("answer", f"the certificates of the host: {error}", where) from error


def _one_der(content: bytes) -> bytes:
    """Return a certificate as DER; hosts hand out DER or PEM."""
    if not content.startswith(b"-----BEGIN"):
        return content
    return x509.load_pem_x509_certificate(content).public_bytes(Encoding.DER)
