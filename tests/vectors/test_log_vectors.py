"""The vectors of the log: each proof accepted, or refused by the check that its case names."""

from __future__ import annotations

import json
import re

import pytest

from tests.repository import ROOT
from tests.vectors.write_log import FOLDER, entries, files
from veridical.errors import VerificationError
from veridical.tlog import LogTrust, NoteKey, SignedCheckpoint, verify_proof

CASES = json.loads((FOLDER / "cases.json").read_text(encoding="utf-8"))
TRUST = LogTrust(
    logs=(NoteKey.from_vkey(CASES["log"]),),
    cosigners=(NoteKey.from_vkey(CASES["cosigner"]),),
    min_cosigners=CASES["min_cosigners"],
)


def test_the_files_are_those_that_are_written() -> None:
    present = {
        str(path.relative_to(FOLDER)): path.read_bytes()
        for path in FOLDER.rglob("*")
        if path.is_file()
    }
    assert present == files()


@pytest.mark.parametrize("leaf", range(3))
def test_valid_proofs_verify(leaf: int) -> None:
    content = (FOLDER / "valid" / f"{leaf}.tlog-proof").read_bytes()
    proof, key, entry = verify_proof(content, TRUST)
    assert (proof.index, key.vkey) == (leaf, CASES["log"])
    assert entry.to_bytes() == entries()[leaf]


@pytest.mark.parametrize("name", CASES["refused"])
def test_broken_proofs_are_refused_by_name(name: str) -> None:
    content = (FOLDER / "invalid" / f"{name}.tlog-proof").read_bytes()
    with pytest.raises(VerificationError) as caught:
        verify_proof(content, TRUST)
    assert caught.value.check == CASES["refused"][name]


def test_the_example_of_the_specification_is_the_vector() -> None:
    text = (ROOT / "spec" / "v1" / "log.md").read_text(encoding="utf-8")
    shown_head, shown_entries = re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL)[:2]
    assert shown_head.encode() == (FOLDER / "example.checkpoint").read_bytes()
    signed = SignedCheckpoint.from_bytes(shown_head.encode())
    assert signed.verify_log(TRUST.logs) == TRUST.logs[0]
    assert len(signed.verify_cosigners(TRUST.cosigners)) == 1
    for shown, entry in zip(shown_entries.splitlines(), entries(), strict=True):
        # Digests are shortened: `sha256:2e...` stands for 64 digits that begin so.
        pattern = re.escape(shown).replace(r"\.\.\.", "[0-9a-f]*")
        assert re.fullmatch(pattern, entry.decode())
