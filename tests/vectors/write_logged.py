"""Writes `vectors/logged/`: receipts with log proofs, and what check 16 finds in each.

Keys and times are literals: the same bytes come out on every machine, and a test compares.
Run with `python -m tests.vectors.write_logged`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.repository import ROOT
from tests.toy import NONCE, NOW, SIGNER, toy_run
from tests.unit.seeds.scene import KEY, SAMPLER, drawn_receipt, question
from tests.unit.tlog.logs import LOG_KEY, ORIGIN, private_key, signed_head
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.receipt import Parameters, issue
from veridical.seeds import draw, public_bytes
from veridical.tlog import (
    Intent,
    IntentDraft,
    LogProof,
    NoteKey,
    Result,
    parameters_digest,
    sequence_of,
)
from veridical.tlog.checkpoint import cosign
from veridical.tlog.tree import Hashes, inclusion_proof, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from veridical.receipt import Receipt

FOLDER = ROOT / "vectors" / "logged"
WITNESSES = tuple(private_key(10 + number) for number in range(3))
WITNESS_KEYS = tuple(
    NoteKey.of(f"witness.example/w{number + 1}", signer.public_key, role="cosigner")
    for number, signer in enumerate(WITNESSES)
)
MIN_COSIGNERS = 2


@dataclass(frozen=True, kw_only=True)
class Case:
    """One receipt, and what check 16 finds for 2 of the 3 cosigners."""

    name: str
    receipt: Receipt
    #: The step that refuses it; empty if it is accepted.
    refused: str = ""
    #: Cosigners of the best binding, and when each had seen the intent.
    cosigners: tuple[int, ...] = ()
    seen: dict[int, int] = field(default_factory=dict)


def intent_of(**changes: str) -> Intent:
    """Return the intent of the toy run, or one that differs in a member."""
    run = toy_run()
    received = Commitment.commit("input.received", tensors_to_bytes(run.inputs))
    origin = changes.pop("origin", ORIGIN)
    members = {
        "stream": "live",
        "model": "sha256:" + run.program.digest.hex(),
        "input": str(received),
        "parameters": parameters_digest(Parameters()),
        "request_id": NONCE,
    }
    draft = IntentDraft(**{**members, **changes})
    return draft.numbered(0, "", origin=origin, time=NOW)


def proofs(
    entries: list[Any], *leaves: int, by: tuple[int, ...] = (0, 1), at: int = NOW + 2
) -> list[bytes]:
    """Return proofs of leaves under one head, cosigned by some at a time."""
    contents = [one if isinstance(one, bytes) else one.to_bytes() for one in entries]
    source = Hashes([leaf_hash(content) for content in contents])
    head = signed_head(contents)
    lines = [
        cosign(head.note.text, WITNESS_KEYS[one], WITNESSES[one], timestamp=at + one) for one in by
    ]
    return [
        LogProof(
            entry=contents[leaf],
            index=leaf,
            nodes=tuple(inclusion_proof(source, leaf, len(contents))),
            checkpoint=head.with_lines(lines),
        ).to_bytes()
        for leaf in leaves
    ]


def with_proofs(receipt: Receipt, *blobs: bytes) -> Receipt:
    return replace(receipt, evidence=tuple(dict.fromkeys(blobs)))


def issued(intent: Intent) -> Receipt:
    return issue(toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW, sequence=sequence_of(intent))


def seeded(intent_key: str) -> tuple[Intent, Receipt]:
    """Return an intent that names a key, and a receipt whose seed is of the key of the scene."""
    asked = question()
    draft = IntentDraft(
        stream="live",
        model=asked.model,
        input=str(asked.input),
        parameters=parameters_digest(SAMPLER.to_parameters()),
        request_id=NONCE,
        seed="vrf",
        seed_key=intent_key,
    )
    intent = draft.numbered(0, "", origin=ORIGIN, time=NOW)
    receipt, _ = drawn_receipt(draw(KEY, asked), sequence=sequence_of(intent))
    return intent, receipt


def cases() -> Iterator[Case]:
    """Yield every case."""
    intent = intent_of()
    receipt = issued(intent)
    result = Result(intent=0, statement=receipt.receipt_id, time=NOW + 1)
    both, later = [intent, result], [intent, result, intent_of(request_id="another")]
    early = {0: NOW + 2, 1: NOW + 3}
    one_head = with_proofs(receipt, *proofs(both, 0, 1))
    yield Case(name="one_checkpoint", receipt=one_head, cosigners=(0, 1), seen=early)
    yield Case(
        name="two_checkpoints_of_the_same_cosigners",
        receipt=with_proofs(receipt, *proofs([intent], 0), *proofs(both, 1, at=NOW + 60)),
        cosigners=(0, 1),
        seen=early,
    )
    yield Case(
        name="an_early_proof_of_the_intent",
        receipt=with_proofs(receipt, *proofs(later, 0, 1, at=NOW + 60), *proofs([intent], 0)),
        cosigners=(0, 1),
        seen=early,
    )
    yield Case(
        name="an_early_proof_of_another_view",
        receipt=with_proofs(
            receipt, *proofs(later, 0, 1, at=NOW + 60), *proofs([intent], 0, by=(1, 2))
        ),
        cosigners=(0, 1),
        seen={0: NOW + 60, 1: NOW + 61},
    )
    yield Case(
        name="proofs_of_others_beside",
        receipt=with_proofs(
            receipt, *proofs(later, 2), b"c2sp.org/tlog-proof@v1\n", *proofs(both, 0, 1)
        ),
        cosigners=(0, 1),
        seen=early,
    )
    key = public_bytes(KEY.public_key).hex()
    named, drawn = seeded(key)
    closing = Result(intent=0, statement=drawn.receipt_id, time=NOW + 1)
    yield Case(
        name="a_seed_of_the_key_that_was_named",
        receipt=with_proofs(drawn, *proofs([named, closing], 0, 1)),
        cosigners=(0, 1),
        seen=early,
    )
    yield Case(name="no_log_proof", receipt=receipt, refused="log")
    yield Case(
        name="no_intent", receipt=with_proofs(receipt, *proofs(both, 1)), refused="log.binding"
    )
    yield Case(
        name="one_cosigner",
        receipt=with_proofs(receipt, *proofs(both, 0, 1, by=(2,))),
        refused="log.cosignature",
    )
    yield Case(
        name="two_checkpoints_with_one_common_cosigner",
        receipt=with_proofs(receipt, *proofs([intent], 0), *proofs(both, 1, by=(1, 2))),
        refused="log.view",
    )
    swapped = [Result(intent=1, statement=receipt.receipt_id, time=NOW), intent]
    yield Case(
        name="result_before_the_intent",
        receipt=with_proofs(receipt, *proofs(swapped, 0, 1)),
        refused="log.binding",
    )
    for name, changes in (
        ("origin", {"origin": "log.example/other"}),
        ("model", {"model": "sha256:" + "00" * 32}),
        ("input", {"input": "sha256:" + "00" * 32}),
        ("parameters", {"parameters": "sha256:" + "00" * 32}),
        ("request_id", {"request_id": "another"}),
        ("seed", {"seed": "vrf", "seed_key": key}),
    ):
        other = intent_of(**changes)
        of_other = issued(other)
        closing = Result(intent=0, statement=of_other.receipt_id, time=NOW + 1)
        yield Case(
            name=f"intent_of_another_{name}",
            receipt=with_proofs(of_other, *proofs([other, closing], 0, 1)),
            refused="log.binding",
        )
    other, drawn = seeded("0a" * 32)
    closing = Result(intent=0, statement=drawn.receipt_id, time=NOW + 1)
    yield Case(
        name="a_seed_of_another_key_than_was_named",
        receipt=with_proofs(drawn, *proofs([other, closing], 0, 1)),
        refused="log.binding",
    )
    elsewhere = Result(intent=0, statement="sha256:" + "96" * 32, time=NOW + 1)
    yield Case(
        name="result_of_another_receipt",
        receipt=with_proofs(receipt, *proofs([intent, elsewhere], 0, 1)),
        refused="log.binding",
    )
    renumbered = replace(intent, time=NOW + 1)
    yield Case(
        name="intent_of_another_time",
        receipt=with_proofs(receipt, *proofs([renumbered, result], 0, 1)),
        refused="log.binding",
    )


def files() -> dict[str, bytes]:
    """Return every file by its name below the folder."""
    made: dict[str, bytes] = {}
    found: dict[str, Any] = {}
    for case in cases():
        made[f"{case.name}.receipt.json"] = case.receipt.to_bytes()
        found[case.name] = {"refused": case.refused}
        if not case.refused:
            found[case.name] = {
                "cosigners": [WITNESS_KEYS[one].name for one in case.cosigners],
                "seen": {WITNESS_KEYS[one].name: time for one, time in case.seen.items()},
                "intent_time": NOW,
            }
    document = {
        "log": LOG_KEY.vkey,
        "cosigners": [key.vkey for key in WITNESS_KEYS],
        "min_cosigners": MIN_COSIGNERS,
        "cases": found,
    }
    made["cases.json"] = (json.dumps(document, indent=1) + "\n").encode()
    return made


def write(folder: Path) -> None:
    """Write all files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files().items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    write(FOLDER)
