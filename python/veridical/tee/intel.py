"""Intel SGX and TDX: DCAP quotes.

Spec: spec/v1/tee.md, section 3.1. Signatures, chains, revocation and TCB levels are checked by
`dcap-qvl`, always under a policy of its own. It takes quotes in many encodings; the parser here
takes one, so that what the library leaves unchecked (lengths, PEM, the third certificate, what
follows the quote) cannot vary.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Self

import dcap_qvl
from cryptography import x509

from veridical.errors import CollateralError
from veridical.tee.claims import Claims, Family, Tcb
from veridical.tee.collateral import Collateral, Kind
from veridical.tee.quote import Genuine, Window, refused
from veridical.tee.x509 import (
    UNREADABLE,
    fingerprint,
    is_simulator_root,
    parse_der,
    parse_pem_chain,
    window_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ROOT", "IntelQuote"]

#: SHA-256 of the Intel SGX Root CA.
ROOT: Final = "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"

_HEADER: Final = 48
_SGX_BODY, _TD10_BODY, _TD15_BODY = 384, 584, 648
_SGX_TYPE, _TDX_TYPE = 0, 0x81
_ECDSA_P256: Final = 2
_INTEL_VENDOR: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_SIGNATURE, _QE_REPORT = 64, 384
_PCK_CHAIN, _QE_CERTIFICATION = 5, 6
_MAX_QE_AUTH: Final = 1024
#: Type of the body in quotes of version 5, with its size.
_BODIES: Final = {1: (_SGX_BODY, "sgx"), 2: (_TD10_BODY, "tdx-1.0"), 3: (_TD15_BODY, "tdx-1.5")}
_BODY_OF: Final = {_SGX_TYPE: 1, _TDX_TYPE: 2}
#: Name, first byte and length of what a body measures, beyond 64 bytes of report data.
_TD_FIELDS: Final = {
    "mr_seam": (16, 48),
    "mr_signer_seam": (64, 48),
    "mr_td": (136, 48),
    "mr_config_id": (184, 48),
    "mr_owner": (232, 48),
    "mr_owner_config": (280, 48),
    "rtmr0": (328, 48),
    "rtmr1": (376, 48),
    "rtmr2": (424, 48),
    "rtmr3": (472, 48),
}
_SGX_FIELDS: Final = {
    "mr_enclave": (64, 32),
    "mr_signer": (128, 32),
    "config_id": (192, 64),
    "isv_ext_prod_id": (32, 16),
    "isv_family_id": (304, 16),
}
#: Words in the library's messages, with the check that each stands for.
_REASONS: Final = (
    ("fmspc", "collateral-platform"),
    ("pce", "collateral-platform"),
    ("tcb level", "tcb"),
    ("tcb info is invalid", "tcb"),
    ("revoked", "revoked"),
    ("debug", "debug"),
)
_OPTION: Final = {"True": 1, "False": 0}


class _Reader:
    """Reads a quote from the front; a field beyond the end is refused."""

    def __init__(self, content: bytes, offset: int, what: str) -> None:
        self._content, self.offset, self._what = content, offset, what

    def take(self, size: int, name: str) -> bytes:
        end = self.offset + size
        if end > len(self._content):
            raise refused("format", f"ends inside {name}", f"{self._what}, byte {self.offset}")
        taken = self._content[self.offset : end]
        self.offset = end
        return taken

    def number(self, size: int, name: str) -> int:
        return int.from_bytes(self.take(size, name), "little")

    def require(self, size: int, expected: int, name: str) -> None:
        where = self.offset
        found = self.number(size, name)
        if found != expected:
            message = f"{name} is {found}, not {expected}"
            raise refused("format", message, f"{self._what}, byte {where}")


@dataclass(frozen=True, slots=True)
class IntelQuote:
    """One quote of SGX or TDX, without padding."""

    content: bytes = field(repr=False)
    family: Family
    generation: str
    body: bytes = field(repr=False)
    #: PCK certificate, its issuer and the root, as PEM without the zero byte behind it.
    chain: bytes = field(repr=False)

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a quote; zero bytes behind it are padding and taken off.

        Raises:
            QuoteError: a length, a type or a reserved byte is not what the format says.
        """
        reader = _Reader(untrusted, 0, "quote")
        version = reader.number(2, "the version")
        if version not in {3, 4, 5}:
            raise refused("format", f"version {version} is not known", "quote, byte 0")
        reader.require(2, _ECDSA_P256, "the type of the attestation key")
        tee_type = reader.number(4, "the TEE type")
        if tee_type not in _BODY_OF or (version == 3 and tee_type != _SGX_TYPE):  # noqa: PLR2004 - SGX only
            raise refused("format", f"TEE type {tee_type:#x} in version {version}", "quote, byte 4")
        if version > 3:  # noqa: PLR2004 - there were two versions of firmware here
            reader.require(4, 0, "a reserved field")
        else:
            reader.take(4, "versions of QE and PCE")
        if reader.take(16, "the vendor") != _INTEL_VENDOR:
            raise refused("format", "the quoting enclave is not Intel's", "quote, byte 12")
        reader.take(20, "user data")
        kind = reader.number(2, "the type of the body") if version == 5 else _BODY_OF[tee_type]  # noqa: PLR2004 - the version with types
        size, generation = _BODIES.get(kind, (0, ""))
        family = Family.SGX if generation == "sgx" else Family.TDX
        if not generation or (family is Family.SGX) != (tee_type == _SGX_TYPE):
            raise refused("format", f"body type {kind} is not known here", "quote, byte 48")
        if version == 5:  # noqa: PLR2004 - as above
            reader.require(4, size, "the size of the body")
        body = reader.take(size, "the body")
        signature_size = reader.number(4, "the size of the signature data")
        start = reader.offset
        chain = _certification(reader, version)
        if reader.offset != start + signature_size:
            raise refused("format", "the signature data has another size than it says", "quote")
        if any(untrusted[reader.offset :]):
            raise refused("format", "bytes behind the quote", f"quote, byte {reader.offset}")
        return cls(bytes(untrusted[: reader.offset]), family, generation, body, chain)

    def unverified_claims(self) -> Claims:
        """Return what it says."""
        return self._claims(root="", is_simulated=False, options={})

    @property
    def fmspc(self) -> str:
        """The kind of platform, for which the maker publishes TCB levels."""
        try:
            return str(dcap_qvl.parse_quote(self.content).fmspc()).lower()
        except ValueError as error:
            raise refused("chain", f"no FMSPC in the PCK certificate: {error}") from error

    @property
    def subject(self) -> str:
        """The subject of the collateral that is needed."""
        return f"{self.family.value}:{self.fmspc}"

    def verify(self, collateral: Collateral, *, time: int | None) -> Genuine:
        """Check everything but validity at `time`, which the windows tell."""
        ders = parse_pem_chain(self.chain, what="PCK chain", count=3)
        chain = [parse_der(der, what="PCK chain") for der in ders]
        root = fingerprint(chain[-1])
        is_simulated = is_simulator_root(chain[-1])
        if root != ROOT and not is_simulated:
            raise refused("root", f"root {root} is not Intel's", "PCK chain")
        content = collateral.find(Kind.INTEL, self.subject)
        if content is None:
            raise CollateralError(
                f"no TCB info, QE identity and CRLs for {self.subject}",
                check="tee.collateral-missing",
            )
        names = ("PCK certificate", "PCK issuer", "Intel root")
        windows = [window_of(c, name) for c, name in zip(chain, names, strict=True)]
        parsed, its_windows = _parse_collateral(content)
        windows += its_windows
        at = _inside(windows, time)
        verifier = dcap_qvl.QuoteVerifier(ders[-1]) if is_simulated else dcap_qvl.QuoteVerifier()
        policy = dcap_qvl.QuotePolicy.claims_only(at)
        try:
            verified = verifier.verify_with_policy(self.content, parsed, at, policy)
        except ValueError as error:
            raise _named(str(error)) from error
        except BaseException as error:
            # A panic of the library is none of `Exception`; hostile bytes are no way to stop us.
            if type(error).__name__ != "PanicException":
                raise
            raise refused("format", f"the reader of this quote gave up: {error}") from error
        report = json.loads(verified.to_json())
        pck = report["platform"]["pck"]
        options = {
            name: _OPTION[pck[key]]
            for name, key in (
                ("cached_keys", "cached_keys"),
                ("dynamic_platform", "dynamic_platform"),
                ("smt", "smt_enabled"),
            )
            if pck[key] in _OPTION
        }
        self._require_same(report["report"])
        tcb = report["tcb"]
        evaluation = min(tcb["eval_data_number"], report["qe"]["tcb_eval_data_number"])
        return Genuine(
            claims=self._claims(root=root, is_simulated=is_simulated, options=options),
            windows=tuple(windows),
            tcb=Tcb(
                status=tcb["status"],
                advisories=tuple(sorted(tcb["advisory_ids"])),
                evaluation=evaluation,
            ),
            is_revocation_checked=True,
        )

    def _require_same(self, report: dict[str, dict[str, Any]]) -> None:
        """Check that the library has read the fields that are claimed here."""
        (outer,) = report.values()
        theirs = outer.get("base", outer)  # TD report 1.5 holds that of 1.0
        ours = self._claims(root="", is_simulated=False, options={})
        key = "mr_enclave" if self.family is Family.SGX else "mr_td"
        if (theirs[key], theirs["report_data"]) != (ours.measurements[key], ours.bound.hex()):
            raise refused("format", "two readers of this quote disagree about its body")

    def _claims(self, *, root: str, is_simulated: bool, options: dict[str, int]) -> Claims:
        is_sgx = self.family is Family.SGX
        fields = _SGX_FIELDS if is_sgx else _TD_FIELDS
        measurements = {n: self.body[at : at + size].hex() for n, (at, size) in fields.items()}
        pck = _pck(self.chain)
        security = {"pce_svn": pck.pce_svn, "sgx_type": pck.sgx_type, **options}
        firmware = {"fmspc": pck.fmspc.hex(), "pck_cpu_svn": pck.cpu_svn.hex()}
        if is_sgx:
            flags = int.from_bytes(self.body[48:56], "little")
            security |= {
                "debug": flags >> 1 & 1,
                "isv_prod_id": int.from_bytes(self.body[256:258], "little"),
                "isv_svn": int.from_bytes(self.body[258:260], "little"),
                "config_svn": int.from_bytes(self.body[260:262], "little"),
            }
            firmware |= {
                "attributes": self.body[48:64].hex(),
                "cpu_svn": self.body[:16].hex(),
                "misc_select": self.body[16:20].hex(),
            }
            bound = self.body[320:384]
        else:
            attributes = int.from_bytes(self.body[120:128], "little")
            security |= {
                "debug": int(attributes & 0xFF != 0),
                "migratable": attributes >> 29 & 1,
                "sept_ve_disable": attributes >> 28 & 1,
            }
            firmware |= {
                "seam_attributes": self.body[112:120].hex(),
                "td_attributes": self.body[120:128].hex(),
                "tee_tcb_svn": self.body[:16].hex(),
                "xfam": self.body[128:136].hex(),
            }
            if len(self.body) == _TD15_BODY:
                firmware["tee_tcb_svn2"] = self.body[584:600].hex()
                measurements["mr_service_td"] = self.body[600:648].hex()
            bound = self.body[520:584]
        return Claims(
            family=self.family,
            generation=self.generation,
            root=root,
            is_simulated=is_simulated,
            platform=pck.ppid.hex(),
            bound=bound,
            measurements=measurements,
            security=security,
            firmware=firmware,
        )


