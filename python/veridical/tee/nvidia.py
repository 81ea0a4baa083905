"""NVIDIA GPUs and NVSwitches: signed measurements, and the references they are compared with.

Spec: spec/v1/tee.md, sections 3.4 and 3.5. A quote is the report and the device's certificates,
each framed. It names the device and its firmware; which statement it stands beside is said by its
nonce alone.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import NameOID

from veridical.commitment import frame
from veridical.errors import InternalError
from veridical.tee.claims import Claims, Family, Finding, Outcome
from veridical.tee.collateral import Kind
from veridical.tee.ocsp import check_chain
from veridical.tee.quote import Genuine, Window, refused
from veridical.tee.rim import Rim, read_rim
from veridical.tee.spdm import REPORT_MAX_BYTES, SIGNATURE_BYTES, MeasurementReport
from veridical.tee.x509 import (
    MAX_CERTIFICATE_BYTES,
    MAX_CERTIFICATES,
    parse_der,
    parse_pem_chain,
    verify_chain,
    window_of,
)

if TYPE_CHECKING:
    from veridical.tee.collateral import Collateral

__all__ = ["ROOT", "GpuReport", "SwitchReport", "join"]

#: SHA-256 of the NVIDIA Device Identity CA.
ROOT: Final = "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"
_CERTIFICATES: Final = 5
_U64: Final = 8
_CHIP: Final = re.compile(r"(GH1\d\d|GB\d\d\d|LS_10) [A-Z0-9]+ (?:GSP|FSP) FMC LF")
_GENERATIONS: Final = {"GH": "hopper", "GB": "blackwell", "LS": "ls10"}
#: TCG DICE extensions that name the firmware of a device.
_DICE: Final = ("2.23.133.5.4.1.1", "2.23.133.5.4.1")
_DRIVER, _VBIOS, _NVDEC0, _CHIP_SKU, _PROJECT, _PROJECT_SKU, _FWID, _PCIE, _CHIP_INFO = (
    3,
    6,
    11,
    15,
    17,
    18,
    20,
    21,
    35,
)
_DISABLED: Final = b"\x55"
#: RIM index of the measurement of the first video decoder, which says nothing while it is off.
_NVDEC0_INDEX: Final = 35
_SWITCH_RIM: Final = "NV_SWITCH_BIOS_5612_0002_890_"


def join(report: bytes, certificates: bytes) -> bytes:
    """Return a quote from a report and a PEM chain in the one form."""
    return frame(report, certificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Report:
    """What GPUs and switches have in common."""

    report: MeasurementReport = field(repr=False)
    chain: tuple[x509.Certificate, ...] = field(repr=False)
    chip: str
    family: ClassVar[Family]

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a report with its certificates.

        Raises:
            QuoteError: one of them has another form, or belongs to another kind of device.
        """
        content, rest = _unframe(untrusted, REPORT_MAX_BYTES)
        pem, rest = _unframe(rest, 2 * MAX_CERTIFICATES * MAX_CERTIFICATE_BYTES)
        if rest:
            raise refused("format", "bytes behind the certificates", "quote")
        report = MeasurementReport.from_bytes(content)
        ders = parse_pem_chain(pem, what="device chain", count=_CERTIFICATES)
        chain = tuple(parse_der(der, what="device chain") for der in ders)
        names = chain[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        match = _CHIP.fullmatch(str(names[0].value)) if len(names) == 1 else None
        if match is None:
            raise refused("generation", "the certificate is of no GPU or switch", "device chain")
        quote = cls(report=report, chain=chain, chip=match[1])
        if (quote.generation == "ls10") != (cls.family is Family.NVIDIA_SWITCH):
            raise refused("format", f"{quote.chip} is no {cls.family.value}", "device chain")
        return quote

    @property
    def generation(self) -> str:
        """The generation of the chip that the certificate names."""
        return _GENERATIONS[self.chip[:2]]

    def unverified_claims(self) -> Claims:
        """Return what it says."""
        return self._claims(root="", is_simulated=False)

    def verify(self, collateral: Collateral, *, time: int | None) -> Genuine:  # noqa: ARG002 - protocol
        """Check chain, signature and firmware id, and compare with reference measurements."""
        root, is_simulated = verify_chain(self.chain, roots=(ROOT,), what="device chain")
        self._require_signature()
        self._require_firmware()
        windows: list[Window] = [
            window_of(c, f"device certificate {i}") for i, c in enumerate(self.chain)
        ]
        is_checked = check_chain(self.chain, collateral, windows)
        finding, rims = self._compare(collateral, is_simulated=is_simulated)
        for rim in rims:
            windows += rim.windows
            is_checked &= check_chain(rim.chain, collateral, windows)
        return Genuine(
            claims=self._claims(root=root, is_simulated=is_simulated),
            windows=tuple(windows),
            is_revocation_checked=is_checked,
            findings=(finding,),
        )

    def _require_signature(self) -> None:
        key = self.chain[0].public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP384R1
        ):
            raise refused("signature", "the key of the device is not on P-384", "device chain")
        half = SIGNATURE_BYTES // 2
        signature = self.report.signature
        r, s = (int.from_bytes(signature[i : i + half], "big") for i in (0, half))
        try:
            signed = self.report.signed
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature as error:
            raise refused("signature", "the report is not signed by this device") from error

    def _require_firmware(self) -> None:
        """Check that report and certificate name the same firmware, where the report names it."""
        fwid = self.report.opaque.get(_FWID)
        if fwid is None:
            return
        extensions = self.chain[0].extensions
        contents = [
            e.value.value
            for e in extensions
            if e.oid.dotted_string in _DICE and isinstance(e.value, x509.UnrecognizedExtension)
        ]
        octets = bytes([4, len(fwid)]) + fwid
        if len(contents) != 1 or octets not in contents[0]:
            raise refused("platform-mismatch", "the certificate names other firmware", "report")

    def rim_ids(self) -> tuple[tuple[str, str], ...]:
        """Return the id of each RIM that is needed, and the version it has to state."""
        raise InternalError("a report is of a GPU or of a switch")

    def _compare(self, collateral: Collateral, *, is_simulated: bool) -> tuple[Finding, list[Rim]]:
        """Compare every active reference value with the report's."""
        rims: list[Rim] = []
        expected: dict[int, frozenset[str]] = {}
        for name, version in self.rim_ids():
            content = collateral.find(Kind.NVIDIA_RIM, name)
            if content is None:
                detail = f"no reference measurements {name}"
                return Finding("tee.collateral-missing", Outcome.UNDECIDED, detail), rims
            rim = read_rim(content, what=name)
            if rim.is_simulated is not is_simulated:
                raise refused("rim", "reference and report have roots of different kinds", name)
            if rim.version.upper() != version.upper():
                raise refused("rim", f"it is of version {rim.version[:40]}, not {version}", name)
            if set(rim.active) & set(expected):
                raise refused("rim", "two references of one measurement", name)
            rims.append(rim)
            expected |= rim.active
        if self.report.opaque.get(_NVDEC0) == _DISABLED:
            expected.pop(_NVDEC0_INDEX, None)
        wrong = [
            index
            for index, values in sorted(expected.items())
            if self.report.measurements.get(index + 1, b"").hex() not in values
        ]
        if wrong:
            detail = f"measurements {', '.join(map(str, wrong))} are not those of the references"
            return Finding("tee.rim-mismatch", Outcome.REJECTED, detail), rims
        detail = f"{len(expected)} measurements are those of the references"
        return Finding("tee.rim", Outcome.ACCEPTED, detail), rims

    def _firmware(self) -> dict[str, str]:
        raise InternalError("a report is of a GPU or of a switch")

    def _claims(self, *, root: str, is_simulated: bool) -> Claims:
        serials = self.chain[1].subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        own = self.report.opaque
        return Claims(
            family=self.family,
            generation=self.generation,
            root=root,
            is_simulated=is_simulated,
            platform=str(serials[0].value) if serials else f"{self.chain[1].serial_number:x}",
            bound=self.report.nonce,
            measurements={
                f"measurement_{i}": value.hex() for i, value in self.report.measurements.items()
            },
            security={"nvdec0_off": int(own.get(_NVDEC0) == _DISABLED)},
            firmware={
                "chip": self.chip,
                "fwid": own.get(_FWID, b"").hex(),
                "own_data": hashlib.sha256(
                    b"".join(frame(n.to_bytes(2, "little"), c) for n, c in sorted(own.items()))
                ).hexdigest(),
                **self._firmware(),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuReport(_Report):
    """The report of a GPU."""

    family: ClassVar[Family] = Family.NVIDIA_GPU

    @property
    def driver(self) -> str:
        """Version of the driver."""
        return self.report.text(_DRIVER)

    @property
    def vbios(self) -> str:
        """Version of the VBIOS, as `96.00.9F.00.01`."""
        content = self.report.opaque.get(_VBIOS, b"")
        if len(content) != 8 or any(content[5:]):  # noqa: PLR2004 - five bytes, padded
            raise refused("format", "the VBIOS version is no version", "report")
        return ".".join(f"{byte:02X}" for byte in (*content[3::-1], content[4]))

    def rim_ids(self) -> tuple[tuple[str, str], ...]:
        """Return the id of each RIM that is needed, and the version it has to state."""
        board = "_".join(self.report.text(n) for n in (_PROJECT, _PROJECT_SKU, _CHIP_SKU))
        bios = f"NV_GPU_VBIOS_{board}_{self.vbios.replace('.', '')}".upper()
        if self.generation == "hopper":
            driver = f"NV_GPU_DRIVER_{self.chip}_{self.driver}"
        else:
            chip = self.report.text(_CHIP_INFO) or self.chip
            driver = f"NV_GPU_CC_DRIVER_{chip}_{self.driver}"
        return (driver, self.driver), (bios, self.vbios)

    def _firmware(self) -> dict[str, str]:
        return {
            "driver": self.driver,
            "vbios": self.vbios,
            "project": self.report.text(_PROJECT),
            "protected_pcie": self.report.opaque.get(_PCIE, b"").hex(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchReport(_Report):
    """The report of an NVSwitch."""

    family: ClassVar[Family] = Family.NVIDIA_SWITCH

    @property
    def bios(self) -> str:
        """Version of the firmware, as `96.10.55.00.01`."""
        return self.report.text(_VBIOS)

    def rim_ids(self) -> tuple[tuple[str, str], ...]:
        """Return the id of the RIM that is needed, and the version it has to state."""
        return ((_SWITCH_RIM + self.bios.replace(".", "").upper(), self.bios),)

    def _firmware(self) -> dict[str, str]:
        return {"bios": self.bios}


def _unframe(content: bytes, most: int) -> tuple[bytes, bytes]:
    size = int.from_bytes(content[:_U64], "little")
    if len(content) < _U64 or size > most or size > len(content) - _U64:
        raise refused("format", "a framed part ends too early, or is too long", "quote")
    return content[_U64 : _U64 + size], content[_U64 + size :]
