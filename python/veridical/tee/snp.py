"""AMD SEV-SNP: attestation reports and the chains behind them.

Spec: spec/v1/tee.md, section 3.2; the layout is that of AMD publication 56860, tables 3, 10, 11
and 23. Version 2 does not say which processor made it; its certificate does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from veridical.errors import CollateralError
from veridical.tee.claims import Claims, Family
from veridical.tee.collateral import Collateral, Kind
from veridical.tee.quote import Genuine, Window, refused
from veridical.tee.x509 import UNREADABLE, parse_der, parse_pem_chain, verify_chain, window_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["REPORT_BYTES", "ROOTS", "SnpReport", "subject_of"]

REPORT_BYTES: Final = 0x4A0
SIGNED_BYTES: Final = 0x2A0
#: SHA-256 of the ARK of each generation.
ROOTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "milan": "69d063b45344d26a2e94e1f4210de49ef555308287d4c174445c95639a540bcd",
        "genoa": "4c6598d19c18719c5dfd4a7d335f674e5bfe1d8f800cea2cf270c10d103db2f1",
        "turin": "1f084161a44bb6d93778a904877d4819cafa5d05ef4193b2ded9dd9c73dd3f6a",
    }
)
#: CPUID family and models of each generation, as reports of version 3 and later have them.
_MODELS: Final = {
    "milan": (0x19, frozenset(range(0x10))),
    "genoa": (0x19, frozenset(range(0x10, 0x20)) | frozenset(range(0xA0, 0xB0))),
    "turin": (0x1A, frozenset(range(0x12))),
}
#: Where the components of a TCB version stand, and the extension of the VCEK for each.
_TCB: Final = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
_TCB_TURIN: Final = {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
_OID: Final = "1.3.6.1.4.1.3704.1"
_TCB_OIDS: Final = {"bootloader": 1, "tee": 2, "snp": 3, "microcode": 8, "fmc": 9}
_CHIP_ID_OID: Final = x509.ObjectIdentifier(f"{_OID}.4")
_PRODUCT_OID: Final = x509.ObjectIdentifier(f"{_OID}.2")
_VERSIONS: Final = frozenset({2, 3, 4, 5})
_ECDSA_P384_SHA384: Final = 1
_SCALAR_BYTES: Final = 72
_P384_BYTES: Final = 48
#: Reserved regions of all versions: first byte, end.
_RESERVED: Final = ((0x4C, 0x50), (0x18B, 0x1A0), (0x1EB, 0x1EC), (0x1EF, 0x1F0))
_VCEK, _VLEK, _UNSIGNED = 0, 1, 7
_TURIN_CHIP_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class SnpReport:
    """One attestation report, in the one form of its version."""

    content: bytes = field(repr=False)
    family: Family = Family.SEV_SNP

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a report.

        Raises:
            QuoteError: length, version or a reserved byte is not what the format says.
        """
        if len(untrusted) != REPORT_BYTES:
            raise refused("format", f"a report has {REPORT_BYTES} bytes, not {len(untrusted)}")
        report = cls(bytes(untrusted))
        if report.version not in _VERSIONS:
            raise refused("format", f"version {report.version} is not known", "report, byte 0")
        if report._number(0x34, 4) != _ECDSA_P384_SHA384:
            raise refused("format", "the signature is not ECDSA P-384", "report, byte 0x34")
        report._require_zeros()
        return report

    def _require_zeros(self) -> None:
        regions = [*_RESERVED, (0x188, 0x18B)] if self.version == 2 else [*_RESERVED]  # noqa: PLR2004 - the version without CPUID
        # Mitigation vectors came with version 5.
        regions.append((0x208 if self.version == 5 else 0x1F8, 0x2A0))  # noqa: PLR2004 - as above
        regions += [(0x2A0 + _P384_BYTES, 0x2E8), (0x2E8 + _P384_BYTES, 0x330), (0x330, 0x4A0)]
        for first, end in regions:
            if any(self.content[first:end]):
                raise refused("format", "a reserved byte is set", f"report, from byte {first:#x}")
        if self._number(0x48, 4) >> 5:
            raise refused("format", "a reserved bit is set", "report, byte 0x48")
        if not self._number(0x08, 8) >> 17 & 1:
            raise refused("format", "bit 17 of the policy is always one", "report, byte 0x8")

    def _number(self, offset: int, size: int) -> int:
        return int.from_bytes(self.content[offset : offset + size], "little")

    @property
    def version(self) -> int:
        """The version of the layout."""
        return self._number(0, 4)

    @property
    def chip_id(self) -> bytes:
        """64 bytes; all zero if the platform hides them."""
        return self.content[0x1A0:0x1E0]

    @property
    def signing_key(self) -> int:
        """0 for a key of the chip, 1 for one that a cloud provider loaded."""
        return self._number(0x48, 4) >> 2 & 7

    @property
    def stated_generation(self) -> str | None:
        """The generation by CPUID; None in version 2, which has none."""
        if self.version == 2:  # noqa: PLR2004 - the version without CPUID
            return None
        family, model = self.content[0x188], self.content[0x189]
        for name, (of_family, models) in _MODELS.items():
            if family == of_family and model in models:
                return name
        raise refused("generation", f"CPUID family {family:#x}, model {model:#x} is not known")

    def tcb(self, offset: int, generation: str) -> dict[str, int]:
        """Return the components of the TCB version that stands at an offset."""
        layout = _TCB_TURIN if generation == "turin" else _TCB
        return {name: self.content[offset + place] for name, place in layout.items()}

    def guessed_generation(self) -> str:
        """Return the generation that the report suggests; version 2 looks at the chip id."""
        stated = self.stated_generation
        if stated is not None:
            return stated
        is_short = any(self.chip_id) and not any(self.chip_id[_TURIN_CHIP_ID_BYTES:])
        return "turin" if is_short else "milan"

    def subject(self, generation: str) -> str:
        """Return the subject of the certificate in collateral."""
        width = _TURIN_CHIP_ID_BYTES if generation == "turin" else len(self.chip_id)
        return f"{self.chip_id[:width].hex()}:{self.content[0x180:0x188].hex()}"

    def unverified_claims(self) -> Claims:
        """Return what it says; the generation of version 2 is a guess."""
        return self._claims(self.guessed_generation(), root="", is_simulated=False)

    def verify(self, collateral: Collateral, *, time: int | None) -> Genuine:  # noqa: ARG002 - protocol
        """Check the signature, and that certificate and report are of one chip and firmware."""
        if self.signing_key == _UNSIGNED:
            raise refused("signature", "the report says of itself that it is not signed")
        if self.signing_key != _VCEK:
            raise refused("signature", "keys of cloud providers (VLEK) are not supported")
        candidates = [self.stated_generation] if self.stated_generation else list(ROOTS)
        content = next(
            filter(None, (collateral.find(Kind.AMD_VCEK, self.subject(g)) for g in candidates)),
            None,
        )
        if content is None:
            raise _missing(f"certificate (VCEK) of chip and TCB {self.subject('milan')[:16]}..")
        leaf = parse_der(content, what="VCEK")
        generation = _generation_of(leaf)
        if generation not in candidates:
            raise refused("collateral-platform", f"a certificate of {generation} for another chip")
        chain = collateral.find(Kind.AMD_CHAIN, generation)
        if chain is None:
            raise _missing(f"certificates ASK and ARK of {generation}")
        ask, ark = (
            parse_der(der, what="AMD chain")
            for der in parse_pem_chain(chain, what="AMD chain", count=2)
        )
        root, is_simulated = verify_chain(
            (leaf, ask, ark), roots=(ROOTS[generation],), what="VCEK chain"
        )
        self._require_certificate(leaf, generation)
        self._require_signature(leaf)
        names = ("VCEK", "ASK", "ARK")
        windows = [window_of(c, n) for c, n in zip((leaf, ask, ark), names, strict=True)]
        is_checked = _check_revocation(collateral, generation, ask, ark, windows)
        return Genuine(
            claims=self._claims(generation, root=root, is_simulated=is_simulated),
            windows=tuple(windows),
            is_revocation_checked=is_checked,
        )

    def _require_certificate(self, leaf: x509.Certificate, generation: str) -> None:
        """Check that the certificate is for this chip at this TCB."""
        chip_id = _extension(leaf, _CHIP_ID_OID)
        width = _TURIN_CHIP_ID_BYTES if generation == "turin" else len(self.chip_id)
        if chip_id != self.chip_id[:width] or any(self.chip_id[width:]):
            raise refused("collateral-platform", "the certificate is of another chip", "VCEK")
        for name, value in self.tcb(0x180, generation).items():
            oid = x509.ObjectIdentifier(f"{_OID}.3.{_TCB_OIDS[name]}")
            if _integer(leaf, oid) != value:
                raise refused(
                    "collateral-platform", f"the certificate is for another {name}", "VCEK"
                )

    def _require_signature(self, leaf: x509.Certificate) -> None:
        key = leaf.public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP384R1
        ):
            raise refused("signature", "the key of the VCEK is not on P-384", "VCEK")
        r, s = (self._number(0x2A0 + i * _SCALAR_BYTES, _SCALAR_BYTES) for i in (0, 1))
        try:
            signed = self.content[:SIGNED_BYTES]
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature as error:
            raise refused("signature", "the report is not signed by this VCEK") from error

    def _claims(self, generation: str, *, root: str, is_simulated: bool) -> Claims:
        policy, platform = self._number(0x08, 8), self._number(0x40, 8)
        security = {
            "abi": policy & 0xFFFF,
            "alias_check": platform >> 5 & 1,
            "author_key": self._number(0x48, 4) & 1,
            "chip_key_masked": self._number(0x48, 4) >> 1 & 1,
            "ciphertext_hiding": platform >> 4 & 1,
            "debug": policy >> 19 & 1,
            "guest_svn": self._number(0x04, 4),
            "key": self.signing_key,
            "migration_agent": policy >> 18 & 1,
            "single_socket": policy >> 20 & 1,
            "smt_allowed": policy >> 16 & 1,
            "smt_enabled": platform & 1,
            "version": self.version,
            "vmpl": self._number(0x30, 4),
        }
        places = {"current": 0x38, "reported": 0x180, "committed": 0x1E0, "launch": 0x1F0}
        for place, offset in places.items():
            for name, value in self.tcb(offset, generation).items():
                security[f"{place}.{name}"] = value
        hexed = {
            "author_key_digest": (0x110, 0x140),
            "family_id": (0x10, 0x20),
            "host_data": (0xC0, 0xE0),
            "id_key_digest": (0xE0, 0x110),
            "image_id": (0x20, 0x30),
            "measurement": (0x90, 0xC0),
            "report_id": (0x140, 0x160),
            "report_id_ma": (0x160, 0x180),
        }
        firmware = {
            place: ".".join(str(self.content[offset + 2 - i]) for i in range(3))
            for place, offset in (("current", 0x1E8), ("committed", 0x1EC))
        }
        firmware |= {"platform_info": f"{platform:016x}", "policy": f"{policy:016x}"}
        if self.version == 5:  # noqa: PLR2004 - the version with mitigation vectors
            firmware["launch_mitigations"] = f"{self._number(0x1F8, 8):016x}"
            firmware["current_mitigations"] = f"{self._number(0x200, 8):016x}"
        if self.version > 2:  # noqa: PLR2004 - the version without CPUID
            firmware["cpuid"] = self.content[0x188:0x18B].hex()
        return Claims(
            family=self.family,
            generation=generation,
            root=root,
            is_simulated=is_simulated,
            platform=self.chip_id.hex(),
            bound=self.content[0x50:0x90],
            measurements={n: self.content[a:b].hex() for n, (a, b) in hexed.items()},
            security=security,
            firmware=firmware,
        )


