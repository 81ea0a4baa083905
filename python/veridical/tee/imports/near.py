"""Answers signed by NEAR AI and Phala: `/v1/attestation/report` and `/v1/signature/{id}`.

Spec: spec/v1/tee.md, section 11.1. The signature covers two hashes; the key's address stands in a
quote beside the nonce that the report was asked for with.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Final

from veridical.errors import Error, QuoteError
from veridical.tee.appraisal import appraise
from veridical.tee.claims import Claims, Family, Finding, Outcome
from veridical.tee.files import read_quote
from veridical.tee.imports.foreign import Document, read_document, unhex
from veridical.tee.imports.signatures import ADDRESS_BYTES, require_ecdsa, require_ed25519
from veridical.tee.imports.verdict import Imported, Said, compare, finding, joined
from veridical.tee.quote import parse_quote, refused
from veridical.tee.runtime import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veridical.tee.appraisal import Appraisal
    from veridical.tee.collateral import Collateral
    from veridical.tee.policy import TeePolicy
    from veridical.tee.quote import Quote

__all__ = ["NearAnswer"]

_TEXT: Final = re.compile(
    r"(?:(?P<model>.{1,256}):)?(?P<request>[0-9a-f]{64}):(?P<response>[0-9a-f]{64})"
)
_TEXT_MAX: Final = 512
_MAX_ATTESTATIONS: Final = 64
_MAX_GPUS: Final = 16
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 32
_SIGNATURE_BYTES: Final = {"ecdsa": 65, "ed25519": 64}


class NearAnswer:
    """A signature and the attestation of its signer: read, and nothing in it verified."""

    def __init__(self, report: Document, signature: Document) -> None:
        self.text = signature.text("text")
        parts = _TEXT.fullmatch(self.text) if len(self.text) <= _TEXT_MAX else None
        if parts is None:
            message = "the signed text is not [model:]sha256:sha256 in hexadecimal"
            raise refused("format", message, "signature.text")
        self.request, self.response = parts["request"], parts["response"]
        self.model: str | None = parts["model"]
        self.algorithm = _algorithm(signature, "ecdsa")
        size = _SIGNATURE_BYTES[self.algorithm]
        self.signature = unhex(signature.text("signature"), [size], where="signature.signature")
        self.address = _address(signature, self.algorithm)
        attestation = _of_signer(report, self.algorithm, self.address)
        self.quote = _processor(attestation)
        self.event_log = _event_log(attestation)
        self.gpus = tuple(_gpus(attestation))
        self.tls = _optional_hex(attestation, "tls_cert_fingerprint")
        self.nonce = _optional_hex(attestation, "request_nonce")

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """The processor's quote, and those of GPUs."""
        return (self.quote, *self.gpus)

    def judge(
        self,
        *,
        request: bytes | None,
        response: bytes | None,
        policy: TeePolicy,
        collateral: Collateral,
        time: int | None,
    ) -> Imported:
        """Verify everything, and say what is open; what is wrong is in the findings."""
        quotes = tuple(
            appraise(quote, policy=policy, collateral=collateral, time=time)
            for quote in self.quotes
        )
        findings = [
            self._signed(),
            compare("request", request, self.request),
            compare("response", response, self.response),
            *self._bound(quotes, policy),
            *joined(quotes, policy),
        ]
        said = Said(
            signer=("0x" if self.algorithm == "ecdsa" else "") + self.address.hex(),
            request_sha256=self.request,
            response_sha256=self.response,
            model=self.model,
        )
        return Imported(
            service="near",
            findings=tuple(findings),
            quotes=quotes,
            said=said,
            missing=tuple(self._missing(policy)),
            not_covered=tuple(dict.fromkeys(line for q in quotes for line in q.not_covered)),
        )

    def _signed(self) -> Finding:
        text = self.text.encode("utf-8", "surrogatepass")
        require = require_ecdsa if self.algorithm == "ecdsa" else require_ed25519
        try:
            require(self.signature, text, self.address)
        except QuoteError as error:
            return finding("import-signature", str(error), holds=False)
        return finding("import-signature", "the signer signed both hashes", holds=True)

    def _bound(self, quotes: tuple[Appraisal, ...], policy: TeePolicy) -> Iterator[Finding]:
        claims = quotes[0].claims
        if claims is None:  # not genuine, or undecided: its own findings say so
            return
        first = self.address.ljust(_KEY_BYTES, b"\0")
        if self.tls is not None:
            first = hashlib.sha256(self.address + self.tls).digest()
        nonce = claims.bound[_KEY_BYTES:]
        holds = claims.bound[:_KEY_BYTES] == first and len(nonce) == _NONCE_BYTES
        yield finding("binding", "the quote holds the address of the signer", holds=holds)
        for known, whose in ((policy.nonce, "was sent"), (self.nonce, "the report names")):
            if known is not None:
                detail = f"the quote is bound to the nonce that {whose}"
                yield finding("nonce", detail, holds=nonce == known)
        for gpu in quotes[1:]:
            if gpu.claims is not None:
                detail = "the report of the GPU holds the nonce of the quote"
                yield finding("gpu-nonce", detail, holds=gpu.claims.bound == nonce)
        if self.event_log is not None:
            yield _replayed(self.event_log, claims)

    def _missing(self, policy: TeePolicy) -> Iterator[str]:
        yield from ("weights", "time", "order", "request-hash")
        if self.model is None:
            yield "model"
        if policy.nonce is None:
            yield "nonce"
        if not self.gpus:
            yield "gpu"
        if self.event_log is None:
            yield "event-log"


