"""Envelopes are DSSE around in-toto, as other tools read them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from securesystemslib.dsse import Envelope as DSSEEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer._key import SSlibKey

from tests.toy import NOW, SIGNER, toy_receipt
from veridical.errors import MalformedError
from veridical.receipt import Envelope, Predicate

ENVELOPE = toy_receipt().envelopes[0]


def test_the_signed_bytes_are_those_that_dsse_writes() -> None:
    kind = b"application/vnd.in-toto+json"
    expected = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(ENVELOPE.payload), ENVELOPE.payload)
    assert ENVELOPE.signed_bytes == expected


def test_another_dsse_implementation_verifies_an_envelope() -> None:
    value: Any = json.loads(json.dumps(ENVELOPE.to_value()))
    key = serialization.load_pem_public_key(SIGNER.public_key.to_pem())
    theirs = SSlibKey.from_crypto(key, keyid=SIGNER.public_key.key_id)
    assert DSSEEnvelope.from_dict(value).verify([theirs], threshold=1)
    value = json.loads(json.dumps(ENVELOPE.to_value()))
    value["payloadType"] = "application/json"
    with pytest.raises(VerificationError):
        DSSEEnvelope.from_dict(value).verify([theirs], threshold=1)


def test_the_payload_is_an_in_toto_statement() -> None:
    payload = json.loads(ENVELOPE.payload)
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["predicateType"] == "urn:veridical:inference:v1"
    digest = toy_receipt().statement.output.integers.digest.hex()
    assert payload["subject"] == [{"name": "output", "digest": {"sha256": digest}}]
    assert payload["predicate"]["issued_at"] == NOW


def test_an_envelope_and_its_payload_are_read_back() -> None:
    assert Envelope.from_value(ENVELOPE.to_value(), where="test") == ENVELOPE
    predicate = Predicate.from_bytes(ENVELOPE.payload, where="test")
    assert predicate.to_bytes() == ENVELOPE.payload


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"tier":"reexecution"', b'"tier":""'),
        (b'"issued_at":1796000000', b'"issued_at":-1'),
        (b'"issued_at":1796000000', b'"issued_at":"1796000000"'),
        (b'"critical":[]', b'"critical":[""]'),
        (b'"critical":[]', b'"critical":["a","a"]'),
        (b'"critical":[]', b'"critical":{}'),
        (b'"evidence":[]', b'"evidence":[{}]'),
        (b'"evidence":[]', b'"evidence":""'),
        (b'"name":"output"', b'"name":"input"'),
        (b'"statement":"sha256:', b'"statement":"sha512:'),
        (b'"subject":[{', b'"subject":[],"zzz":[{'),
    ],
)
def test_a_payload_out_of_range_is_refused(old: bytes, new: bytes) -> None:
    assert ENVELOPE.payload.count(old) == 1
    with pytest.raises(MalformedError):
        Predicate.from_bytes(ENVELOPE.payload.replace(old, new), where="test")


def test_one_digest_twice_is_refused() -> None:
    item = b'{"digest":"sha256:' + b"0" * 64 + b'","size":1,"type":"t"}'
    twice = ENVELOPE.payload.replace(b'"evidence":[]', b'"evidence":[' + item + b"," + item + b"]")
    with pytest.raises(MalformedError, match="stands twice"):
        Predicate.from_bytes(twice, where="test")


def test_the_largest_payload_is_read_and_no_larger() -> None:
    limit = 64 * 1024
    largest = replace(ENVELOPE, payload=bytes(limit))
    assert Envelope.from_value(largest.to_value(), where="test") == largest
    with pytest.raises(MalformedError, match="more than 65536 bytes"):
        Envelope.from_value(replace(ENVELOPE, payload=bytes(limit + 1)).to_value(), where="test")
