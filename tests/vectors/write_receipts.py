"""Writes `vectors/receipt/`: receipts that verify, and one file for each defect.

Keys, salts and times are literals: the same bytes come out on every machine, and a test compares.
Run with `python -m tests.vectors.write_receipts`.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import veridical
from tests.repository import ROOT
from tests.toy import NONCE, NOW, OTHER_SIGNER, P256_SIGNER, SIGNER, counting_salts
from tests.unit.keys.test_edwards import NON_CANONICAL, SMALL_ORDER
from tests.unit.keys.test_public import ED25519_HEADER, P256_HEADER, p256_point, pem_of
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.keys.public import P256_ORDER
from veridical.receipt import (
    Envelope,
    EvidenceDescriptor,
    Predicate,
    Receipt,
    Reexecution,
    Reveal,
    Statement,
    canonical,
    issue,
    upgrade,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from veridical.keys import PrivateKey

FOLDER = ROOT / "vectors" / "receipt"
PROGRAM_FILE = ROOT / "vectors" / "program" / "example.vprog"
QUESTION = {"x": np.array([[0.5, -0.25, 1.0], [2.0, 0.125, -3.5]], np.float32)}
POLICY = f"""version = "veridical-policy/v1"

[[rule]]
type = "trusted_signers"
key_files = ["keys/ed25519.pub", "keys/p256.pub"]

[[rule]]
type = "require_tier"
tiers = ["reexecution"]

[[rule]]
type = "expect_input"

[[rule]]
type = "expect_output"

[[rule]]
type = "nonce"
value = "{NONCE}"