def _algorithm(document: Document, default: str) -> str:
    name = document.text("signing_algo").lower() if document.has("signing_algo") else default
    if name not in _SIGNATURE_BYTES:
        raise refused("format", f"signing algorithm {name[:40]!r} is not known", document.where)
    return name


def _address(document: Document, algorithm: str) -> bytes:
    size = ADDRESS_BYTES if algorithm == "ecdsa" else _KEY_BYTES
    where = f"{document.where}.signing_address"
    return unhex(document.text("signing_address"), [size], where=where)


def _of_signer(report: Document, algorithm: str, address: bytes) -> Document:
    """Find the attestation of a signer: first the report itself, then the lists in it."""
    candidates = [report] if report.has("intel_quote") else []
    for name in ("model_attestations", "all_attestations"):
        candidates += report.objects(name, most=_MAX_ATTESTATIONS)
    if report.has("gateway_attestation"):
        candidates.append(report.object("gateway_attestation"))
    for one in candidates:
        is_same = one.has("signing_address") and _algorithm(one, "ecdsa") == algorithm
        if is_same and _address(one, algorithm) == address:
            return one
    message = f"none of {len(candidates)} attestations is of signer {address.hex()}"
    raise refused("import-signer", message, "report")


def _processor(attestation: Document) -> Quote:
    text = attestation.text("intel_quote").removeprefix("0x")
    try:
        content = bytes.fromhex(text)
    except ValueError as error:
        raise refused("format", "the quote is not hexadecimal", attestation.where) from error
    return parse_quote(Family.TDX, content)


def _event_log(attestation: Document) -> EventLog | None:
    value = attestation.members.get("event_log")
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return EventLog.from_dstack(text.encode("utf-8", "surrogatepass"))


def _gpus(attestation: Document) -> Iterator[Quote]:
    value = attestation.members.get("nvidia_payload")
    if value is None:
        return
    where = f"{attestation.where}.nvidia_payload"
    payload = (
        read_document(value, where=where)
        if isinstance(value, str)
        else Document(value, where=where)
    )
    for one in payload.objects("evidence_list", most=_MAX_GPUS):
        members = {name: one.text(name) for name in ("certificate", "evidence")}
        quote = read_quote(json.dumps(members).encode("utf-8", "surrogatepass"))
        if quote.family.is_processor:
            raise refused("format", "a quote of a processor among those of GPUs", one.where)
        yield quote


def _optional_hex(attestation: Document, name: str) -> bytes | None:
    if not attestation.has(name):
        return None
    return unhex(attestation.text(name), [_NONCE_BYTES], where=f"{attestation.where}.{name}")


def _replayed(log: EventLog, claims: Claims) -> Finding:
    try:
        log.require_replay(claims)
    except Error as error:
        return Finding("tee.event-log", Outcome.REJECTED, str(error))
    return Finding("tee.event-log", Outcome.ACCEPTED, "the events give the registers of the quote")
