"""Writes `vectors/log/`: the log of the specification's example, its proofs, and broken ones.

Keys and times are literals: the same bytes come out on every machine, and a test compares.
Run with `python -m tests.vectors.write_log`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.repository import ROOT
from tests.unit.tlog.logs import LOG_KEY, LOG_SIGNER, NOW, ORIGIN, private_key, signed_head
from veridical.tlog import IntentDraft, LogProof, NoteKey, Result, SignedCheckpoint
from veridical.tlog.checkpoint import cosign
from veridical.tlog.tree import Hashes, inclusion_proof, leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = ROOT / "vectors" / "log"
WITNESS = private_key(10)
WITNESS_KEY = NoteKey.of("witness.example/w1", WITNESS.public_key, role="cosigner")


def entries() -> list[bytes]:
    """Return the three entries of the example."""
    draft = IntentDraft(
        stream="live",
        model="sha256:" + "2e" * 32,
        input="sha256-salted:" + "97" * 32,
        parameters="sha256:" + "5d" * 32,
        request_id="order-4711",
    )
    first = draft.numbered(0, "", origin=ORIGIN, time=NOW)
    result = Result(intent=0, statement="sha256:" + "96" * 32, time=NOW + 1)
    second = replace(draft, input="sha256-salted:" + "0b" * 32, request_id="order-4712")
    return [
        first.to_bytes(),
        result.to_bytes(),
        second.numbered(1, first.digest, origin=ORIGIN, time=NOW + 2).to_bytes(),
    ]


def head() -> SignedCheckpoint:
    """Return the cosigned checkpoint of the example."""
    signed = signed_head(entries())
    return signed.with_lines([cosign(signed.note.text, WITNESS_KEY, WITNESS, timestamp=NOW + 3)])


def proof(leaf: int, contents: list[bytes], checkpoint: SignedCheckpoint) -> LogProof:
    """Return the log proof of one entry."""
    source = Hashes([leaf_hash(content) for content in contents])
    nodes = tuple(inclusion_proof(source, leaf, len(contents)))
    return LogProof(entry=contents[leaf], index=leaf, nodes=nodes, checkpoint=checkpoint)


def broken() -> Iterator[tuple[str, str, bytes]]:
    """Yield name, check that refuses it, and bytes of each broken proof."""
    good = proof(1, entries(), head())
    content = good.to_bytes()
    lines = head().note.signatures
    yield "trailing_byte", "log.format", content + b"\n"
    yield "index_with_leading_zero", "log.format", content.replace(b"index 1", b"index 01")
    yield "no_entry", "log.format", content.replace(b"extra ", b"other ")
    yield "oversized", "log.format", content + b"x" * 65536
    other = signed_head(entries(), origin="log.example/other")
    yield "another_origin", "log.origin", replace(good, checkpoint=other).to_bytes()
    no_log = SignedCheckpoint(head().checkpoint, replace(head().note, signatures=lines[1:]))
    yield "no_log_signature", "log.signature", replace(good, checkpoint=no_log).to_bytes()
    wrong_id = (replace(lines[0], key_id=b"\0\1\2\3"), lines[1])
    renamed = SignedCheckpoint(head().checkpoint, replace(head().note, signatures=wrong_id))
    yield "another_key_id", "log.signature", replace(good, checkpoint=renamed).to_bytes()
    yield "another_size", "log.signature", content.replace(b"\n3\n", b"\n4\n")
    alone = replace(good, checkpoint=signed_head(entries()))
    yield "no_cosignature", "log.cosignature", alone.to_bytes()
    later = (lines[0], replace(lines[1], signature=bytes(8) + lines[1].signature[8:]))
    retimed = SignedCheckpoint(head().checkpoint, replace(head().note, signatures=later))
    yield (
        "cosignature_of_another_time",
        "log.cosignature",
        replace(good, checkpoint=retimed).to_bytes(),
    )
    yield "another_index", "log.inclusion", replace(good, index=0).to_bytes()
    yield "index_beyond_the_tree", "log.inclusion", replace(good, index=3).to_bytes()
    yield "node_too_many", "log.inclusion", replace(good, nodes=(*good.nodes, bytes(32))).to_bytes()
    yield "another_entry", "log.inclusion", replace(good, entry=entries()[2]).to_bytes()
    twice = entries()
    twice[1] = twice[1].replace(b'"intent":0', b'"intent":0,"intent":0')
    signed = signed_head(twice)
    line = cosign(signed.note.text, WITNESS_KEY, WITNESS, timestamp=NOW + 3)
    yield "duplicate_key", "log.entry", proof(1, twice, signed.with_lines([line])).to_bytes()


def files() -> dict[str, bytes]:
    """Return every file by its name below the folder."""
    made = {"example.checkpoint": head().to_bytes()}
    made |= {
        f"valid/{leaf}.tlog-proof": proof(leaf, entries(), head()).to_bytes() for leaf in range(3)
    }
    cases = {"log": LOG_KEY.vkey, "cosigner": WITNESS_KEY.vkey, "min_cosigners": 1}
    refused = {}
    for name, check, content in broken():
        made[f"invalid/{name}.tlog-proof"] = content
        refused[name] = check
    document = {**cases, "origin": ORIGIN, "refused": refused}
    made["cases.json"] = (json.dumps(document, indent=1) + "\n").encode()
    return made


def write(folder: Path) -> None:
    """Write all files."""
    for name, content in files().items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


if __name__ == "__main__":
    write(FOLDER)
    assert LOG_SIGNER.public_key == LOG_KEY.key
