"""Receipts checked a second time, from the specification alone.

Nothing of `veridical.receipt`, `policy` or `verifier` is used: the standard JSON parser, hashes and
signatures as spec/v1/receipt.md writes them, and the NumPy implementation of programs. It agrees
with the verifier on every valid vector and on every false statement that a trusted key signed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import numpy as np
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

from tests.repository import ROOT
from veridical import reference

FOLDER = ROOT / "vectors" / "receipt"
CASES: dict[str, dict[str, str]] = json.loads((FOLDER / "cases.json").read_text())
GIVEN = json.loads((FOLDER / "given.json").read_text())
KEYS = [(FOLDER / "keys" / f"{name}.pub").read_bytes() for name in ("ed25519", "p256")]
PROGRAM = reference.load((FOLDER / GIVEN["program"]).read_bytes())
CODES = {"<f4": "f32", "<f8": "f64", "<i4": "i32"}


def frame(content: bytes) -> bytes:
    return len(content).to_bytes(8, "little") + content


def tensor_bytes(tensors: dict[str, Any]) -> bytes:
    """Section 3: canonical tensor bytes."""
    parts = frame(b"veridical.tensors.v1") + len(tensors).to_bytes(8, "little")
    for name in sorted(tensors):
        array = np.asarray(tensors[name])
        shape = b"".join(size.to_bytes(8, "little") for size in array.shape)
        code = CODES[array.dtype.newbyteorder("<").str]
        parts += frame(name.encode()) + frame(code.encode()) + frame(shape)
        parts += frame(array.astype(array.dtype.newbyteorder("<")).tobytes("C"))
    return parts


def commitment(field: str, content: bytes, salt: bytes) -> str:
    """Section 3: plain or salted."""
    form, prefix = (b"salted", "sha256-salted:") if salt else (b"plain", "sha256:")
    parts = [b"veridical.commitment.v1", field.encode(), form, salt, content]
    return prefix + hashlib.sha256(b"".join(map(frame, parts))).hexdigest()


def is_signed(envelope: dict[str, Any]) -> bool:
    """Section 5, items 1 and 2."""
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    message = b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
    (entry,) = envelope["signatures"]
    signature = base64.b64decode(entry["sig"])
    for pem in KEYS:
        key = serialization.load_pem_public_key(pem)
        encoded = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        if hashlib.sha256(encoded).hexdigest() != entry["keyid"]:
            continue
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, message)
            elif isinstance(key, ec.EllipticCurvePublicKey):
                r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:]))
                key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
        except InvalidSignature:
            return False
        return True
    return False


def problems(content: bytes) -> set[str]:
    """Return the names of the checks that fail, as far as they are about hashes and integers."""
    bundle = json.loads(content)
    statement = bundle["statement"]
    encoded = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
    digest = hashlib.sha256(frame(b"veridical.statement.v1") + frame(encoded)).hexdigest()
    receipt_id = f"sha256:{digest}"
    salts = {name: base64.b64decode(r["salt"]) for name, r in bundle["reveals"].items()}
    failed = set()

    def compare(check: str, field: str, content: bytes) -> None:
        part, name = field.split(".")
        if statement[part][name] != commitment(field, content, salts.get(field, b"")):
            failed.add(check)

    counted = [envelope for envelope in bundle["envelopes"] if is_signed(envelope)]
    if not counted:
        failed.add("signature")
    for envelope in counted:
        payload = json.loads(base64.b64decode(envelope["payload"]))
        subject = payload["subject"][0]["digest"]["sha256"]
        if payload["predicate"]["statement"] != receipt_id:
            failed.add("binding")
        if subject != statement["output"]["integers"].rpartition(":")[2]:
            failed.add("binding")
        for item in payload["predicate"]["evidence"]:
            blobs = [base64.b64decode(blob) for blob in bundle["evidence"]]
            found = [
                b for b in blobs if "sha256:" + hashlib.sha256(b).hexdigest() == item["digest"]
            ]
            if [len(b) for b in found] != [item["size"]]:
                failed.add("evidence")
    if statement["model"]["digest"] != PROGRAM.digest:
        failed.add("model")
    question, answer = bytes.fromhex(GIVEN["input"]), bytes.fromhex(GIVEN["output"])
    compare("input", "input.received", question)
    compare("output", "output.decoded", answer)
    inputs = {"x": np.frombuffer(question[-24:], "<f4").reshape(2, 3)}
    assert tensor_bytes(inputs) == question
    compare("tier", "input.forwarded", question)
    integers = PROGRAM.encode(inputs)
    compare("tier", "input.integers", tensor_bytes(dict(integers.values)))
    outputs = dict(PROGRAM.run(integers.values).outputs)
    compare("tier", "output.integers", tensor_bytes(outputs))
    compare("tier", "output.decoded", tensor_bytes(PROGRAM.decode(outputs)))
    if statement["input"]["saturated"] != integers.saturation_count:
        failed.add("tier")
    if statement["output"]["count"] != sum(array.size for array in outputs.values()):
        failed.add("tier")
    return failed


def names(kind: str, *checks: str) -> list[str]:
    return sorted(
        name
        for name, case in CASES.items()
        if name.startswith(kind) and (not checks or case["check"] in checks)
    )


@pytest.mark.parametrize("name", names("valid/"))
def test_valid_receipts_hold_by_the_book(name: str) -> None:
    assert problems((FOLDER / name).read_bytes()) == set()


@pytest.mark.parametrize(
    "name", names("invalid/", "signature", "binding", "model", "input", "output", "tier")
)
def test_false_receipts_fail_by_the_book(name: str) -> None:
    check = CASES[name]["check"]
    failed = problems((FOLDER / name).read_bytes())
    if name.endswith("p256_high_s.receipt.json"):
        assert failed == set()  # ECDSA itself takes it: the one encoding is a rule of ours
    else:
        assert check in failed


def test_receipt_ids_are_those_of_the_book() -> None:
    for name in names("valid/"):
        statement = json.loads((FOLDER / name).read_bytes())["statement"]
        encoded = json.dumps(statement, separators=(",", ":"), sort_keys=True).encode()
        digest = hashlib.sha256(frame(b"veridical.statement.v1") + frame(encoded)).hexdigest()
        assert CASES[name]["receipt_id"] == f"sha256:{digest}"