def _pck(chain: bytes) -> Any:  # noqa: ANN401 - the library publishes no name for its type
    try:
        return dcap_qvl.parse_pck_extension_from_pem(chain)
    except ValueError as error:
        raise refused("chain", f"the PCK certificate has no SGX extension: {error}") from error


def _certification(reader: _Reader, version: int) -> bytes:
    """Read signatures, the QE report and the certificates, which alone are returned."""
    reader.take(_SIGNATURE, "the signature")
    reader.take(_SIGNATURE, "the attestation key")
    outer = None
    if version > 3:  # noqa: PLR2004 - later versions wrap what follows
        reader.require(2, _QE_CERTIFICATION, "the type of the certification data")
        size = reader.number(4, "the size of the certification data")
        outer = reader.offset + size
    reader.take(_QE_REPORT, "the QE report")
    reader.take(_SIGNATURE, "the QE signature")
    auth = reader.number(2, "the size of the QE authentication data")
    if auth > _MAX_QE_AUTH:
        raise refused("format", f"{auth} bytes of QE authentication data", "quote")
    reader.take(auth, "the QE authentication data")
    reader.require(2, _PCK_CHAIN, "the type of the certificates")
    size = reader.number(4, "the size of the certificates")
    chain = reader.take(size, "the certificates")
    if outer is not None and reader.offset != outer:
        raise refused("format", "the certification data has another size than it says", "quote")
    return chain.removesuffix(b"\0")


