"""The bundle: what is read back, and every member out of range."""

from __future__ import annotations

import copy
import hashlib
import os
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import NOW, OTHER_SIGNER, SIGNER, toy_receipt, toy_run
from veridical.errors import FieldError, InputError, MalformedError, OversizeError
from veridical.receipt import RECEIPT_MAX_BYTES, Receipt, Reexecution, Reveal, canonical, upgrade

if TYPE_CHECKING:
    from pathlib import Path


def rich_receipt() -> Receipt:
    """Return a receipt that uses every part of the bundle."""
    evidence = Reexecution(trace_root=True)
    receipt = toy_receipt(private=True, reveal=True)
    return upgrade(receipt, toy_run(), signer=OTHER_SIGNER, evidence=evidence, issued_at=NOW + 1)


RECEIPTS = pytest.mark.parametrize(
    "receipt",
    [toy_receipt(), toy_receipt(private=True), toy_receipt(reveal=True), rich_receipt()],
    ids=["plain", "private", "revealed", "rich"],
)


@RECEIPTS
def test_a_receipt_is_read_back(receipt: Receipt, tmp_path: Path) -> None:
    assert Receipt.from_bytes(receipt.to_bytes()) == receipt
    receipt.save(tmp_path / "a.receipt.json")
    assert Receipt.load(tmp_path / "a.receipt.json") == receipt


@RECEIPTS
def test_every_truncation_is_refused(receipt: Receipt) -> None:
    encoded = receipt.to_bytes()
    for length in range(len(encoded)):
        with pytest.raises(MalformedError):
            Receipt.from_bytes(encoded[:length])


def changed(path: str, value: Any) -> bytes:
    """Return the rich receipt with one member replaced."""
    document: Any = canonical.decode(rich_receipt().to_bytes(), max_bytes=10**6, where="test")
    document = copy.deepcopy(document)
    *parents, last = path.split("/")
    inner = document
    for name in parents:
        inner = inner[int(name) if isinstance(inner, list) else name]
    inner[int(last) if isinstance(inner, list) else last] = value
    return canonical.encode(document)


ENVELOPE = rich_receipt().envelopes[0].to_value()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "veridical-receipt/v2"),
        ("envelopes", {}),
        ("envelopes", [""]),
        ("envelopes", [ENVELOPE, ENVELOPE]),
        ("envelopes", [{**ENVELOPE, "payload": f"{i:04}"} for i in range(17)]),
        ("envelopes/0/payload", "e30"),
        ("envelopes/0/payload", "e3="),
        ("envelopes/0/payload", canonical.encode_base64(bytes(70_000))),
        ("envelopes/0/payload", canonical.encode_base64(bytes(200_000))),
        ("envelopes/0/payloadType", "application/json"),
        ("envelopes/0/signatures", []),
        ("envelopes/0/signatures", [{"keyid": "0" * 64, "sig": ""}] * 2),
        ("envelopes/0/signatures/0/keyid", "0" * 63),
        ("envelopes/0/signatures/0/keyid", "A" * 64),
        ("envelopes/0/signatures/0/sig", ""),
        ("envelopes/0/signatures/0/sig", canonical.encode_base64(bytes(63))),
        ("envelopes/0/signatures/0/sig", canonical.encode_base64(bytes(65))),
        ("evidence", ""),
        ("evidence", [1]),
        ("evidence", [""]),
        ("evidence", ["AAAA", "AAAA"]),
        ("evidence", [canonical.encode_base64(bytes([i])) for i in range(65)]),
        ("reveals", []),
        ("reveals", {"input.other": {"bytes": "AAAA", "salt": ""}}),
        ("reveals/input.received", {"bytes": "", "salt": ""}),
        ("reveals/input.received", {"bytes": "AAAA", "salt": "AAAA"}),
        ("reveals/input.received", {"bytes": "AAAA"}),
        ("reveals/input.received", {"bytes": "AAAB=", "salt": ""}),
        ("statement", ""),
        ("statement/version", ""),
    ],
)
def test_a_member_out_of_range_is_refused(path: str, value: Any) -> None:
    with pytest.raises(MalformedError) as caught:
        Receipt.from_bytes(changed(path, value))
    assert caught.value.where is not None


def test_what_is_made_in_python_obeys_the_same_limits() -> None:
    receipt = rich_receipt()
    with pytest.raises(FieldError, match="stands twice"):
        replace(receipt, envelopes=receipt.envelopes * 2)
    with pytest.raises(FieldError, match="stands twice"):
        replace(receipt, evidence=receipt.evidence * 2)
    with pytest.raises(FieldError, match="more than 64"):
        replace(receipt, evidence=tuple(bytes([i]) for i in range(65)))
    with pytest.raises(FieldError, match="no field"):
        replace(receipt, reveals={"output": Reveal(b"x", b"")})


def test_reveals_can_be_stripped_without_changing_the_receipt_id() -> None:
    receipt = rich_receipt()
    stripped = receipt.without_reveals()
    assert stripped.receipt_id == receipt.receipt_id
    assert not stripped.reveals
    assert Receipt.from_bytes(stripped.to_bytes()) == stripped
    for reveal in receipt.reveals.values():
        assert canonical.encode_base64(reveal.salt).encode() not in stripped.to_bytes()


def test_a_parsed_receipt_cannot_be_changed_in_place() -> None:
    receipt: Any = rich_receipt()
    with pytest.raises(TypeError):
        receipt.reveals["input.received"] = Reveal(b"x", b"")
    with pytest.raises(AttributeError):
        receipt.evidence = ()


def test_evidence_is_found_by_digest_alone() -> None:
    receipt = rich_receipt()
    root = toy_run().trace.root
    digest = "sha256:" + hashlib.sha256(root).hexdigest()
    assert receipt.evidence_by_digest() == {digest: root}


def test_a_missing_file_is_the_callers_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the receipt"):
        Receipt.load(tmp_path / "missing.receipt.json")
    with pytest.raises(InputError, match="cannot read the receipt"):
        Receipt.load(tmp_path)


def test_a_pipe_is_read_up_to_the_limit_only(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb") as file:
            try:
                for _ in range(1000):
                    file.write(bytes(2**20))
            except BrokenPipeError:
                return

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(OversizeError, match=str(RECEIPT_MAX_BYTES)):
        Receipt.load(pipe)
    writer.join(10)
    assert not writer.is_alive()


def test_signer_in_the_example_is_the_toy_signer() -> None:
    assert rich_receipt().envelopes[0].key_id == SIGNER.public_key.key_id
