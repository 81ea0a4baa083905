"""Speed of the log: appending with every batch on the disk, and proofs from a large tree."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

import pytest

from tests.acceptance import RecordCriterion
from tests.unit.tlog.logs import LOG_KEY, LOG_SIGNER, draft, make_log
from veridical.tlog import Checkpoint, Log, Result, SignedCheckpoint, Writer, fsck
from veridical.tlog.frontier import Frontier
from veridical.tlog.storage import Files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1200)]

MIN_LEAVES_PER_SECOND = 2000
MAX_PROOF_SECONDS = 0.005
NUM_LEAVES = 1_000_000
NUM_REQUESTS = 10_000


def test_append_speed(tmp_path: Path, criterion: RecordCriterion) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        started = time.perf_counter()
        opened = [future.result() for future in writer.submit([draft()] * NUM_REQUESTS)]
        closed = writer.submit(
            Result(intent=one.index, statement=f"sha256:{one.index:064x}", time=0) for one in opened
        )
        for future in closed:
            future.result()
        seconds = time.perf_counter() - started
    rate = 2 * NUM_REQUESTS / seconds
    criterion(
        "log: leaves appended, every batch synced",
        required=f">= {MIN_LEAVES_PER_SECOND}/s",
        measured=f"{rate:.0f}/s",
    )
    assert fsck(log).size == 2 * NUM_REQUESTS
    assert rate >= MIN_LEAVES_PER_SECOND


def test_a_proof_from_a_large_log(tmp_path: Path, criterion: RecordCriterion) -> None:
    log = make_log(tmp_path / "log")
    frontier, files = Frontier(), Files(log.folder)
    for start in range(0, NUM_LEAVES, 10_000):
        files.put(frontier.append(b"entry %d" % i for i in range(start, start + 10_000)))
    head = Checkpoint(origin=LOG_KEY.name, size=NUM_LEAVES, root=frontier.root())
    files.put({"checkpoint": SignedCheckpoint.sign(head, LOG_KEY, LOG_SIGNER).to_bytes()})
    large = Log.open(log.folder)
    seconds = []
    for i in range(200):
        started = time.perf_counter()
        proof = large.prove(i * 4999 + 7)  # reads, proves, and verifies what it proved
        seconds.append(time.perf_counter() - started)
        assert proof.checkpoint.size == NUM_LEAVES
    median, worst = statistics.median(seconds), max(seconds)
    criterion(
        f"log: proof of an entry among {NUM_LEAVES:,}",
        required=f"<= {MAX_PROOF_SECONDS * 1e3:g} ms",
        measured=f"median {median * 1e3:.2f} ms, worst of 200 {worst * 1e3:.2f} ms",
    )
    assert median <= MAX_PROOF_SECONDS
