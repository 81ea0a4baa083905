"""Dropping evidence or an envelope never improves a verdict; adding one never worsens it.

Source: the monotonic principle of in-toto. Receipts are put together from honest and broken
envelopes of several signers; policies are arbitrary trees of rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FULL_CAMPAIGN
from tests.toy import (
    NONCE,
    NOW,
    OTHER_SIGNER,
    P256_SIGNER,
    PROGRAM,
    SIGNER,
    X,
    counting_salts,
    toy_run,
)
from veridical.policy import (
    AllOf,
    AnyOf,
    ExpectInput,
    ExpectOutput,
    MaxAge,
    MaxSaturation,
    Nonce,
    Policy,
    RequireTier,
    TrustedModels,
    TrustedSigners,
    UnsafeAcceptAnything,
)
from veridical.receipt import (
    Envelope,
    EvidenceBlob,
    Predicate,
    Receipt,
    Reexecution,
    Reveal,
    issue,
)
from veridical.verifier import explain

pytestmark = pytest.mark.timeout(1800 if FULL_CAMPAIGN else 60)


# The property that the acceptance list names runs in full; what guards it runs a fifth of that.
SHORTER = settings(max_examples=2_000 if FULL_CAMPAIGN else 100)

RUN = toy_run()
SIGNERS = (SIGNER, OTHER_SIGNER, P256_SIGNER)
ROOT_BLOB = RUN.trace.root
BLOBS = (ROOT_BLOB, ROOT_BLOB[::-1], b"short", b"x" * 40)
TRACE = "urn:veridical:evidence:trace-root:v1"

keys = st.lists(st.sampled_from(SIGNERS), min_size=1, max_size=3, unique=True)
leaves: st.SearchStrategy[Policy] = st.one_of(
    keys.map(lambda chosen: TrustedSigners(*(key.public_key for key in chosen))),
    st.sampled_from([PROGRAM.digest, bytes(32)]).map(TrustedModels),
    st.lists(st.sampled_from(["reexecution", "zk", "tee"]), min_size=1, max_size=2).map(
        lambda tiers: RequireTier(*tiers)
    ),
    st.just(ExpectInput()),
    st.just(ExpectOutput()),
    st.sampled_from([NONCE, "other"]).map(Nonce),
    st.sampled_from([0, 50, 500]).map(MaxAge),
    st.just(MaxSaturation(0)),
    st.just(UnsafeAcceptAnything()),
)
policies: st.SearchStrategy[Policy] = st.recursive(
    leaves,
    lambda inner: st.tuples(
        st.sampled_from([AllOf, AnyOf]), st.lists(inner, min_size=1, max_size=4)
    ).map(lambda pair: pair[0](*pair[1])),
    max_leaves=8,
)
# A policy drawn blindly rarely names a signer, and then nothing is ever accepted.
signed_policies = st.tuples(keys, policies).map(
    lambda pair: AllOf(TrustedSigners(*(key.public_key for key in pair[0])), pair[1])
)


@st.composite
def envelopes(draw: st.DrawFn, receipt: Receipt) -> Envelope:
    """Draw an envelope that is honest, or broken in one of many ways."""
    blobs = draw(
        st.one_of(
            st.just([]),
            st.just([EvidenceBlob(TRACE, ROOT_BLOB)]),
            st.lists(
                st.sampled_from(BLOBS).map(lambda blob: EvidenceBlob(TRACE, blob)),
                max_size=2,
                unique_by=lambda blob: blob.content,
            ),
        )
    )
    predicate = Predicate.about(
        receipt.statement,
        tier=draw(st.sampled_from(["reexecution"] * 4 + ["zk", "unknown"])),
        issued_at=draw(st.sampled_from([NOW, NOW - 100, NOW + 1000])),
        evidence=tuple(blob.descriptor for blob in blobs),
    )
    if draw(st.integers(0, 5)) == 0:
        change: dict[str, Any] = draw(
            st.sampled_from(
                [
                    {"receipt_id": "sha256:" + "0" * 64},
                    {"output_digest": "0" * 64},
                    {"critical": ("urn:example:x",)},
                ]
            )
        )
        predicate = replace(predicate, **change)
    envelope = Envelope.sign(predicate, draw(st.sampled_from(SIGNERS)))
    if draw(st.integers(0, 5)) == 0:
        envelope = replace(envelope, signature=envelope.signature[::-1])
    return envelope


@st.composite
def receipts(draw: st.DrawFn) -> Receipt:
    """Draw a receipt with several envelopes, some blobs, and perhaps no reveals."""
    receipt = issue(
        RUN,
        signer=SIGNER,
        nonce=NONCE,
        private=draw(st.booleans()),
        reveal=draw(st.booleans()),
        evidence=Reexecution(trace_root=draw(st.booleans())),
        issued_at=NOW,
        random_bytes=counting_salts(),
    )
    drawn = draw(st.lists(envelopes(receipt), max_size=3))
    kept = receipt.envelopes if draw(st.booleans()) else ()
    blobs = draw(st.lists(st.sampled_from(BLOBS), max_size=3))
    reveals = receipt.reveals
    if draw(st.integers(0, 4)) == 0:
        reveals = {}
    elif draw(st.integers(0, 9)) == 0:
        reveals = {"input.received": Reveal(b"\x00", b"")}
    return replace(
        receipt,
        envelopes=tuple(dict.fromkeys((*kept, *drawn))),
        evidence=tuple(dict.fromkeys((*receipt.evidence, *blobs))),
        reveals=reveals,
    )


callers = st.fixed_dictionaries(
    {"now": st.just(NOW)},
    optional={
        "input": st.sampled_from([X, {"x": X["x"] + 1}]),
        "output": st.sampled_from([RUN.outputs, {"y": RUN.outputs["y"] + 1}]),
        "program": st.just(PROGRAM),
    },
)


@given(receipts(), signed_policies | policies, callers, st.data())
def test_dropping_evidence_or_an_envelope_never_improves_the_verdict(
    receipt: Receipt, policy: Policy, caller: dict[str, Any], data: st.DataObject
) -> None:
    whole = explain(receipt, policy, **caller)
    envelopes_kept = data.draw(st.lists(st.booleans(), min_size=len(receipt.envelopes)))
    evidence_kept = data.draw(st.lists(st.booleans(), min_size=len(receipt.evidence)))
    part = replace(
        receipt,
        envelopes=tuple(
            item for item, keep in zip(receipt.envelopes, envelopes_kept, strict=False) if keep
        ),
        evidence=tuple(
            item for item, keep in zip(receipt.evidence, evidence_kept, strict=False) if keep
        ),
    )
    assert explain(part, policy, **caller).result <= whole.result


@SHORTER
@given(receipts(), signed_policies, callers)
def test_dropping_what_the_caller_gave_never_accepts_what_was_rejected(
    receipt: Receipt, policy: Policy, caller: dict[str, Any]
) -> None:
    # Without the program or the input, re-execution is at best undecided.
    whole = explain(receipt, policy, **caller)
    for name in ("program", "input"):
        less = {key: value for key, value in caller.items() if key != name}
        report = explain(receipt, policy, **less)
        if report.verdict == "accepted":
            assert name == "input"
            assert "input.received" in receipt.reveals
            assert whole.verdict != "undecided"


@SHORTER
@given(receipts(), signed_policies, callers)
def test_verdict_and_error_and_verified_agree(
    receipt: Receipt, policy: Policy, caller: dict[str, Any]
) -> None:
    report = explain(receipt, policy, **caller)
    assert (report.verified is not None) == (report.verdict == "accepted")
    assert (report.error is None) == (report.verdict == "accepted")
    again = explain(receipt.to_bytes(), policy, **caller)
    assert again.to_value() == report.to_value()


def test_the_campaign_reaches_every_verdict() -> None:
    # Guards the properties above: if all drawn receipts were rejected they would hold for nothing.
    seen: set[str] = set()

    @settings(max_examples=100, database=None)
    @given(receipts(), signed_policies, callers)
    def draw(receipt: Receipt, policy: Policy, caller: dict[str, Any]) -> None:
        seen.add(explain(receipt, policy, **caller).verdict)

    draw()
    assert seen == {"accepted", "rejected", "undecided"}
