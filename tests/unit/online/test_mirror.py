"""Copies of a log over HTTP: brought up to date, and a fork is found by whoever holds one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.unit.tlog.logs import (
    LOG_KEY,
    NOW,
    draft,
    grow,
    make_log,
    private_key,
    served,
    signed_head,
)
from veridical.errors import CheckpointError, ConsistencyError, InputError, LogError
from veridical.online import fetch_log
from veridical.online.fetch import NoAnswerError
from veridical.tlog import Cosigner, Log, NoteKey, SignedCheckpoint, add_cosignatures, audit, fsck

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://log.example/log"


class Served:
    """Serves the files of a log, and counts what is asked for."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.paths: list[str] = []
        self.http = httpx.Client(transport=httpx.MockTransport(self))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/log/")
        self.paths.append(path)
        file = self.log.folder / path
        if not file.is_file():
            return httpx.Response(404)
        return httpx.Response(200, content=file.read_bytes())

    def fetch(self, folder: Path, **options: Any) -> Any:
        return fetch_log(URL, folder, LOG_KEY, http=self.http, **options)


@pytest.fixture
def source(tmp_path: Path) -> Served:
    return Served(make_log(tmp_path / "log", served(150)))


def public_files(folder: Path) -> dict[str, bytes]:
    """Return the files below `tile` of the present tree."""
    size = Log.open(folder).head().size
    paths = [path for path in (folder / "tile").rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in paths
        if ".p" not in path.parent.name or int(path.name) in {size % 256, (size >> 8) % 256}
    }


def test_a_copy_is_the_log_and_grows_with_it(tmp_path: Path, source: Served) -> None:
    copy = tmp_path / "copy"
    sizes = []
    for count in (0, 1, 300, 0, 57, 700):
        grow(source.log, [draft()] * count)
        source.paths.clear()
        fetched = source.fetch(copy)
        sizes.append(fetched.old_size)
        assert fetched.head == source.log.head() == Log.open(copy).head()
        assert fsck(Log.open(copy)).size == fetched.head.size
        assert public_files(copy) == public_files(source.log.folder)
        assert not any(path.startswith("tile/0") for path in source.paths)  # entries alone
    assert sizes[0] == 0
    assert sizes == sorted(sizes)
    assert audit(entry for _, entry in Log.open(copy).reader().entries()).findings == []


@pytest.mark.parametrize("count", [299, 310, 700, 2])
def test_a_fork_is_found_by_whoever_holds_a_copy(
    tmp_path: Path, source: Served, count: int
) -> None:
    copy = tmp_path / "copy"
    held = source.fetch(copy).head
    assert held.size == 299
    honest = source.log
    source.log = make_log(tmp_path / "fork", [draft("hidden")] * count)
    with pytest.raises(ConsistencyError) as caught:
        source.fetch(copy)
    assert caught.value.check == ("log.rollback" if count < 299 else "log.consistency")
    evidence = (copy / ".state" / f"conflict-{count}").read_bytes()
    assert SignedCheckpoint.from_bytes(evidence).verify_log([LOG_KEY]) == LOG_KEY
    # The copy is as it was, and goes on with the history that it holds.
    assert fsck(Log.open(copy)).root == held.root
    source.log = honest
    grow(honest, [draft()] * 500)
    assert source.fetch(copy).head.size == 799
    assert fsck(Log.open(copy)).size == 799


def test_cosigners_are_asked_for(tmp_path: Path, source: Served) -> None:
    one = Cosigner(
        tmp_path / "w.sqlite",
        name="witness.example/w1",
        signer=private_key(10),
        logs=[LOG_KEY],
        clock=lambda: NOW,
    )
    with pytest.raises(CheckpointError, match="0 of 1"):
        source.fetch(tmp_path / "a", cosigners=[one.key], min_cosigners=1)
    cosigned = add_cosignatures(source.log, one)
    grow(source.log, [draft()])
    fetched = source.fetch(tmp_path / "b", cosigners=[one.key], min_cosigners=1)
    assert fetched.cosigned == cosigned == Log.open(tmp_path / "b").cosigned()
    one.close()
    # A cosigned head of another history, beside files that fit the checkpoint.
    other = signed_head([b"{}"] * 20)
    (source.log.folder / "checkpoint.cosigned").write_bytes(other.to_bytes())
    with pytest.raises(ConsistencyError) as caught:
        source.fetch(tmp_path / "b")
    assert caught.value.where == "checkpoint.cosigned"
    assert (tmp_path / "b/.state/conflict-20").exists()


def test_a_server_that_gives_something_else_is_refused(tmp_path: Path, source: Served) -> None:
    stranger = NoteKey.of(LOG_KEY.name, private_key(66).public_key, role="log")
    with pytest.raises(CheckpointError, match="no signature"):
        fetch_log(URL, tmp_path / "a", stranger, http=source.http)
    bundle = source.log.folder / "tile/entries/000"
    content = bundle.read_bytes()
    for broken in (content[:-1], content + content[:200], content.replace(b"live", b"evil")):
        bundle.write_bytes(broken)
        with pytest.raises(LogError):
            source.fetch(tmp_path / "b")
    bundle.unlink()
    with pytest.raises(LogError, match="missing"):
        source.fetch(tmp_path / "b")
    bundle.write_bytes(content)
    assert source.fetch(tmp_path / "b").head.size == 299
    (source.log.folder / "checkpoint").unlink()
    with pytest.raises(LogError, match="no checkpoint"):
        source.fetch(tmp_path / "b")
    down = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(503)))
    with pytest.raises(NoAnswerError, match="503"):
        fetch_log(URL, tmp_path / "b", LOG_KEY, http=down)


def test_a_partial_bundle_that_became_full_is_taken_from_it(tmp_path: Path, source: Served) -> None:
    old = source.log.head()
    grow(source.log, [draft()] * 400)
    shutil.rmtree(source.log.folder / "tile/entries/001.p", ignore_errors=True)
    (source.log.folder / "checkpoint").write_bytes(old.to_bytes())  # fetched a moment before
    assert source.fetch(tmp_path / "copy").head == old
    assert fsck(Log.open(tmp_path / "copy")).size == old.size


def test_a_folder_that_is_no_copy_of_it_is_left_alone(tmp_path: Path, source: Served) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    with pytest.raises(InputError, match="not a log"):
        source.fetch(tmp_path / "mine")
    stranger = NoteKey.of("log.example/b", private_key(66).public_key, role="log")
    source.fetch(tmp_path / "copy")
    with pytest.raises(InputError, match="another log"):
        fetch_log(URL, tmp_path / "copy", stranger, http=source.http)
