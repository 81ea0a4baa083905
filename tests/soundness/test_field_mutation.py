"""Every field of statement, envelope and bundle, replaced one at a time.

By an outsider, who has no key: every replacement is rejected. By the signer, who signs again: what
is not the signer's own word is rejected as well.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import (
    GIVEN,
    NOW,
    OTHER_SIGNER,
    P256_SIGNER,
    SIGNER,
    STRICT,
    X,
    toy_receipt,
    toy_run,
)
from veridical.errors import UndecidedError, VerificationError
from veridical.receipt import Envelope, Predicate, Receipt, Reexecution, Statement, canonical, issue
from veridical.verifier import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.acceptance import RecordCriterion

HONEST = issue(
    toy_run(),
    signer=SIGNER,
    nonce="order-4711",
    reveal=True,
    evidence=Reexecution(trace_root=True),
    issued_at=NOW,
)
OTHER = issue(
    toy_run({"x": X["x"] * 2}),
    signer=OTHER_SIGNER,
    nonce="order-4712",
    private=True,
    reveal=True,
    evidence=Reexecution(trace_root=True),
    issued_at=NOW - 1,
)
# What the statement says on the signer's word alone; spec/v1/receipt.md, section 4.
WORD_OF_THE_SIGNER = {("model", "aliases"), ("sequence",)}


def parsed(encoded: bytes) -> Any:
    return canonical.decode(encoded, max_bytes=10**6, where="test")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, members and whole objects alike."""
    if path:
        yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def replacements(value: Any, other: Any) -> list[Any]:
    """Return values of the right type, and of wrong ones, that differ from the honest one."""
    found: list[Any] = [other, "", 0, 1, [], {}, "x", "sha256:" + "0" * 64, "AAAA"]
    if isinstance(value, int):
        found += [value + 1, value - 1, 2**53 - 1]
    if isinstance(value, str):
        found += [value + "A", value[:-1], value.upper(), value[::-1], value.replace("0", "1", 1)]
        found += [value.replace("sha256:", "sha256-salted:")]
    if isinstance(value, list):
        found += [value * 2, value[1:], [*value, other]]
    return [item for item in found if json.dumps(item) != json.dumps(value)]


def mutants(document: Any, other: Any) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for path in places(document):
        try:
            counterpart = at(other, path)
        except (KeyError, IndexError, TypeError):
            counterpart = "x"
        for value in replacements(at(document, path), counterpart):
            mutant = copy.deepcopy(document)
            at(mutant, path[:-1])[path[-1]] = value
            yield path, mutant
        if isinstance(path[-1], str):
            mutant = copy.deepcopy(document)
            del at(mutant, path[:-1])[path[-1]]
            yield path, mutant


def verdict(untrusted: bytes | Receipt) -> str:
    try:
        verify(untrusted, STRICT, **GIVEN)
    except VerificationError:
        return "rejected"
    except UndecidedError:
        return "undecided"
    return "accepted"


def test_a_field_that_an_outsider_replaces_is_rejected(criterion: RecordCriterion) -> None:
    assert verdict(HONEST) == "accepted"
    count, free = 0, []
    for path, mutant in mutants(parsed(HONEST.to_bytes()), parsed(OTHER.to_bytes())):
        encoded = canonical.encode(mutant)
        if encoded == HONEST.to_bytes():
            continue
        count += 1
        if verdict(encoded) == "accepted":
            free.append(path)
    # Reveals may be stripped, and evidence that nobody names may be added: no meaning changes.
    changed = [path for path in free if path[0] not in {"reveals", "evidence"}]
    criterion(
        "fields of statement, envelope and bundle replaced by an outsider",
        required="0 accepted with another meaning",
        measured=f"{count} mutants, {len(changed)} accepted",
    )
    assert count > 500
    assert not changed
    for path in free:
        assert path in {("reveals",), ("reveals", "input.received"), ("evidence",)}


def test_a_field_of_the_payload_that_an_outsider_replaces_is_rejected(
    criterion: RecordCriterion,
) -> None:
    envelope = HONEST.envelopes[0]
    other = parsed(OTHER.envelopes[0].payload)
    count = accepted = 0
    for _, mutant in mutants(parsed(envelope.payload), other):
        changed = replace(envelope, payload=canonical.encode(mutant))
        if changed == envelope:
            continue
        count += 1
        accepted += verdict(replace(HONEST, envelopes=(changed,))) == "accepted"
    criterion(
        "fields of the signed payload replaced by an outsider",
        required="0 accepted",
        measured=f"{count} mutants, {accepted} accepted",
    )
    assert count > 200
    assert accepted == 0


def test_a_field_of_the_statement_that_its_signer_replaces_is_rejected(
    criterion: RecordCriterion,
) -> None:
    statement, other = HONEST.statement.to_value(), OTHER.statement.to_value()
    count, accepted = 0, []
    for path, mutant in mutants(statement, other):
        try:
            lie = Statement.from_value(mutant)
        except VerificationError:
            continue  # not even the signer can state this
        predicate = Predicate.about(lie, tier="reexecution", issued_at=NOW, evidence=())
        receipt = Receipt(statement=lie, envelopes=(Envelope.sign(predicate, SIGNER),))
        if lie == HONEST.statement:
            continue
        count += 1
        if verdict(receipt) == "accepted":
            accepted.append(path)
    lies = [
        path
        for path in accepted
        if not any(path[: len(word)] == word for word in WORD_OF_THE_SIGNER)
    ]
    criterion(
        "fields of the statement replaced and signed again by the trusted signer",
        required="0 accepted, but the signer's word on aliases and sequence",
        measured=f"{count} lies, {len(accepted) - len(lies)} on the signer's word, "
        f"{len(lies)} others accepted",
    )
    assert count > 40
    assert not lies


@pytest.mark.parametrize("signer", [SIGNER, P256_SIGNER], ids=["ed25519", "p256"])
def test_a_field_of_the_payload_that_its_signer_replaces_is_rejected_or_a_true_statement(
    signer: Any,
) -> None:
    honest = toy_receipt(signer=signer)
    payload = parsed(honest.envelopes[0].payload)
    accepted = set()
    for path, mutant in mutants(payload, parsed(OTHER.envelopes[0].payload)):
        content = canonical.encode(mutant)
        unsigned = Envelope(payload=content, key_id=signer.public_key.key_id, signature=bytes(64))
        envelope = replace(unsigned, signature=signer.sign(unsigned.signed_bytes))
        if verdict(replace(honest, envelopes=(envelope,))) == "accepted":
            accepted.add(path)
    # The time of issue is the signer's word; the policy here asks for no age.
    assert accepted <= {("predicate", "issued_at")}
