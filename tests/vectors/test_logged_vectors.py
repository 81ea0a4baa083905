"""The vectors of check 16: what the log proofs of each receipt show, or the step that refuses."""

from __future__ import annotations

import json

import pytest

from tests.vectors.write_logged import FOLDER, files
from veridical.errors import VerificationError
from veridical.receipt import Receipt
from veridical.tlog import LogTrust, NoteKey, verify_logged

DOCUMENT = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
TRUST = LogTrust(
    logs=(NoteKey.from_vkey(DOCUMENT["log"]),),
    cosigners=tuple(NoteKey.from_vkey(vkey) for vkey in DOCUMENT["cosigners"]),
    min_cosigners=DOCUMENT["min_cosigners"],
)


def test_the_files_are_those_that_are_written() -> None:
    assert {path.name: path.read_bytes() for path in FOLDER.iterdir()} == files()


@pytest.mark.parametrize("name", DOCUMENT["cases"])
def test_log_proofs_of_a_receipt_show_what_the_vector_says(name: str) -> None:
    expected = DOCUMENT["cases"][name]
    receipt = Receipt.from_bytes((FOLDER / f"{name}.receipt.json").read_bytes())
    if "refused" in expected:
        with pytest.raises(VerificationError) as caught:
            verify_logged(receipt, TRUST)
        assert caught.value.check == expected["refused"]
        return
    best = verify_logged(receipt, TRUST)[0]
    assert [one.key.name for one in best.cosignatures] == expected["cosigners"]
    assert {one.key.name: one.timestamp for one in best.intent_seen} == expected["seen"]
    assert best.intent_time == expected["intent_time"]
