"""Receipts of ACI (`aci/1`): an attested key set, and a signed log of what happened to a request.

Spec: spec/v1/tee.md, section 11.2.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from veridical.errors import QuoteError
from veridical.tee.appraisal import appraise
from veridical.tee.claims import Finding, Outcome
from veridical.tee.files import read_quote
from veridical.tee.imports.foreign import Document, canonical, unhex
from veridical.tee.imports.signatures import require_ed25519
from veridical.tee.imports.verdict import Imported, Said, compare, finding, joined
from veridical.tee.quote import refused
from veridical.tee.runtime import EventLog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veridical.tee.appraisal import Appraisal
    from veridical.tee.collateral import Collateral
    from veridical.tee.policy import TeePolicy
    from veridical.tee.quote import Quote

__all__ = ["AciAnswer", "statement"]

VERSION: Final = "aci/1"
_MAX_EVENTS: Final = 256
_MAX_KEYS: Final = 64
_DIGEST_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 64
_HASH_PREFIX: Final = "sha256:"


def statement(key_set_digest: str, nonce: bytes | None) -> bytes:
    """Return the bytes whose SHA-256 stands in the quote."""
    value = {
        "keyset_digest": key_set_digest,
        "nonce": None if nonce is None else nonce.hex(),
        "purpose": "aci.report_data.v1",
    }
    return canonical(value, where="statement")


class AciAnswer:
    """A receipt and the report of its signer: read, and nothing in it verified."""

    def __init__(self, report: Document, receipt: Document) -> None:
        for document in (report, receipt):
            if document.text("api_version") != VERSION:
                raise refused("format", f"not version {VERSION}", document.where)
        attestation = report.object("attestation")
        key_set = attestation.object("workload_keyset")
        encoded = canonical(key_set.members, where=key_set.where)
        self.key_set_digest = _HASH_PREFIX + hashlib.sha256(encoded).hexdigest()
        self.claimed = (
            report.text("workload_keyset_digest"),
            receipt.text("workload_keyset_digest"),
        )
        self.not_after = key_set.number("not_after")
        keys = key_set.objects("receipt_signing_keys", most=_MAX_KEYS)
        self.key_id = receipt.text("key_id")
        self.key = next((key for key in keys if key.text("key_id") == self.key_id), None)
        self.signature = unhex(
            receipt.text("signature"), [_SIGNATURE_BYTES], where="receipt.signature"
        )
        unsigned = {name: v for name, v in receipt.members.items() if name != "signature"}
        self.signed = canonical(unsigned, where="receipt")
        self.model = receipt.text("model") if receipt.has("model") else None
        self.served_at = receipt.number("served_at")
        self._read_events(receipt)
        evidence = attestation.object("evidence")
        self.quote = read_quote(evidence.text("quote").encode("utf-8", "surrogatepass"))
        if not self.quote.family.is_processor:
            raise refused("format", "the quote is of no processor", evidence.where)
        self.event_log = None
        if evidence.has("event_log"):
            log = evidence.text("event_log").encode("utf-8", "surrogatepass")
            self.event_log = EventLog.from_dstack(log)

    def _read_events(self, receipt: Document) -> None:
        events = receipt.objects("event_log", most=_MAX_EVENTS)
        kinds = [event.text("type") for event in events]
        once = ("request.received", "response.returned")
        if not kinds or kinds[0] != once[0] or any(kinds.count(kind) != 1 for kind in once):
            message = "a request is received once and first, and a response returned once"
            raise refused("import-events", message, receipt.where)
        self.request = _body_hash(events[kinds.index(once[0])])
        self.response = _body_hash(events[kinds.index(once[1])])
        self.forwarded = [_body_hash(e) for e in events if e.text("type") == "request.forwarded"]
        self.upstream = [e.text("result") for e in events if e.text("type") == "upstream.verified"]

    @property
    def quotes(self) -> tuple[Quote, ...]:
        """The processor's quote."""
        return (self.quote,)

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
        quotes = (appraise(self.quote, policy=policy, collateral=collateral, time=time),)
        findings = [
            *self._signed(time),
            compare("request", request, self.request),
            compare("response", response, self.response),
            *self._forwarding(),
            *self._bound(quotes[0], policy),
            *joined(quotes, policy),
        ]
        said = Said(
            signer=self.key_id,
            request_sha256=self.request,
            response_sha256=self.response,
            model=self.model,
            served_at=self.served_at,
        )
        return Imported(
            service="aci",
            findings=tuple(findings),
            quotes=quotes,
            said=said,
            missing=tuple(self._missing(policy)),
            not_covered=quotes[0].not_covered,
        )

    def _signed(self, time: int | None) -> Iterator[Finding]:
        for claimed in self.claimed:
            detail = "report and receipt name the key set that is shown"
            yield finding("key", detail, holds=claimed == self.key_set_digest)
        if self.key is None:
            yield finding("key", "the signer is not in the key set", holds=False)
            return
        if self.key.text("algo") != "ed25519":
            yield finding("key", "receipts are signed with Ed25519 keys", holds=False)
            return
        public = unhex(self.key.text("public_key"), [_DIGEST_BYTES], where="workload_keyset")
        try:
            require_ed25519(self.signature, self.signed, public)
        except QuoteError as error:
            yield finding("import-signature", str(error), holds=False)
        else:
            yield finding("import-signature", "the signer signed the receipt", holds=True)
        moments = [self.served_at] if time is None else [self.served_at, time]
        holds = all(moment < self.not_after for moment in moments)
        yield finding("key-expired", f"the key set ends at {self.not_after}", holds=holds)

    def _forwarding(self) -> Iterator[Finding]:
        holds = bool(self.forwarded) and set(self.forwarded) == {self.request}
        detail = "the service forwarded the request as it received it"
        yield finding("import-forwarded", detail, holds=holds)
        if self.upstream:
            holds = all(result == "verified" for result in self.upstream)
            yield finding("import-upstream", "the service verified whom it asked", holds=holds)

    def _bound(self, quote: Appraisal, policy: TeePolicy) -> Iterator[Finding]:
        if quote.claims is None:  # not genuine, or undecided: its own findings say so
            return
        expected = hashlib.sha256(statement(self.key_set_digest, policy.nonce)).digest()
        bound = quote.claims.bound
        holds = bound in {expected, expected + bytes(_DIGEST_BYTES)}
        if not holds and policy.nonce is None:
            detail = "the quote holds something else, or a nonce that was not given"
            yield Finding("tee.nonce", Outcome.UNDECIDED, detail)
        else:
            yield finding("binding", "the quote holds key set and nonce", holds=holds)
        if self.event_log is not None:
            try:
                self.event_log.require_replay(quote.claims)
            except QuoteError as error:
                yield finding("event-log", str(error), holds=False)
            else:
                yield finding("event-log", "the events give the quote's registers", holds=True)

    def _missing(self, policy: TeePolicy) -> Iterator[str]:
        yield from ("weights", "trusted-time", "order")
        if self.model is None:
            yield "model"
        if self.upstream or self.forwarded:
            yield "upstream"
        if policy.nonce is None:
            yield "nonce"
        yield "gpu"
        if self.event_log is None:
            yield "event-log"


def _body_hash(event: Document) -> str:
    text = event.text("body_hash")
    digest = unhex(text.removeprefix(_HASH_PREFIX), [_DIGEST_BYTES], where=event.where)
    if text != _HASH_PREFIX + digest.hex():
        raise refused("format", "not sha256: and hexadecimal", event.where)
    return digest.hex()