def _missing(what: str) -> CollateralError:
    return CollateralError(f"no {what} in the collateral", check="tee.collateral-missing")


def _extension(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> bytes:
    try:
        value = certificate.extensions.get_extension_for_oid(oid).value
    except (x509.ExtensionNotFound, ValueError) as error:
        raise refused("chain", f"extension {oid.dotted_string} is missing", "VCEK") from error
    if not isinstance(value, x509.UnrecognizedExtension):
        raise refused("chain", f"extension {oid.dotted_string} is another", "VCEK")
    return value.value


def _integer(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> int:
    """Read a DER INTEGER from 0 to 255."""
    content = _extension(certificate, oid)
    number = content[-1]
    expected = b"\x02\x01" + bytes([number]) if number < 0x80 else b"\x02\x02\x00" + bytes([number])  # noqa: PLR2004 - the sign bit of DER
    if content != expected:
        raise refused("chain", f"extension {oid.dotted_string} is no small integer", "VCEK")
    return number


def _generation_of(leaf: x509.Certificate) -> str:
    content = _extension(leaf, _PRODUCT_OID)
    if content[:1] != b"\x16" or content[1] != len(content) - 2:
        raise refused("chain", "the product name is no IA5String", "VCEK")
    name = content[2:].decode("ascii", "replace").partition("-")[0].lower()
    if name not in ROOTS:
        raise refused("generation", f"product {name[:40]!r} is not known", "VCEK")
    return name


def subject_of(leaf: x509.Certificate) -> tuple[str, str]:
    """Return generation and subject of a VCEK, as collateral names it.

    Raises:
        QuoteError: the certificate is no VCEK.
    """
    generation = _generation_of(leaf)
    tcb = bytearray(8)
    for name, place in (_TCB_TURIN if generation == "turin" else _TCB).items():
        tcb[place] = _integer(leaf, x509.ObjectIdentifier(f"{_OID}.3.{_TCB_OIDS[name]}"))
    return generation, f"{_extension(leaf, _CHIP_ID_OID).hex()}:{tcb.hex()}"


def _check_revocation(
    collateral: Collateral,
    generation: str,
    ask: x509.Certificate,
    ark: x509.Certificate,
    windows: list[Window],
) -> bool:
    """Check the ASK against AMD's list, if there is one."""
    content = collateral.find(Kind.AMD_CRL, generation)
    if content is None:
        return False
    try:
        crl = x509.load_der_x509_crl(content)
        is_signed = crl.is_signature_valid(ark.public_key())  # type: ignore[arg-type] # ARKs are RSA, and another kind raises
        is_revoked = crl.get_revoked_certificate_by_serial_number(ask.serial_number) is not None
        until = crl.next_update_utc
        since = crl.last_update_utc
    except UNREADABLE as error:
        raise refused("collateral-platform", f"not a CRL: {error}", "amd-crl") from error
    if not is_signed or crl.issuer != ark.subject:
        raise refused("collateral-platform", "the CRL is not that of this ARK", "amd-crl")
    if is_revoked:
        raise refused("revoked", "the ASK is revoked", "amd-crl")
    end = int(until.timestamp()) if until else int(since.timestamp())
    windows.append(
        Window(what="AMD CRL", not_before=int(since.timestamp()), not_after=end, is_collateral=True)
    )
    return True