[[rule]]
type = "max_age"
seconds = 600
"""

Case = tuple[str, bytes, str, str]


def run_once() -> veridical.Run:
    return veridical.run(veridical.load(PROGRAM_FILE), QUESTION, threads=1)


def make(run: veridical.Run, *, signer: PrivateKey = SIGNER, **options: Any) -> Receipt:
    options = {"nonce": NONCE, "issued_at": NOW, "random_bytes": counting_salts(), **options}
    return issue(run, signer=signer, **options)


def valid_receipts(run: veridical.Run) -> dict[str, Receipt]:
    traced = Reexecution(trace_root=True)
    return {
        "plain": make(run),
        "p256": make(run, signer=P256_SIGNER),
        "private": make(run, private=True),
        "private_revealed": make(run, private=True, reveal=True),
        "revealed": make(run, reveal=True),
        "trace_root": make(run, evidence=traced),
        "upgraded": upgrade(make(run), run, signer=P256_SIGNER, evidence=traced, issued_at=NOW),
        "second_envelope_of_a_stranger": upgrade(
            make(run), run, signer=OTHER_SIGNER, issued_at=NOW
        ),
        "unused_evidence": replace(make(run), evidence=(b"nobody names this blob",)),
    }


def edited(receipt: Receipt, *changes: tuple[str, Any]) -> bytes:
    """Return the bundle with members replaced; the result is canonical, whatever it says."""
    document: Any = canonical.decode(receipt.to_bytes(), max_bytes=10**6, where="vector")
    document = copy.deepcopy(document)
    for path, value in changes:
        *parents, last = path.split("/")
        inner = document
        for name in parents:
            inner = inner[int(name) if isinstance(inner, list) else name]
        if value is None:
            del inner[last]
        else:
            inner[int(last) if isinstance(inner, list) else last] = value
    return canonical.encode(document)


def swapped(receipt: Receipt, old: bytes, new: bytes) -> bytes:
    """Return the bundle with a piece of text replaced once."""
    encoded = receipt.to_bytes()
    assert encoded.count(old) >= 1
    return encoded.replace(old, new, 1)


def signed(statement: Statement, *, signer: PrivateKey = SIGNER, **changes: Any) -> bytes:
    """Sign a payload that lies, with a key that is trusted."""
    predicate = Predicate.about(statement, tier="reexecution", issued_at=NOW, evidence=())
    envelope = Envelope.sign(replace(predicate, **changes), signer)
    return Receipt(statement=statement, envelopes=(envelope,)).to_bytes()


def signed_payload(receipt: Receipt, payload: bytes) -> bytes:
    """Sign arbitrary payload bytes with a key that is trusted."""
    empty = Envelope(payload=payload, key_id=SIGNER.public_key.key_id, signature=bytes(64))
    envelope = replace(empty, signature=SIGNER.sign(empty.signed_bytes))
    return replace(receipt, envelopes=(envelope,)).to_bytes()


def encoding_defects(plain: Receipt) -> Iterator[Case]:
    """Yield bundles that are not canonical JSON."""
    text = plain.to_bytes()
    nonce = f'"request_id":"{NONCE}"'.encode()
    saturated = b'"saturated":0'
    canonical_json: list[tuple[str, bytes, str]] = [
        ("empty", b"", "MalformedError"),
        ("truncated", text[:-1], "MalformedError"),
        ("truncated_in_a_string", text[:100], "MalformedError"),
        ("trailing_newline", text + b"\n", "TrailingBytesError"),
        ("trailing_document", text + text, "TrailingBytesError"),
        ("trailing_nul", text + b"\0", "TrailingBytesError"),
        ("byte_order_mark", b"\xef\xbb\xbf" + text, "MalformedError"),
        ("leading_space", b" " + text, "NonCanonicalError"),
        ("space_after_colon", text.replace(b":", b": ", 1), "NonCanonicalError"),
        ("pretty_printed", json.dumps(json.loads(text), indent=1).encode(), "NonCanonicalError"),
        ("duplicate_key", swapped(plain, nonce, nonce + b"," + nonce), "DuplicateKeyError"),
        (
            "duplicate_key_other_value",
            swapped(plain, nonce, nonce + b',"request_id":"evil"'),
            "DuplicateKeyError",
        ),
        (
            "unsorted_keys",
            text.replace(b'"evidence":[],', b"").replace(b"{", b'{"evidence":[],', 1),
            "NonCanonicalError",
        ),
        ("escaped_character", swapped(plain, b"order", b"\\u006frder"), "NonCanonicalError"),
        ("non_ascii", swapped(plain, b"order", "örder".encode()), "NonCanonicalError"),
        ("control_character", swapped(plain, b"order", b"ord\x07er"), "NonCanonicalError"),
        ("float", swapped(plain, saturated, saturated + b".0"), "NonCanonicalError"),
        ("exponent", swapped(plain, saturated, saturated + b"e0"), "NonCanonicalError"),
        ("leading_zero", swapped(plain, saturated, saturated + b"0"), "NonCanonicalError"),
        ("minus_zero", swapped(plain, saturated, b'"saturated":-0'), "NonCanonicalError"),
        (
            "integer_above_2_53",
            swapped(plain, saturated, b'"saturated":9007199254740992'),
            "NonCanonicalError",
        ),
        ("null", swapped(plain, saturated, b'"saturated":null'), "NonCanonicalError"),
        ("true", swapped(plain, saturated, b'"saturated":true'), "NonCanonicalError"),
        ("nan", swapped(plain, saturated, b'"saturated":NaN'), "NonCanonicalError"),
        ("deep_nesting", b"[" * 1000 + b"]" * 1000, "NestingError"),
        ("too_many_values", b"[" + b"0," * 5000 + b"0]", "OversizeError"),
        ("cbor", b"\xa5ienvelopes\x80", "MalformedError"),
        ("base64_without_padding", edited(plain, ("evidence", ["AA"])), "NonCanonicalError"),
        ("base64_with_unused_bits", edited(plain, ("evidence", ["AB=="])), "NonCanonicalError"),
        ("base64_url_alphabet", edited(plain, ("evidence", ["-_-_"])), "NonCanonicalError"),
    ]
    for name, content, error in canonical_json:
        yield name, content, error, "encoding"


def format_defects(plain: Receipt) -> Iterator[Case]:
    """Yield canonical bundles with wrong members."""
    envelope: Any = plain.envelopes[0].to_value()
    digest = "sha256:" + "0" * 64
    changes: dict[str, tuple[str, Any]] = {
        "no_version": ("version", None),
        "version_2": ("version", "veridical-receipt/v2"),
        "statement_version_2": ("statement/version", "veridical-statement/v2"),
        "unknown_member": ("extra", ""),
        "unknown_member_of_statement": ("statement/tier", "zk"),
        "no_statement": ("statement", None),
        "no_output_count": ("statement/output/count", None),
        "saturated_is_negative": ("statement/input/saturated", -1),
        "saturated_is_text": ("statement/input/saturated", "0"),
        "upper_case_digest": ("statement/model/digest", "sha256:" + "A" * 64),
        "short_digest": ("statement/model/digest", "sha256:" + "a" * 63),
        "unknown_digest_algorithm": ("statement/input/received", "md5:" + "a" * 64),
        "long_request_id": ("statement/request_id", "n" * 257),
        "seed_mode_unknown": ("statement/seed/mode", "vrf"),
        "finish_unknown": ("statement/output/finish", "length"),
        "number_without_stream": ("statement/sequence/number", 1),
        "previous_at_number_0": ("statement/sequence/previous", digest),
        "envelope_twice": ("envelopes", [envelope, envelope]),
        "payload_type_unknown": ("envelopes/0/payloadType", "application/json"),
        "no_signature": ("envelopes/0/signatures", []),
        "two_signatures": ("envelopes/0/signatures", [envelope["signatures"][0]] * 2),
        "signature_too_short": ("envelopes/0/signatures/0/sig", "AAAA"),
        "key_id_too_short": ("envelopes/0/signatures/0/keyid", "00"),
        "payload_too_large": ("envelopes/0/payload", canonical.encode_base64(bytes(65_537))),
        "evidence_twice": ("evidence", ["AAAA", "AAAA"]),
        "evidence_empty": ("evidence", [""]),
        "reveal_of_unknown_field": ("reveals", {"model": {"bytes": "AAAA", "salt": ""}}),
        "reveal_of_nothing": ("reveals", {"input.received": {"bytes": "", "salt": ""}}),
        "salt_too_short": ("reveals", {"input.received": {"bytes": "", "salt": "AAAA"}}),
    }
    for name, change in changes.items():
        yield name, edited(plain, change), "FieldError", "format"


def envelope_defects(run: veridical.Run, plain: Receipt) -> Iterator[Case]:
    """Yield well-formed bundles in which no envelope counts."""
    statement, envelope = plain.statement, plain.envelopes[0]
    other = make(run, nonce="order-4712")
    flipped = bytearray(envelope.signature)
    flipped[0] ^= 1
    for name, broken in {
        "no_envelope": (),
        "unknown_signer": make(run, signer=OTHER_SIGNER).envelopes,
        "key_id_of_another_key": (replace(envelope, key_id="0" * 64),),
    }.items():
        yield name, replace(plain, envelopes=broken).to_bytes(), "SignatureError", "signer"
    p256 = make(run, signer=P256_SIGNER).envelopes[0]
    s = int.from_bytes(p256.signature[32:], "big")
    high = p256.signature[:32] + (P256_ORDER - s).to_bytes(32, "big")
    for name, wrong in {
        "signature_bit_flipped": replace(envelope, signature=bytes(flipped)),
        "signature_zero": replace(envelope, signature=bytes(64)),
        "signature_of_another_payload": replace(envelope, signature=other.envelopes[0].signature),
        "signature_of_the_other_algorithm": replace(envelope, key_id=p256.key_id),
        "p256_high_s": replace(p256, signature=high),
        "payload_changed": replace(envelope, payload=envelope.payload.replace(b"179", b"180")),
    }.items():
        yield name, replace(plain, envelopes=(wrong,)).to_bytes(), "SignatureError", "signature"
    payload = envelope.payload
    for name, content, error in (
        ("payload_is_empty", b"", "MalformedError"),
        ("payload_with_white_space", payload.replace(b":", b": ", 1), "NonCanonicalError"),
        ("payload_with_duplicate_key", payload.replace(b'"tier":', b'"tier":"zk","tier":'),
         "DuplicateKeyError"),
        ("payload_with_trailing_bytes", payload + b" ", "TrailingBytesError"),
        ("payload_of_another_predicate", payload.replace(b"inference:v1", b"inference:v2"),
         "FieldError"),
        ("payload_of_another_statement_type", payload.replace(b"Statement/v1", b"Statement/v0"),
         "FieldError"),
        ("payload_without_tier", payload.replace(b',"tier":"reexecution"', b""), "FieldError"),
        ("payload_without_subject", payload.partition(b'"subject":')[0] + b'"subject":[]}',
         "FieldError"),
        ("payload_with_two_subjects", payload.replace(b'"subject":[', b'"subject":["",'),
         "FieldError"),
        ("payload_with_unsorted_critical", payload.replace(b'"critical":[]',
         b'"critical":["b","a"]'), "FieldError"),
    ):  # fmt: skip
        yield name, signed_payload(plain, content), error, "payload"
    bindings: dict[str, dict[str, Any]] = {
        "statement_of_another_receipt": {"receipt_id": other.receipt_id},
        "subject_of_another_output": {"output_digest": "0" * 64},
    }
    for name, changes in bindings.items():
        yield name, signed(statement, **changes), "StatementMismatchError", "binding"
    swapped_statement = replace(plain, statement=other.statement)
    yield "statement_exchanged", swapped_statement.to_bytes(), "StatementMismatchError", "binding"
    critical = signed(statement, critical=("urn:example:extension",))
    yield "critical_unknown", critical, "EvidenceError", "critical"
    root = make(run, evidence=Reexecution(trace_root=True))
    descriptor = Predicate.from_bytes(root.envelopes[0].payload, where="vector").evidence[0]
    for name, content in {
        "tier_unknown": signed(statement, tier="notary"),
        "evidence_missing": replace(root, evidence=()).to_bytes(),
        "evidence_changed": replace(root, evidence=(root.evidence[0][::-1],)).to_bytes(),
        "evidence_of_another_type": with_evidence(
            root, replace(descriptor, type="urn:veridical:evidence:quote:v1")
        ),
        "evidence_of_another_size": with_evidence(root, replace(descriptor, size=33)),
    }.items():
        yield name, content, "EvidenceError", "evidence"


def with_evidence(receipt: Receipt, descriptor: EvidenceDescriptor) -> bytes:
    envelope = signed(receipt.statement, evidence=(descriptor,))
    return replace(receipt, envelopes=Receipt.from_bytes(envelope).envelopes).to_bytes()


def false_statements(run: veridical.Run, plain: Receipt) -> Iterator[Case]:
    """Yield receipts that a trusted key signed, and that are false or not what was asked for."""

    def lie(path: str, value: Any) -> bytes:
        return signed(Statement.from_value(json.loads(edited(plain, (path, value)))["statement"]))

    other_x = {"x": QUESTION["x"] + np.float32(0.5)}
    integers = {"y": run.integer_outputs["y"] + np.int32(1)}
    for name, field in (("forwarded", "input.forwarded"), ("integers", "input.integers")):
        wrong_x = other_x if name == "forwarded" else {"x": run.encoded.tensors["x"] + np.int32(1)}
        false = str(Commitment.commit(field, tensors_to_bytes(wrong_x)))
        yield f"false_input_{name}", lie(f"statement/input/{name}", false), *RERUN
    yield "false_saturation", lie("statement/input/saturated", 1), *RERUN
    false = str(Commitment.commit("output.integers", tensors_to_bytes(integers)))
    yield "false_output_integers", lie("statement/output/integers", false), *RERUN
    yield "false_output_count", lie("statement/output/count", 5), *RERUN
    forwarded = str(plain.statement.input.forwarded)
    mismatches = {
        "digest_of_another_field": ("statement/input/received", forwarded, "input"),
        "another_model": ("statement/model/digest", "sha256:" + "0" * 64, "model"),
    }
    for name, (path, value, check) in mismatches.items():
        yield name, lie(path, value), "StatementMismatchError", check
    asked = veridical.run(run.program, other_x, threads=1)
    yield "another_question", make(asked).to_bytes(), "StatementMismatchError", "input"
    decoded = str(Commitment.commit("output.decoded", tensors_to_bytes(asked.outputs)))
    another = lie("statement/output/decoded", decoded)
    yield "another_answer", another, "StatementMismatchError", "output"
    wrong = replace(plain, reveals={"input.received": Reveal(tensors_to_bytes(other_x), b"")})
    yield "reveal_of_another_value", wrong.to_bytes(), "StatementMismatchError", "reveals"
    salted = replace(plain, reveals={"input.received": Reveal(b"", bytes(32))})
    yield "salt_for_a_plain_commitment", salted.to_bytes(), "StatementMismatchError", "reveals"
    yield "another_nonce", make(run, nonce="order-4712").to_bytes(), "PolicyError", "policy"
    yield "too_old", make(run, issued_at=NOW - 601).to_bytes(), "PolicyError", "policy"
    yield "from_the_future", make(run, issued_at=NOW + 61).to_bytes(), "PolicyError", "policy"
    private = make(run, private=True).without_reveals()
    yield "private_without_salts", private.to_bytes(), "RevealMissingError", "input"


RERUN = ("ReexecutionError", "tier")


def refused_keys() -> Iterator[tuple[str, bytes, str]]:
    """Yield key files that must not be loaded."""
    for name, encoded in SMALL_ORDER.items():
        yield (
            f"ed25519_{name}",
            pem_of(ED25519_HEADER + bytes.fromhex(encoded)),
            ("SmallOrderKeyError"),
        )
    for name, encoded in NON_CANONICAL.items():
        yield (
            f"ed25519_{name}",
            pem_of(ED25519_HEADER + bytes.fromhex(encoded)),
            ("NonCanonicalKeyError"),
        )
    off_curve = (2).to_bytes(32, "little")
    yield "ed25519_off_the_curve", pem_of(ED25519_HEADER + off_curve), "PointNotOnCurveError"
    point = bytearray(p256_point())
    point[-1] ^= 1
    yield "p256_off_the_curve", pem_of(P256_HEADER + bytes(point)), "PointNotOnCurveError"
    zero = pem_of(P256_HEADER + b"\x04" + bytes(64))
    yield "p256_coordinates_zero", zero, "PointNotOnCurveError"
    pem = SIGNER.public_key.to_pem()
    yield "two_keys_in_one_file", pem + pem, "NonCanonicalKeyError"
    yield (
        "private_key",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ("KeyFormatError"),
    )


def files() -> dict[str, bytes]:
    """Return every file of the folder by its relative path."""
    run = run_once()
    receipts = valid_receipts(run)
    plain = receipts["plain"]
    written: dict[str, bytes] = {"policy.toml": POLICY.encode()}
    cases: dict[str, dict[str, str]] = {}
    for name, key in {"ed25519": SIGNER, "p256": P256_SIGNER}.items():
        written[f"keys/{name}.pub"] = key.public_key.to_pem()
    for name, receipt in receipts.items():
        written[f"valid/{name}.receipt.json"] = receipt.to_bytes()
        cases[f"valid/{name}.receipt.json"] = {"receipt_id": receipt.receipt_id}
    defects: list[Callable[[], Iterator[Case]]] = [
        lambda: encoding_defects(plain),
        lambda: format_defects(plain),
        lambda: envelope_defects(run, plain),
        lambda: false_statements(run, plain),
    ]
    for make_defects in defects:
        for name, content, error, check in make_defects():
            path = f"invalid/{name}.receipt.json"
            assert path not in written, path
            written[path] = content
            cases[path] = {"check": check, "error": error}
    for name, content, error in refused_keys():
        written[f"refused_keys/{name}.pub"] = content
        cases[f"refused_keys/{name}.pub"] = {"error": error}
    written["cases.json"] = (json.dumps(cases, indent=1, sort_keys=True) + "\n").encode()
    given = {
        "input": tensors_to_bytes(run.inputs).hex(),
        "now": NOW,
        "output": tensors_to_bytes(run.outputs).hex(),
        "program": "../program/example.vprog",
    }
    written["given.json"] = (json.dumps(given, indent=1, sort_keys=True) + "\n").encode()
    return written


def main(folder: Path = FOLDER) -> None:
    """Write every file."""
    for name, content in files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
