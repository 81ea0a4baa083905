"""Python, Rust and WebAssembly judge the same receipts: forgeries, and 500 that were changed."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import pytest

from attacks.__main__ import names
from attacks.scene import NOW, honest_scene
from attacks.seeded import seeded_scene
from tests.acceptance import RecordCriterion
from tests.agreement import Answer, Judge, ReceiptCase, native, verdict_of, wasm
from tests.page import scenes
from tests.page.scenes import SENTENCES, Held
from veridical.commitment import tensors_to_bytes
from veridical.errors import Error
from veridical.receipt import Receipt, canonical
from veridical.receipt.canonical import decode_base64, encode_base64
from veridical.receipt.envelope import Envelope, Predicate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from veridical.keys import PrivateKey

pytestmark = [pytest.mark.accept, pytest.mark.timeout(3600)]

COUNT: Final = 500
TIERS: Final = ("reexecution", "zk", "zk_by_key", "logged", "seeded")


@pytest.fixture(scope="module")
def judges() -> Iterator[tuple[Judge, Judge]]:
    with native() as first, wasm() as second:
        yield first, second


def case_of(held: Held) -> ReceiptCase:
    """Return what a reader of the page holds, as a case."""
    return ReceiptCase(
        receipt=held.receipt,
        policy=held.policy,
        now=NOW,
        input=None if held.question is None else tensors_to_bytes(held.question),
        output=None if held.answer is None else tensors_to_bytes(held.answer),
        program=held.program,
    )


def disagreements(case: ReceiptCase, judges: tuple[Judge, Judge]) -> tuple[Answer, list[Answer]]:
    """Return Python's answer, and those of the others where verdict or error differ."""
    expected = case.python()
    answers = [judge.answer(case) for judge in judges]
    return expected, [one for one in answers if verdict_of(one) != verdict_of(expected)]


# --- changes


