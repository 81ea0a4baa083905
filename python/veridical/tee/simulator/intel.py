"""Simulated quotes of SGX and TDX, with collateral that rates their platform."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from veridical.tee.claims import Family
from veridical.tee.collateral import CollateralItem, Kind
from veridical.tee.evidence import QuoteBlob
from veridical.tee.runtime import EventLog
from veridical.tee.simulator import der
from veridical.tee.simulator.pki import Authority, sign_raw
from veridical.tee.x509 import pem_of

if TYPE_CHECKING:
    from veridical.tee.runtime import Event

__all__ = ["SimulatedIntel"]

_SGX: Final = "1.2.840.113741.1.13.1"
_VENDOR: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_QE_SIGNER: Final = hashlib.sha256(b"veridical simulator: QE signer").digest()
_QE_FLAGS: Final = bytes.fromhex("1500000000000000e700000000000000")
_COMPONENTS: Final = 16
_PCE_SVN: Final = 11
_QE_SVN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedIntel:
    """A machine of Intel's that is none."""

    root: Authority
    family: Family = Family.TDX
    #: A quote of version 5 with a TD report 1.5; TDX only.
    report_1_5: bool = False
    debug: bool = False
    status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    evaluation: int = 20
    fmspc: bytes = bytes.fromhex("5100d0000000")
    code: bytes = b"veridical simulator: code"
    #: What the code measured after its start; TDX only.
    events: tuple[Event, ...] = ()
    issued: datetime = field(default_factory=lambda: datetime.now(tz=UTC).replace(microsecond=0))

    def quote(self, value: bytes) -> tuple[QuoteBlob, tuple[CollateralItem, ...]]:
        """Make a quote that holds a value, and the collateral that it is judged by."""
        platform = self.root.below("simulator PCK Platform CA")
        pck = platform.issue(
            "simulator PCK Certificate", may_issue=False, extensions=[(_SGX, self._extension())]
        )
        attestation = ec.generate_private_key(ec.SECP256R1())
        is_sgx = self.family is Family.SGX
        body = self._sgx_body(value) if is_sgx else self._td_body(value)
        version, tee_type = (3, 0) if is_sgx else (5 if self.report_1_5 else 4, 0x81)
        header = b"".join(
            (
                version.to_bytes(2, "little"),
                (2).to_bytes(2, "little"),
                tee_type.to_bytes(4, "little"),
                bytes(4),
                _VENDOR,
                bytes(20),
            )
        )
        if version == 5:  # noqa: PLR2004 - the version that names its body
            header += (3).to_bytes(2, "little") + len(body).to_bytes(4, "little")
        signed = header + body
        public = attestation.public_key().public_bytes(
            Encoding.X962, PublicFormat.UncompressedPoint
        )[1:]
        signature = sign_raw(attestation, signed, hashes.SHA256(), size=32)
        auth = bytes(range(32))
        qe = self._qe_report(public, auth)
        qe_signature = sign_raw(pck.key, qe, hashes.SHA256(), size=32)
        chain = "".join(pem_of(d) for d in pck.ders).encode() + b"\0"
        certificates = (5).to_bytes(2, "little") + len(chain).to_bytes(4, "little") + chain
        inner = qe + qe_signature + len(auth).to_bytes(2, "little") + auth + certificates
        if not is_sgx:
            inner = (6).to_bytes(2, "little") + len(inner).to_bytes(4, "little") + inner
        data = signature + public + inner
        content = signed + len(data).to_bytes(4, "little") + data
        log = EventLog(self.events).to_bytes() if self.events and not is_sgx else b""
        blob = QuoteBlob(self.family, content, log)
        return blob, (self._collateral(platform),)

    def _extension(self) -> bytes:
        def entry(number: str, content: bytes) -> bytes:
            return der.sequence(der.oid(f"{_SGX}.{number}"), content)

        components = [entry(f"2.{i}", der.integer(2)) for i in range(1, _COMPONENTS + 1)]
        tcb = der.sequence(
            *components,
            entry("2.17", der.integer(_PCE_SVN)),
            entry("2.18", der.octets(b"\x02" * _COMPONENTS)),
        )
        flags = [entry(f"7.{i}", der.boolean(i == 3)) for i in (1, 2, 3)]  # noqa: PLR2004 - SMT
        return der.sequence(
            entry("1", der.octets(hashlib.sha256(self.root.fingerprint.encode()).digest()[:16])),
            entry("2", tcb),
            entry("3", der.octets(bytes(2))),
            entry("4", der.octets(self.fmspc)),
            entry("5", der.enumerated(1)),
            entry("6", der.octets(bytes(16))),
            entry("7", der.sequence(*flags)),
        )

    def _measure(self, what: str, size: int) -> bytes:
        return hashlib.sha512(self.code + what.encode()).digest()[:size]

    def _sgx_body(self, value: bytes) -> bytes:
        body = bytearray(384)
        body[:16] = b"\x02" * 16
        body[48] = 0x05 | self.debug << 1
        body[64:96] = self._measure("mr_enclave", 32)
        body[128:160] = self._measure("mr_signer", 32)
        body[320 : 320 + len(value)] = value
        return bytes(body)

    def _td_body(self, value: bytes) -> bytes:
        body = bytearray(648 if self.report_1_5 else 584)
        body[:16] = bytes([6, 1, 3]) + bytes(13)
        body[120:128] = (1 << 28 | self.debug).to_bytes(8, "little")
        body[136:184] = self._measure("mr_td", 48)
        for register, at in enumerate((328, 376, 424)):
            body[at : at + 48] = self._measure(f"rtmr{register}", 48)
        if self.events:
            for register, content in EventLog(self.events).replay().items():
                body[328 + 48 * register : 376 + 48 * register] = content
        body[520 : 520 + len(value)] = value
        body[584:600] = body[:16] if self.report_1_5 else b""
        return bytes(body)

    def _qe_report(self, public: bytes, auth: bytes) -> bytes:
        report = bytearray(384)
        report[:16] = b"\x02" * 16
        report[48:64] = _QE_FLAGS
        report[128:160] = _QE_SIGNER
        report[256:258] = (2).to_bytes(2, "little")
        report[258:260] = _QE_SVN.to_bytes(2, "little")
        report[320:352] = hashlib.sha256(public + auth).digest()
        return bytes(report)

    def _collateral(self, platform: Authority) -> CollateralItem:
        signer = self.root.issue("simulator TCB Signing", may_issue=False)
        until = self.issued + timedelta(days=30)
        chain = "".join(pem_of(d) for d in signer.ders)
        tcb, identity = self._tcb_info(until), self._identity(until)
        document = {
            "pck_crl_issuer_chain": "".join(pem_of(d) for d in platform.ders),
            "root_ca_crl": self.root.crl(self.issued, until).hex(),
            "pck_crl": platform.crl(self.issued, until).hex(),
            "tcb_info_issuer_chain": chain,
            "tcb_info": tcb,
            "tcb_info_signature": _signed(signer, tcb),
            "qe_identity_issuer_chain": chain,
            "qe_identity": identity,
            "qe_identity_signature": _signed(signer, identity),
        }
        subject = f"{self.family.value}:{self.fmspc.hex()}"
        return CollateralItem(Kind.INTEL, subject, json.dumps(document).encode())

    def _dates(self, until: datetime) -> dict[str, str]:
        form = "%Y-%m-%dT%H:%M:%SZ"
        return {"issueDate": self.issued.strftime(form), "nextUpdate": until.strftime(form)}

    def _tcb_info(self, until: datetime) -> str:
        date = self.issued.strftime("%Y-%m-%dT00:00:00Z")
        svns = [{"svn": 2} for _ in range(_COMPONENTS)]
        tcb: dict[str, object] = {"sgxtcbcomponents": svns, "pcesvn": _PCE_SVN}
        info: dict[str, object] = {
            "id": self.family.value.upper(),
            "version": 3,
            **self._dates(until),
            "fmspc": self.fmspc.hex().upper(),
            "pceId": "0000",
            "tcbType": 0,
            "tcbEvaluationDataNumber": self.evaluation,
        }
        if self.family is Family.TDX:
            module = {
                "mrsigner": "00" * 48,
                "attributes": "0000000000000000",
                "attributesMask": "FFFFFFFFFFFFFFFF",
            }
            tcb["tdxtcbcomponents"] = [{"svn": n} for n in (6, 1, 3, *[0] * 13)]
            level = {"tcb": {"isvsvn": 1}, "tcbDate": date, "tcbStatus": "UpToDate"}
            info["tdxModule"] = module
            info["tdxModuleIdentities"] = [{"id": "TDX_01", **module, "tcbLevels": [level]}]
        level = {"tcb": tcb, "tcbDate": date, "tcbStatus": self.status}
        if self.advisories:
            level["advisoryIDs"] = list(self.advisories)
        info["tcbLevels"] = [level]
        return json.dumps(info, separators=(",", ":"))

    def _identity(self, until: datetime) -> str:
        date = self.issued.strftime("%Y-%m-%dT00:00:00Z")
        identity = {
            "id": "TD_QE" if self.family is Family.TDX else "QE",
            "version": 2,
            **self._dates(until),
            "tcbEvaluationDataNumber": self.evaluation,
            "miscselect": "00000000",
            "miscselectMask": "FFFFFFFF",
            "attributes": "11000000000000000000000000000000",
            "attributesMask": "FBFFFFFFFFFFFFFF0000000000000000",
            "mrsigner": _QE_SIGNER.hex().upper(),
            "isvprodid": 2,
            "tcbLevels": [{"tcb": {"isvsvn": _QE_SVN}, "tcbDate": date, "tcbStatus": "UpToDate"}],
        }
        return json.dumps(identity, separators=(",", ":"))


def _signed(signer: Authority, text: str) -> str:
    return sign_raw(signer.key, text.encode(), hashes.SHA256(), size=32).hex()
