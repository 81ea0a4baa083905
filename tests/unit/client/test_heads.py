"""A client that remembers checkpoints sees a fork."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.unit.client.test_client import URL, Between, X, trust
from veridical import keys, policy
from veridical.client import AsyncClient, Client, FolderHeads, MemoryHeads
from veridical.errors import CheckpointError, ConsistencyError, LogError
from veridical.serve.intents import TransparencyLog
from veridical.tlog import Checkpoint, NoteKey, SignedCheckpoint

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

    from veridical.serve import Gateway


def key_of(gateway: Gateway) -> NoteKey:
    assert isinstance(gateway.log, TransparencyLog)
    return gateway.log.log.key


def logging(gateway: Gateway) -> Any:
    return trust(gateway, policy.RequireLogged(key_of(gateway)))


class Forging:
    """Another log of the same key: whoever holds the key of the log can sign two histories."""

    def __init__(
        self, gateway: Gateway, *, size: int | None = None, root: bytes = bytes(32)
    ) -> None:
        self._gateway = gateway
        self.size = size
        self._root = root

    def __call__(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.path != "/log/checkpoint" or self.size is None:
            return response
        key = key_of(self._gateway)
        log = self._gateway.log
        assert isinstance(log, TransparencyLog)
        signer = keys.PrivateKey.load(self._gateway.settings.state / "log.key")
        head = Checkpoint(origin=key.name, size=self.size, root=self._root)
        note = SignedCheckpoint.sign(head, key, signer).to_bytes()
        return httpx.Response(200, content=note)


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_the_newest_checkpoint_is_remembered(
    gateway: Gateway, http: TestClient, tmp_path: Path, kind: str
) -> None:
    heads = MemoryHeads() if kind == "memory" else FolderHeads(tmp_path / "heads")
    key = key_of(gateway)
    with Client(URL, logging(gateway), heads=heads, transport=Between(http)) as client:
        for _ in range(5):
            client.infer("example", X, logged=True)
            held = heads.held(key.name)
            assert held is not None
            assert SignedCheckpoint.from_bytes(held).size <= client.follow(key).size
    if kind == "folder":  # another process remembers what this one saw
        assert FolderHeads(tmp_path / "heads").held(key.name) == heads.held(key.name)


def test_a_fork_is_seen_and_both_notes_are_kept(
    gateway: Gateway, http: TestClient, tmp_path: Path
) -> None:
    forging = Forging(gateway)
    key = key_of(gateway)
    heads = FolderHeads(tmp_path / "heads")
    with Client(URL, logging(gateway), heads=heads, transport=Between(http, forging)) as client:
        client.infer("example", X, logged=True)
        held = client.follow(key)
        for size in (held.size, held.size + 1, held.size + 500):
            forging.size = size
            with pytest.raises(LogError) as caught:
                client.follow(key)
            if size == held.size:
                assert caught.value.check == "log.consistency"
                (folder,) = (tmp_path / "heads").glob("*.conflict-*")
                notes = {path.name: path.read_bytes() for path in folder.iterdir()}
                for note in notes.values():  # both signed by the log: evidence against its key
                    SignedCheckpoint.from_bytes(note).verify_log([key])
                assert len(set(notes.values())) == 2
        forging.size = None
        assert client.follow(key).size == held.size


def test_a_log_that_was_rolled_back_is_refused(gateway: Gateway, http: TestClient) -> None:
    forging = Forging(gateway)
    key = key_of(gateway)
    with Client(URL, logging(gateway), transport=Between(http, forging)) as client:
        client.infer("example", X, logged=True)
        size = client.follow(key).size
        forging.size = size - 1
        with pytest.raises(ConsistencyError, match="rolled back"):
            client.follow(key)


def test_an_answer_of_another_history_is_refused(gateway: Gateway, http: TestClient) -> None:
    """The log of the answer is sound by itself; only who saw another head can tell."""
    forging = Forging(gateway)
    key = key_of(gateway)
    heads = MemoryHeads()
    with Client(URL, logging(gateway), heads=heads, transport=Between(http, forging)) as client:
        forging.size = 1  # what somebody was shown before
        client.follow(key)
        with pytest.raises(ConsistencyError, match="not shown to be of the log"):
            client.infer("example", X, logged=True)
    assert len(heads.conflicts) == 1


def test_a_checkpoint_of_a_stranger_is_refused(gateway: Gateway, http: TestClient) -> None:
    own = key_of(gateway)
    other = NoteKey.of(own.name, keys.generate().public_key, role="log")
    with (
        Client(URL, trust(gateway), transport=Between(http)) as client,
        pytest.raises(CheckpointError),
    ):
        client.follow(other)


def test_tiles_are_read_over_many_sizes(gateway: Gateway, http: TestClient) -> None:
    """Consistency between any two heads is proven from the files that the gateway shows."""
    key = key_of(gateway)

    async def ask() -> None:
        heads = MemoryHeads()
        async with AsyncClient(URL, trust(gateway), heads=heads, transport=Between(http)) as client:
            sizes = [(await client.follow(key)).size]
            for count in (1, 20, 120):
                await asyncio.gather(*(client.infer("example", X) for _ in range(count)))
                sizes.append((await client.follow(key)).size)
            assert sizes == sorted(set(sizes))
            assert sizes[-1] > 256

    asyncio.run(ask())


def test_nothing_but_the_files_of_the_log_is_shown(http: TestClient) -> None:
    for path in (
        "/log/.state/log.json",
        "/log/../receipts.key",
        "/log/%2e%2e/receipts.key",
        "/log/tile/0/%2e%2e/%2e%2e/checkpoint",
        "/log/tile/0/000.p/256",
        "/log/tile/0/999",
        "/log/tile/64/000",
        "/log/tile/0/x01/000",
        "/log//etc/passwd",
        "/log/",
    ):
        assert http.get(path).status_code == 404, path


def test_files_of_the_log_are_shown_to_everybody(http: TestClient) -> None:
    checkpoint = http.get("/log/checkpoint")
    assert checkpoint.status_code == 200
    assert checkpoint.headers["content-type"].startswith("text/plain")
    assert checkpoint.headers["cache-control"] == "no-cache"
