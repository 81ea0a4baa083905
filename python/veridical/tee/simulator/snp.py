"""Simulated attestation reports of SEV-SNP."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from veridical.tee.claims import Family
from veridical.tee.collateral import CollateralItem, Kind
from veridical.tee.evidence import QuoteBlob
from veridical.tee.simulator import der
from veridical.tee.simulator.pki import Authority, sign_raw
from veridical.tee.snp import REPORT_BYTES, SIGNED_BYTES
from veridical.tee.x509 import pem_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SimulatedSnp"]

_OID: Final = "1.3.6.1.4.1.3704.1"
#: CPUID family, model and stepping, and where the TCB components stand.
_CPUID: Final = {"milan": (0x19, 0x01, 1), "genoa": (0x19, 0x11, 1), "turin": (0x1A, 0x02, 1)}
_PLACES: Final[Mapping[str, Mapping[str, int]]] = {
    "turin": {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
}
_OLD_PLACES: Final = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
_OIDS: Final = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
_MEASUREMENT: Final = hashlib.sha384(b"veridical simulator: code").digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedSnp:
    """A machine of AMD's that is none."""

    root: Authority
    generation: str = "genoa"
    debug: bool = False
    vmpl: int = 0
    measurement: bytes = _MEASUREMENT
    tcb: Mapping[str, int] = field(
        default_factory=lambda: {"bootloader": 9, "tee": 0, "snp": 23, "microcode": 72, "fmc": 1}
    )

    def quote(self, value: bytes) -> tuple[QuoteBlob, tuple[CollateralItem, ...]]:
        """Make a report that holds a value, and the certificates it needs."""
        turin = self.generation == "turin"
        chip = hashlib.sha512(self.root.fingerprint.encode()).digest()
        chip = chip[:8] + bytes(56) if turin else chip
        ask = self.root.below(f"SEV-{self.generation.title()}")
        leaf = ask.issue(
            "SEV-VCEK",
            curve=ec.SECP384R1(),
            may_issue=False,
            extensions=self._extensions(chip[:8] if turin else chip),
        )
        report = self._report(value, chip)
        signature = sign_raw(leaf.key, report, hashes.SHA384(), size=72, order="little")
        content = report + signature + bytes(REPORT_BYTES - SIGNED_BYTES - len(signature))
        subject = f"{(chip[:8] if turin else chip).hex()}:{report[0x180:0x188].hex()}"
        chain = "".join(pem_of(d) for d in ask.ders).encode()
        items = (
            CollateralItem(Kind.AMD_CHAIN, self.generation, chain),
            CollateralItem(Kind.AMD_VCEK, subject, leaf.ders[0]),
        )
        return QuoteBlob(Family.SEV_SNP, content), items

    def _places(self) -> Mapping[str, int]:
        return _PLACES.get(self.generation, _OLD_PLACES)

    def _extensions(self, chip: bytes) -> list[tuple[str, bytes]]:
        product = f"{self.generation.title()}-B0".encode()
        numbers = [
            (f"{_OID}.3.{_OIDS[name]}", der.integer(self.tcb[name])) for name in self._places()
        ]
        return [
            (f"{_OID}.1", der.integer(0)),
            (f"{_OID}.2", b"\x16" + bytes([len(product)]) + product),
            *numbers,
            (f"{_OID}.4", chip),
        ]

    def _report(self, value: bytes, chip: bytes) -> bytes:
        report = bytearray(SIGNED_BYTES)
        policy = 1 << 17 | 1 << 16 | self.debug << 19
        tcb = bytearray(8)
        for name, place in self._places().items():
            tcb[place] = self.tcb[name]
        parts = {
            0x00: (3).to_bytes(4, "little"),
            0x08: policy.to_bytes(8, "little"),
            0x30: self.vmpl.to_bytes(4, "little"),
            0x34: (1).to_bytes(4, "little"),
            0x40: (1).to_bytes(8, "little"),
            0x50: value,
            0x90: self.measurement,
            0x160: b"\xff" * 32,
            0x188: bytes(_CPUID[self.generation]),
            0x1A0: chip,
            **dict.fromkeys((0x38, 0x180, 0x1E0, 0x1F0), bytes(tcb)),
        }
        for offset, content in parts.items():
            report[offset : offset + len(content)] = content
        return bytes(report)
