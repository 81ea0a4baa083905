"""A log extract holds the whole tree, and only one that leads to its checkpoint."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from tests.unit.tlog.logs import LOG_SIGNER, ORIGIN, draft, grow
from veridical.cli.app import run
from veridical.errors import Error, InputError
from veridical.tlog import Log, Writer
from veridical.tlog import extract as module
from veridical.tlog.checkpoint import SignedCheckpoint
from veridical.tlog.extract import extract
from veridical.tlog.tree import Hashes, leaf_hash, tree_root

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    # More than one tile.
    grow(Writer.create(folder, origin=ORIGIN, signer=LOG_SIGNER), [draft() for _ in range(300)])
    return folder


def test_the_tree_of_an_extract_is_the_signed_one(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "log.extract.json"
    assert run(["log", "extract", str(folder), "-o", str(out)]) == 0
    value = json.loads(out.read_bytes())
    entries = [base64.b64decode(entry) for entry in value["entries"]]
    signed = SignedCheckpoint.from_bytes(base64.b64decode(value["checkpoint"]))
    signed.verify_log([Log.open(folder).key])
    assert len(entries) == signed.size == 300
    assert tree_root(Hashes([leaf_hash(entry) for entry in entries]), 300) == signed.root


def test_a_damaged_log_gives_no_extract(folder: Path) -> None:
    bundle = next((folder / "tile" / "entries").glob("000"))
    content = bundle.read_bytes()
    bundle.write_bytes(content[:-2] + bytes([content[-2] ^ 1]) + content[-1:])
    with pytest.raises(Error):
        extract(Log.open(folder))


def test_a_log_that_is_too_large_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXTRACT_MAX_ENTRIES", 299)
    with pytest.raises(InputError, match="300 entries"):
        extract(Log.open(folder))
