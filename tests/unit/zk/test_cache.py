"""Roots of weight commitments on disk: kept, found, and never believed from anybody else."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.toy import NOW, SIGNER
from veridical import zk
from veridical.errors import InternalError, ProofError
from veridical.policy import RequireTier, TrustedSigners
from veridical.zk import RootCache
from veridical.zk import cache as module
from veridical.zk.weights import known_root

MODEL = bytes(range(32))
ROOT_BYTES = bytes(range(32, 64))
EXAMPLE = ROOT / "vectors" / "program" / "example.vprog"


@pytest.fixture
def cache(tmp_path: Path) -> RootCache:
    return RootCache(tmp_path / "cache" / "roots", tmp_path / "state" / "cache.key")


@pytest.fixture
def kept(cache: RootCache) -> Path:
    """Return the file of one entry."""
    assert cache.put(MODEL, "standard", ROOT_BYTES)
    (path,) = cache.entries()
    return path


def test_a_root_comes_back_for_its_model_and_profile_only(cache: RootCache, kept: Path) -> None:
    assert kept.parent == cache.folder
    assert cache.get(MODEL, "standard") == ROOT_BYTES
    assert cache.get(MODEL, "strong") is None
    assert cache.get(bytes(32), "standard") is None
    assert RootCache(cache.folder, cache.secret).get(MODEL, "standard") == ROOT_BYTES


def test_files_are_of_this_user_alone(cache: RootCache, kept: Path) -> None:
    modes = [path.stat().st_mode & 0o777 for path in (cache.folder, kept, cache.secret)]
    assert modes == [0o700, 0o600, 0o600]
    assert cache.secret.parent.stat().st_mode & 0o777 == 0o700


def test_every_changed_bit_and_every_length_is_a_miss(cache: RootCache, kept: Path) -> None:
    content = kept.read_bytes()
    for at in range(len(content)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        kept.write_bytes(changed)
        assert cache.get(MODEL, "standard") is None, at
    for length in range(len(content)):
        kept.write_bytes(content[:length])
        assert cache.get(MODEL, "standard") is None, length
    for longer in (content + b"\0", content * 2, b"\0" * 2**20):
        kept.write_bytes(longer)
        assert cache.get(MODEL, "standard") is None
    assert cache.put(MODEL, "standard", ROOT_BYTES)
    assert cache.get(MODEL, "standard") == ROOT_BYTES


def test_an_entry_of_another_user_is_a_miss(cache: RootCache, kept: Path, tmp_path: Path) -> None:
    other = RootCache(tmp_path / "other" / "roots", tmp_path / "other" / "cache.key")
    assert other.put(MODEL, "standard", bytes(32))
    shutil.copy(other.entries()[0], kept)  # keeps the mode
    assert cache.get(MODEL, "standard") is None


def test_an_entry_under_another_name_is_a_miss(cache: RootCache, kept: Path) -> None:
    kept.rename(kept.with_name(kept.name.replace("standard", "strong")))
    assert cache.get(MODEL, "strong") is None


def test_another_build_computes_again(
    cache: RootCache, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kept.exists()
    monkeypatch.setattr(module, "_build", lambda: iter([b"another"]))
    assert cache.get(MODEL, "standard") is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_what_others_may_write_is_a_miss(cache: RootCache, kept: Path, mode: int) -> None:
    kept.chmod(mode)
    assert cache.get(MODEL, "standard") is None
    kept.chmod(0o600)
    cache.folder.chmod(mode | 0o100)
    assert cache.get(MODEL, "standard") is None
    assert not cache.put(MODEL, "standard", ROOT_BYTES)


def test_a_secret_that_others_may_read_is_none(cache: RootCache, kept: Path) -> None:
    assert kept.exists()
    cache.secret.chmod(0o640)
    assert cache.get(MODEL, "standard") is None
    assert not cache.put(MODEL, "standard", ROOT_BYTES)


def test_links_pipes_and_folders_in_its_place_are_misses(
    cache: RootCache, kept: Path, tmp_path: Path
) -> None:
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    assert cache.get(MODEL, "standard") is None
    kept.unlink()
    os.mkfifo(kept)
    assert cache.get(MODEL, "standard") is None
    kept.unlink()
    kept.mkdir()
    assert cache.get(MODEL, "standard") is None
    assert not cache.put(MODEL, "standard", ROOT_BYTES)
    kept.rmdir()
    cache.folder.rename(tmp_path / "moved")
    cache.folder.symlink_to(tmp_path / "moved")
    assert cache.get(MODEL, "standard") is None


@pytest.mark.parametrize("mode", [0o720, 0o702])
def test_a_secret_in_a_folder_of_others_is_none(cache: RootCache, kept: Path, mode: int) -> None:
    assert kept.exists()
    cache.secret.parent.chmod(mode)  # others may put another file of this user in its place
    assert cache.get(MODEL, "standard") is None
    assert not cache.put(MODEL, "standard", ROOT_BYTES)


def test_other_files_in_the_folder_stay(
    cache: RootCache, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [
        kept.with_name(name)
        for name in ("data.root", "ca.root.pem", f"{kept.name}.txt", f"x{kept.name}")
    ]
    for path in others:
        path.write_bytes(b"not ours")
    left = kept.with_name(f"{kept.name}.{'0' * 16}")  # by a writer that died
    left.write_bytes(b"")
    assert {*cache.entries()} == {kept, left}
    monkeypatch.setattr(module, "_MAX_ENTRIES", 1)
    assert cache.put(bytes(32), "strong", ROOT_BYTES)
    assert cache.clear() == 1
    assert sorted(cache.folder.iterdir()) == sorted(others)


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for folder, secret in (("file/roots", "key"), ("roots", "file/key")):
        cache = RootCache(tmp_path / folder, tmp_path / secret)
        assert not cache.put(MODEL, "standard", ROOT_BYTES)
        assert cache.get(MODEL, "standard") is None
        assert cache.clear() == 0


def test_writers_at_the_same_time_leave_one_whole_entry(cache: RootCache) -> None:
    written: list[bool] = []
    start = threading.Barrier(8)

    def write() -> None:
        start.wait()
        written.extend(cache.put(MODEL, "standard", ROOT_BYTES) for _ in range(20))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert written == [True] * 160
    assert cache.get(MODEL, "standard") == ROOT_BYTES
    assert [path.name for path in cache.folder.iterdir()] == [f"{MODEL.hex()}-standard.root"]
    assert [path.name for path in cache.secret.parent.iterdir()] == ["cache.key"]


def test_the_oldest_entries_make_room(cache: RootCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_ENTRIES", 3)
    for number in range(5):
        model = bytes([number]) * 32
        cache.put(model, "standard", ROOT_BYTES)
        os.utime(cache.folder / f"{model.hex()}-standard.root", (number, number))
    found = [cache.get(bytes([number]) * 32, "standard") is not None for number in range(5)]
    assert found == [False, False, True, True, True]
    assert cache.clear() == 3
    assert cache.entries() == []


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CACHE_HOME", "XDG_STATE_HOME", module.CACHE_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    secret = tmp_path / ".local" / "state" / "veridical" / "cache.key"
    usual = tmp_path / ".cache" / "veridical" / "roots"
    assert RootCache.default() == RootCache(usual, secret)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # to be ignored
    assert RootCache.default() == RootCache(usual, secret)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    secret = tmp_path / "s" / "veridical" / "cache.key"
    assert RootCache.default() == RootCache(tmp_path / "c" / "veridical" / "roots", secret)
    monkeypatch.setenv(module.CACHE_VARIABLE, str(tmp_path / "mine"))
    assert RootCache.default() == RootCache(tmp_path / "mine", secret)
    monkeypatch.setenv(module.CACHE_VARIABLE, "")
    assert RootCache.default() is None


def program_with(cache: RootCache | None) -> veridical.Program:
    program = veridical.load(EXAMPLE)
    program.weight_cache = cache
    return program


def test_a_commitment_is_remembered_by_the_next_process(cache: RootCache) -> None:
    computed = zk.commit(program_with(cache)).root
    assert len(cache.entries()) == 1
    again = program_with(cache)
    assert known_root(again, profile="standard") == (computed, False)
    assert not again.weight_commitments  # nothing was computed
    assert known_root(program_with(None), profile="standard") == (computed, True)
    assert known_root(again, profile="strong").is_computed


def test_a_prover_never_takes_a_root_from_disk(cache: RootCache) -> None:
    program = program_with(cache)
    cache.put(program.digest, "standard", ROOT_BYTES)
    with pytest.raises(InternalError, match="and now is"):
        zk.commit(program)
    cache.clear()
    assert zk.commit(program).root == zk.commit(program_with(None)).root


def test_a_planted_root_makes_no_verifier_accept(cache: RootCache, tmp_path: Path) -> None:
    """A receipt about other weights, and an entry of somebody else who says they are the same."""
    x = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}
    honest = program_with(None)
    receipt = veridical.issue(
        veridical.run(honest, x), signer=SIGNER, evidence=zk.Zk(), nonce="n", issued_at=NOW
    )
    policy = veridical.policy.AllOf(TrustedSigners(SIGNER.public_key), RequireTier("zk"))
    real = zk.commit(honest).root
    planted = bytes(32)
    other = RootCache(tmp_path / "other" / "roots", tmp_path / "other" / "cache.key")
    other.put(honest.digest, "standard", planted)
    zk.commit(program_with(cache))
    shutil.copy(other.entries()[0], cache.entries()[0])
    program = program_with(cache)
    verified = veridical.verify(receipt, policy, now=NOW, input=x, program=program)
    assert any("committed to again" in line for line in verified.assumptions)
    assert known_root(program, profile="standard") == (real, True)
    # The same entry under this user's own secret is what a verifier does take, and it says so.
    cache.put(honest.digest, "standard", planted)
    with pytest.raises(ProofError, match="other weights"):
        veridical.verify(receipt, policy, now=NOW, input=x, program=program_with(cache))
    cache.put(honest.digest, "standard", real)
    verified = veridical.verify(receipt, policy, now=NOW, input=x, program=program_with(cache))
    assert any("committed to earlier by this user" in line for line in verified.assumptions)