def changed_byte(content: bytes, chance: random.Random) -> bytes:
    """Change, insert, remove or repeat bytes of the file."""
    at = chance.randrange(len(content))
    kind = chance.randrange(4)
    if kind == 0:
        other = content[at] ^ 1 << chance.randrange(8)
        return content[:at] + bytes([other]) + content[at + 1 :]
    if kind == 1:
        return content[:at] + chance.choice((b" ", b"0", b"\\", b'"', b"\xff", b",")) + content[at:]
    if kind == 2:
        return content[:at] + content[at + chance.randrange(1, 9) :]
    return content[: at + 1] + content[at:]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a document."""
    yield path
    if isinstance(value, dict | list):
        members = value.items() if isinstance(value, dict) else enumerate(value)
        for key, member in members:
            yield from places(member, (*path, key))


def parent_of(document: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def changed_text(text: str, chance: random.Random) -> str:
    if not text:
        return "a"
    at = chance.randrange(len(text))
    if chance.random() < 0.6:  # of the same kind, so that it may still be read
        kind = "0123456789abcdef" if text[at] in "0123456789abcdef" else "GHIJKLMNOPQRSTUVWXYZ"
        return text[:at] + chance.choice(kind) + text[at + 1 :]
    other = chance.choice("0123456789abcdefABCDEF+/=:-")
    kinds = (
        text[:at] + other + text[at + 1 :],
        text[:at] + text[at + 1 :],
        text + other,
        text.swapcase(),
        "",
    )
    return chance.choice(kinds)


def changed_field(content: bytes, chance: random.Random) -> bytes:
    """Change one value of the document."""
    document = json.loads(content)
    leaves = [path for path in places(document) if path]
    leaves = [p for p in leaves if not isinstance(parent_of(document, p)[p[-1]], dict | list)]
    path = chance.choice(leaves)
    parent = parent_of(document, path)
    value = parent[path[-1]]
    if isinstance(value, int):
        parent[path[-1]] = chance.choice((value + 1, value - 1, 0, 2**53, -1, str(value)))
    else:
        parent[path[-1]] = changed_text(value, chance)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def changed_structure(content: bytes, chance: random.Random) -> bytes:
    """Remove, add, repeat, exchange or move members and items."""
    document = json.loads(content)
    path = chance.choice([path for path in places(document) if path])
    parent, key = parent_of(document, path), path[-1]
    kind = chance.randrange(5)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[f"{key}x"] = parent[key]
    elif kind == 1:
        parent.insert(0, parent[key])
    elif kind == 2:
        parent[key] = chance.choice(([], {}, "", 0, [parent[key]], {"a": parent[key]}))
    elif kind == 3:
        other = chance.choice([path for path in places(document) if path])
        value = parent_of(document, other)[other[-1]]
        parent[key] = json.loads(json.dumps(value))
    else:
        is_sorted = chance.random() < 0.5
        return json.dumps(document, sort_keys=is_sorted, indent=chance.choice((None, 1))).encode()
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def changed_blob(content: bytes, chance: random.Random) -> bytes:
    """Change a byte of what is carried in base64: evidence, payloads, log proofs."""
    document = json.loads(content)
    found = []
    for path in places(document):
        value = parent_of(document, path)[path[-1]] if path else None
        if isinstance(value, str) and len(value) > 40 and len(value) % 4 == 0:
            try:
                found.append((path, decode_base64(value, where="")))
            except Error:
                continue
    path, blob = chance.choice(found)
    at = chance.randrange(len(blob))
    blob = blob[:at] + bytes([blob[at] ^ 1 << chance.randrange(8)]) + blob[at + 1 :]
    parent_of(document, path)[path[-1]] = encode_base64(blob)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


@cache
def signer() -> PrivateKey:
    return honest_scene().provider


def lied(content: bytes, chance: random.Random) -> bytes:
    """Change the statement, or a blob, and let the trusted key sign: deeper checks are reached."""
    for _ in range(100):
        change = chance.choice((changed_field, changed_structure))
        document = json.loads(content)
        statement = json.loads(change(json.dumps(document["statement"]).encode(), chance))
        document["statement"] = statement
        if chance.random() < 0.3:
            document = json.loads(changed_blob(json.dumps(document).encode(), chance))
        try:
            receipt = Receipt.from_bytes(canonical.encode(document))
            predicate = Predicate.from_bytes(receipt.envelopes[-1].payload, where="payload")
        except Error:
            continue
        blobs = receipt.evidence_by_digest()
        kept = [one for one in predicate.evidence if one.digest in blobs]
        again = replace(
            predicate,
            receipt_id=receipt.receipt_id,
            output_digest=receipt.statement.output.integers.digest.hex(),
            issued_at=chance.choice((NOW, NOW, NOW - 601, NOW + 61)),
            evidence=tuple(kept),
        )
        envelope = Envelope.sign(again, signer())
        return replace(receipt, envelopes=(envelope,)).to_bytes()
    raise AssertionError("no change of the statement is one that parses")


CHANGES: Final = (changed_byte, changed_field, changed_structure, changed_blob, lied, lied, lied)


def lax(policy: str) -> str:
    """Return a policy that asks for signature, log and seed only: then those decide."""
    head, *rules = policy.split("[[rule]]")
    wanted = ("trusted_signers", "require_logged", "require_seed")
    return "[[rule]]".join(
        [head, *(rule for rule in rules if any(name in rule for name in wanted))]
    )


def test_changed_receipts_are_judged_alike(
    judges: tuple[Judge, Judge], tmp_path: Path, criterion: RecordCriterion
) -> None:
    assert seeded_scene().provider is signer()
    genuine = {held.name: case_of(held) for held in scenes.genuine(tmp_path)}
    chance = random.Random("page agreement")  # noqa: S311 - a campaign that can be repeated
    seen: Counter[tuple[str | None, ...]] = Counter()
    wrong: list[str] = []
    same_words = 0
    for name in TIERS:
        expected, others = disagreements(genuine[name], judges)
        assert (expected["verdict"], others) == ("accepted", []), name
    for number in range(COUNT):
        tier = TIERS[number % len(TIERS)]
        change = CHANGES[number // len(TIERS) % len(CHANGES)]
        case = genuine[tier]
        case = replace(case, receipt=change(case.receipt, chance))
        if chance.random() < 0.2:
            case = replace(case, program=None, input=None)
        if chance.random() < 0.5:
            case = replace(case, policy=lax(case.policy), input=None, output=None)
        expected, others = disagreements(case, judges)
        seen[verdict_of(expected)] += 1
        same_words += all(judge.answer(case) == expected for judge in judges[:1])
        if others:
            found = [verdict_of(one) for one in others]
            wrong.append(f"{number} {tier} {change.__name__}: {verdict_of(expected)} {found}")
    criterion(
        f"Python, Rust and WebAssembly on {COUNT} changed receipts",
        required="one verdict, one error",
        measured=f"{len(wrong)} differ; {len(seen)} outcomes; {same_words} alike in every word",
    )
    assert not wrong, "\n".join(wrong)
    assert len(seen) >= 15
    assert {verdict for verdict, *_ in seen} >= {"rejected", "undecided"}


def test_attacks_are_judged_alike(
    judges: tuple[Judge, Judge], tmp_path: Path, criterion: RecordCriterion
) -> None:
    held = [scenes.forged(name) for name in SENTENCES]
    held += [scenes.forged_proof(), scenes.forged_log(tmp_path / "forged")]
    for one in held:
        expected, others = disagreements(case_of(one), judges)
        assert expected["verdict"] == "rejected", one.name
        assert not others, (one.name, verdict_of(expected), others)
    assert set(SENTENCES) <= set(names())
    criterion(
        "Python, Rust and WebAssembly on forgeries",
        required="one verdict, one error",
        measured=f"{len(held)} forgeries alike",
    )
