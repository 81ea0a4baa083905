"""Logs of ours read by golang.org/x/mod/sumdb, an implementation that shares nothing with them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.repository import ROOT
from tests.unit.tlog.logs import LOG_KEY, NOW, draft, grow, make_log, private_key, served
from veridical.errors import ConsistencyError, VerificationError
from veridical.tlog import (
    Cosigner,
    Log,
    LogTrust,
    NoteKey,
    SignedCheckpoint,
    add_cosignatures,
    fsck,
    verify_proof,
)
from veridical.tlog.tree import consistency_proof, inclusion_proof

SOURCES = ROOT / "tests" / "interop" / "go"
BUILD_SECONDS = 300

pytestmark = pytest.mark.timeout(BUILD_SECONDS + 60)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the reader; its one module is fetched by the Go tool and checked against go.sum."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("no Go toolchain: logs are not read by a second implementation")
    target = tmp_path_factory.mktemp("interop") / "interop"
    build = subprocess.run(
        [go, "build", "-mod=readonly", "-buildvcs=false", "-o", str(target), "."],
        cwd=SOURCES,
        capture_output=True,
        text=True,
        check=False,
        timeout=BUILD_SECONDS,
    )
    if "dial tcp" in build.stderr or "toolchain not available" in build.stderr:
        pytest.skip("golang.org/x/mod cannot be fetched: logs are not read by it")
    assert build.returncode == 0, build.stderr
    return target


def run(program: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(program), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def check(program: Path, log: Log, *old: str) -> subprocess.CompletedProcess[str]:
    return run(program, "check", str(log.folder), LOG_KEY.vkey, *old)


def all_proofs(log: Log) -> str:
    """Return a hash over the proof of every leaf and of every earlier size."""
    reader = log.reader()
    hasher = hashlib.sha256()
    for index in range(reader.size):
        hasher.update(b"".join(inclusion_proof(reader, index, reader.size)))
    for old in range(1, reader.size + 1):
        hasher.update(b"".join(consistency_proof(reader, old, reader.size)))
    return hasher.hexdigest()


@pytest.mark.parametrize("count", [1, 2, 7, 128, 129, 300])
def test_sumdb_reads_our_logs_and_makes_the_same_proofs(
    program: Path, tmp_path: Path, count: int
) -> None:
    log = make_log(tmp_path / "log", served(count))
    old = tmp_path / "old"
    old.write_bytes(log.head().to_bytes())
    head = grow(log, [draft()] * 5)
    result = check(program, log, str(old))
    assert result.stderr == ""
    origin, size, root, proofs = result.stdout.split()
    assert (origin, int(size), root) == (LOG_KEY.name, head.size, head.root.hex())
    assert proofs == all_proofs(log)


def test_both_refuse_the_same_damage(program: Path, tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(300))
    other = make_log(tmp_path / "other", [draft("other")] * 300)
    (tmp_path / "fork").write_bytes(other.head().to_bytes())
    forked = check(program, log, str(tmp_path / "fork"))
    assert forked.returncode == 1
    assert "old checkpoint" in forked.stderr
    with pytest.raises(ConsistencyError):
        log.follow(other.head())
    for path in ("tile/0/000", "tile/0/002.p/87", "tile/1/000.p/2", "tile/entries/001"):
        file = log.folder / path
        content = file.read_bytes()
        changed = bytearray(content)
        changed[50] ^= 4
        file.write_bytes(changed)
        assert check(program, log).returncode == 1
        with pytest.raises(VerificationError):
            fsck(log)
        file.write_bytes(content)
    assert check(program, log).returncode == 0


def test_a_log_proof_and_its_cosignatures_are_verified_by_go(program: Path, tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(300))
    keys = []
    for number in (1, 2):
        signer = private_key(20 + number)
        one = Cosigner(
            tmp_path / f"{number}.sqlite",
            name=f"witness.example/w{number}",
            signer=signer,
            logs=[LOG_KEY],
            clock=lambda: NOW,
        )
        add_cosignatures(log, one)
        keys.append(one.key.vkey)
        one.close()
    for index in (0, 255, 256, 598):
        made = log.prove(index)
        text = made.to_bytes().decode()
        shown = run(program, "proof", LOG_KEY.vkey, *keys, text=text)
        assert shown.stderr == ""
        first, entry, *cosigned = shown.stdout.splitlines()
        assert first == f"{index} {log.head().size}"
        assert entry.encode() == made.entry
        assert cosigned == [f"witness.example/w1 {NOW}", f"witness.example/w2 {NOW}"]
        lines = text.splitlines(keepends=True)
        for broken in (
            text.replace(f"index {index}", f"index {index ^ 1}"),
            text.replace(lines[3], lines[4], 1),
            "".join(lines[:-1]),  # without the second cosigner
            text.replace(lines[-1], lines[-1].replace("w2", "w1")),
        ):
            refused = run(program, "proof", LOG_KEY.vkey, *keys, text=broken)
            assert refused.returncode == 1, broken
            trust = LogTrust(
                logs=(LOG_KEY,),
                cosigners=tuple(NoteKey.from_vkey(key) for key in keys),
                min_cosigners=2,
            )
            with pytest.raises(VerificationError):
                verify_proof(broken.encode(), trust)


def test_a_cosignature_that_go_makes_is_verified(program: Path, tmp_path: Path) -> None:
    head = make_log(tmp_path / "log", served(5)).head()
    made = run(program, "cosign", "witness.example/go", str(NOW), text=head.to_bytes().decode())
    vkey, _, note = made.stdout.partition("\n")
    key = NoteKey.from_vkey(vkey)
    assert (key.vkey, key.role) == (vkey, "cosigner")
    signed = SignedCheckpoint.from_bytes(note.encode())
    assert signed.verify_log([LOG_KEY]) == LOG_KEY
    [one] = signed.verify_cosigners([key], at_least=1)
    assert one.timestamp == NOW


def test_a_note_that_sumdb_signs_is_verified(program: Path) -> None:
    text = "log.example/go\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    vkey, _, note = run(program, "sign", "log.example/go", text=text).stdout.partition("\n")
    signed = SignedCheckpoint.from_bytes(note.encode())
    key = NoteKey.from_vkey(vkey)
    assert key.vkey == vkey
    assert signed.verify_log([key]) == key
    assert signed.to_bytes() == note.encode()