def _parse_collateral(content: bytes) -> tuple[dcap_qvl.QuoteCollateralV3, list[Window]]:
    """Read collateral, and when each of its parts is valid."""
    try:
        text = content.decode("utf-8")
        parsed = dcap_qvl.QuoteCollateralV3.from_json(text)
        windows = list(_windows(parsed))
    except (*UNREADABLE, KeyError, RecursionError) as error:
        raise refused("collateral-platform", f"not readable: {error}", "intel") from error
    return parsed, windows


def _windows(collateral: dcap_qvl.QuoteCollateralV3) -> Iterator[Window]:
    for name, text in (
        ("TCB info", collateral.tcb_info),
        ("QE identity", collateral.qe_identity),
    ):
        document = json.loads(text)
        first, last = (
            int(datetime.fromisoformat(document[key]).timestamp())
            for key in ("issueDate", "nextUpdate")
        )
        yield Window(what=name, not_before=first, not_after=last, is_collateral=True)
    for name, der in (("root CRL", collateral.root_ca_crl), ("PCK CRL", collateral.pck_crl)):
        crl = x509.load_der_x509_crl(bytes(der))
        until = crl.next_update_utc or crl.last_update_utc
        yield Window(
            what=name,
            not_before=int(crl.last_update_utc.timestamp()),
            not_after=int(until.timestamp()),
            is_collateral=True,
        )
    chains = (
        ("PCK CRL issuer", collateral.pck_crl_issuer_chain),
        ("TCB info issuer", collateral.tcb_info_issuer_chain),
        ("QE identity issuer", collateral.qe_identity_issuer_chain),
    )
    for name, pem in chains:
        for certificate in x509.load_pem_x509_certificates(pem.encode()):
            yield window_of(certificate, name, is_collateral=True)


def _inside(windows: list[Window], time: int | None) -> int:
    """Return the trusted time, or another at which everything is valid.

    Signatures are checked at that time, so that a quote is shown to be genuine, or not, even where
    its collateral is out of date; whether it is, is then judged at the trusted time.
    """
    first = max(window.not_before for window in windows)
    last = min(window.not_after for window in windows)
    if first > last:
        raise CollateralError(
            "the parts of the collateral were never valid together", check="tee.collateral-stale"
        )
    return time if time is not None and first <= time <= last else (first + last) // 2


def _named(message: str) -> Exception:
    """Return the error for what the library says."""
    plain = message.removeprefix("Verification failed: ")
    lowered = plain.lower()
    if "expired" in lowered or "not yet valid" in lowered:
        return CollateralError(plain, check="tee.collateral-stale")
    check = next((check for word, check in _REASONS if word in lowered), "signature")
    return refused(check, plain)
