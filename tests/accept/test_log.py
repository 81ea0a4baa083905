"""The log: its trees, its speed, forks that cosigners and clients find, and what retries gain."""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Literal, get_args

import httpx
import pytest

from attacks.rerolls import RETRIES, off_the_log, on_the_log
from attacks.seeded import seeded_scene
from tests.acceptance import RecordCriterion
from tests.repository import ROOT
from tests.unit.tlog import test_tree as trees
from tests.unit.tlog.logs import (
    LOG_KEY,
    LOG_SIGNER,
    draft,
    grow,
    make_log,
    private_key,
    served,
)
from veridical.errors import ConsistencyError
from veridical.online import Witness, collect
from veridical.tlog import Checkpoint, Log, NoteKey, Result, SignedCheckpoint, Writer, fsck
from veridical.tlog.frontier import Frontier
from veridical.tlog.storage import Files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.accept, pytest.mark.timeout(1200)]

MIN_LEAVES_PER_SECOND = 2000
MAX_PROOF_SECONDS = 0.005
NUM_LEAVES = 1_000_000
NUM_REQUESTS = 10_000
HOST = "127.0.0.1"
Hiding = Literal["void", "open", "result", "streams"]


def test_trees_are_those_of_the_reference(criterion: RecordCriterion) -> None:
    sizes = range(1, len(trees.ROOTS) + 1)
    checks = [
        *(partial(trees.test_roots_are_those_of_the_reference, size) for size in sizes),
        *(
            partial(trees.test_inclusion_proofs_are_those_of_the_reference, *vector)
            for vector in trees.INCLUSION
        ),
        *(
            partial(trees.test_consistency_proofs_are_those_of_the_reference, *vector)
            for vector in trees.CONSISTENCY
        ),
    ]
    passed = 0
    for check in checks:
        with suppress(AssertionError):
            check()
            passed += 1
    criterion(
        "log: roots, inclusion and consistency proofs of RFC 6962 and RFC 9162",
        required="all reference vectors",
        measured=f"{passed} of {len(checks)}",
    )
    assert passed == len(checks)


@contextmanager
def cosigner_service(folder: Path, number: int) -> Iterator[tuple[str, NoteKey]]:
    """Run `veridical log cosigner serve` as a process of its own."""
    signer = private_key(40 + number)
    key = folder / f"w{number}.key"
    if not key.exists():
        signer.save(key)
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    name = f"witness.example/w{number}"
    arguments = ["--name", name, "--key", str(key), "--log-key", LOG_KEY.vkey]
    arguments += ["--state", str(folder / f"w{number}.sqlite"), "--port", str(port)]
    start = "from veridical.cli import main; main()"
    command = [sys.executable, "-c", start, "log", "cosigner", "serve", *arguments]
    url = f"http://{HOST}:{port}"
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            for _ in range(200):
                try:
                    httpx.get(f"{url}/vkey")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            yield url, NoteKey.of(name, signer.public_key, role="cosigner")
        finally:
            process.kill()


def test_a_forked_log_is_found(tmp_path: Path, criterion: RecordCriterion) -> None:
    log = make_log(tmp_path / "log", served(30))
    forks = [
        make_log(tmp_path / f"fork-{count}", [draft("hidden")] * count)
        for count in (10, log.head().size, 300)
    ]
    by_cosigners = by_clients = 0
    with cosigner_service(tmp_path, 1) as first, cosigner_service(tmp_path, 2) as second:
        keys = [first[1], second[1]]
        held = collect(log, [Witness(url, keys) for url, _ in (first, second)], keys).head
    # Both were killed: what they signed is on the disk.
    with cosigner_service(tmp_path, 1) as first, cosigner_service(tmp_path, 2) as second:
        for fork in forks:
            for url, _ in (first, second):
                with pytest.raises(ConsistencyError):
                    collect(fork, [Witness(url, keys)], keys, at_least=1)
                by_cosigners += 1
            with pytest.raises(ConsistencyError):
                fork.follow(held)
            by_clients += 1
        grow(log, [draft()] * 300)
        honest = collect(log, [Witness(url, keys) for url, _ in (first, second)], keys)
    criterion(
        "log: forks refused over HTTP by cosigners, and by clients with an older checkpoint",
        required="all of 3, each by 2 cosigners and a client",
        measured=f"{by_cosigners} and {by_clients}",
    )
    assert (by_cosigners, by_clients, honest.num_cosigners) == (6, 3, 2)


def test_what_retries_gain(tmp_path: Path, criterion: RecordCriterion) -> None:
    scene = seeded_scene()
    off = off_the_log(scene)
    criterion(
        f"seeds: {RETRIES} re-rolls of one question off the log",
        required="1 seed, 1 answer",
        measured=f"{off.seeds} seed, {len(off.answers)} answer",
    )
    modes: tuple[Literal["vrf"], Literal["vrf+beacon"]] = ("vrf", "vrf+beacon")
    seen = {}
    for mode in modes:
        for hide in get_args(Hiding):
            shown = on_the_log(scene, tmp_path / f"{mode}-{hide}", mode=mode, hide=hide)
            seen[mode, hide] = shown.repeated
    criterion(
        f"seeds: {RETRIES} re-rolls on the log, hidden in {len(get_args(Hiding))} ways, 2 modes",
        required=f"all {RETRIES - 1} found `repeated`, each time",
        measured=f"least {min(seen.values())}, of {len(seen)} logs",
    )
    assert (off.seeds, len(off.answers)) == (1, 1)
    assert set(seen.values()) == {RETRIES - 1}


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
