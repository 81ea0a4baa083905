"""Nothing but a named error leaves the verifier, whatever the bytes are."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import FULL_CAMPAIGN
from tests.toy import GIVEN, NOW, P256_SIGNER, SIGNER, STRICT, toy_receipt, toy_run
from veridical.commitment import Commitment
from veridical.errors import MalformedError, VerificationError
from veridical.receipt import (
    Envelope,
    Predicate,
    Receipt,
    Reexecution,
    Reveal,
    Statement,
    canonical,
    upgrade,
)
from veridical.receipt.canonical import MAX_INTEGER
from veridical.verifier import explain, verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.receipt.canonical import Value
    from veridical.verifier.checks import Check

pytestmark = pytest.mark.timeout(1800 if FULL_CAMPAIGN else 60)


RICH = upgrade(
    toy_receipt(private=True, reveal=True),
    toy_run(),
    signer=P256_SIGNER,
    evidence=Reexecution(trace_root=True),
    issued_at=NOW,
)
HONEST: Any = canonical.decode(RICH.to_bytes(), max_bytes=10**6, where="test")
PAYLOAD: Any = canonical.decode(RICH.envelopes[1].payload, max_bytes=10**6, where="test")

texts = st.text(st.sampled_from("abAB01:/=+ sha256-{}[],"), max_size=90)
odd_values: st.SearchStrategy[Value] = st.one_of(
    texts,
    st.integers(-MAX_INTEGER, MAX_INTEGER),
    st.just([]),
    st.just({}),
    st.lists(texts, max_size=3),
    st.dictionaries(texts, st.integers(0, 9), max_size=3),
    st.sampled_from(["sha256:" + "0" * 64, "sha256-salted:" + "f" * 64, "AAAA", "0" * 64]),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a document."""
    found = [path]
    if isinstance(value, dict):
        found += [inner for key in value for inner in paths(value[key], (*path, key))]
    elif isinstance(value, list):
        found += [inner for i, item in enumerate(value) for inner in paths(item, (*path, i))]
    return found


def changed(document: Any, path: tuple[Any, ...], value: Value) -> Any:
    if not path:
        return value
    document = copy.deepcopy(document)
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    if isinstance(inner, dict) and not isinstance(path[-1], str):
        raise TypeError("no document has a member without a name")
    inner[path[-1]] = value
    return document


def results(checks: Iterable[Check]) -> list[tuple[object, ...]]:
    """Return what checks say; two errors of one kind and message are not the same object."""
    return [
        (check.number, check.status, check.detail, check.envelope, type(check.error))
        for check in checks
    ]


def judge(untrusted: bytes) -> None:
    """Fail if anything but a verdict comes back, or if the three entries disagree."""
    report = explain(untrusted, STRICT, **GIVEN)
    if report.error is None:
        assert results(verify(untrusted, STRICT, **GIVEN).checks) == results(report.checks)
    else:
        with pytest.raises(type(report.error)):
            verify(untrusted, STRICT, **GIVEN)
    try:
        receipt = Receipt.from_bytes(untrusted)
    except MalformedError:
        assert report.verdict == "rejected"
    else:
        assert receipt.to_bytes() == untrusted


@given(st.binary(max_size=300))
def test_arbitrary_bytes(untrusted: bytes) -> None:
    judge(untrusted)


@given(st.lists(st.tuples(st.sampled_from(paths(HONEST)), odd_values), min_size=1, max_size=3))
def test_documents_with_odd_members(changes: list[tuple[tuple[Any, ...], Value]]) -> None:
    document = HONEST
    for path, value in changes:
        try:
            document = changed(document, path, value)
        except (KeyError, IndexError, TypeError):  # an earlier change removed the place
            continue
    judge(canonical.encode(document))


@given(st.sampled_from(paths(PAYLOAD)), odd_values, st.sampled_from([SIGNER, P256_SIGNER]))
def test_odd_payloads_that_a_trusted_key_signed(
    path: tuple[Any, ...], value: Value, signer: Any
) -> None:
    payload = canonical.encode(changed(PAYLOAD, path, value))
    unsigned = Envelope(payload=payload, key_id=signer.public_key.key_id, signature=bytes(64))
    envelope = Envelope(
        payload=payload,
        key_id=signer.public_key.key_id,
        signature=signer.sign(unsigned.signed_bytes),
    )
    receipt = Receipt(statement=RICH.statement, envelopes=(envelope,), evidence=RICH.evidence)
    judge(receipt.to_bytes())


@given(st.binary(max_size=200))
def test_arbitrary_payloads_that_a_trusted_key_signed(payload: bytes) -> None:
    unsigned = Envelope(payload=payload, key_id=SIGNER.public_key.key_id, signature=bytes(64))
    signature = SIGNER.sign(unsigned.signed_bytes)
    envelope = Envelope(payload=payload, key_id=unsigned.key_id, signature=signature)
    receipt = Receipt(statement=RICH.statement, envelopes=(envelope,))
    with pytest.raises(VerificationError) as caught:
        verify(receipt, STRICT, **GIVEN)
    assert isinstance(caught.value, MalformedError)


@given(st.data())
def test_bytes_spliced_from_an_honest_receipt(data: st.DataObject) -> None:
    honest = RICH.to_bytes()
    pieces = []
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(honest)))
        pieces.append(honest[start : data.draw(st.integers(start, len(honest)))])
    judge(b"".join(pieces))


@settings(max_examples=2_000 if FULL_CAMPAIGN else 100)
@given(st.binary(min_size=1, max_size=120))
def test_hostile_reveals_under_an_honest_commitment(content: bytes) -> None:
    # The signer committed to garbage, and reveals it faithfully: it must reach no parser unnamed.
    commitment = str(Commitment.commit("input.received", content))
    value = changed(RICH.statement.to_value(), ("input", "received"), commitment)
    statement = Statement.from_value(value)
    predicate = Predicate.about(statement, tier="reexecution", issued_at=NOW, evidence=())
    receipt = Receipt(
        statement=statement,
        envelopes=(Envelope.sign(predicate, SIGNER),),
        reveals={"input.received": Reveal(content, b"")},
    )
    judge(receipt.to_bytes())
    judge(replace(receipt, reveals={}).to_bytes())
