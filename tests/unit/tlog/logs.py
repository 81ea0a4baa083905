"""Logs that tests build: fixed keys, a clock that stands, entries of one stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from veridical.keys import PrivateKey
from veridical.tlog import (
    Checkpoint,
    Intent,
    IntentDraft,
    Log,
    NoteKey,
    Request,
    Result,
    SignedCheckpoint,
    Void,
    Writer,
)
from veridical.tlog.tree import Hashes, leaf_hash, tree_root

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ORIGIN = "log.example/provider"
NOW = 1_796_000_000


def private_key(number: int) -> PrivateKey:
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes([number] * 32)))


LOG_SIGNER = private_key(1)
LOG_KEY = NoteKey.of(ORIGIN, LOG_SIGNER.public_key, role="log")


def draft(stream: str = "live", request_id: str = "") -> IntentDraft:
    return IntentDraft(
        stream=stream,
        model="sha256:" + "0a" * 32,
        input="sha256-salted:" + "0b" * 32,
        parameters="sha256:" + "0c" * 32,
        request_id=request_id,
    )


def statement(number: int) -> str:
    return f"sha256:{number:064x}"


def chain(count: int, stream: str = "live") -> list[Intent]:
    """Return the first intents of a stream."""
    intents: list[Intent] = []
    for number in range(count):
        previous = intents[-1].digest if intents else ""
        intents.append(draft(stream).numbered(number, previous, origin=ORIGIN, time=NOW + number))
    return intents


def make_log(folder: Path, requests: Sequence[Request] = ()) -> Log:
    """Return a log that holds the requests."""
    log = Writer.create(folder, origin=ORIGIN, signer=LOG_SIGNER)
    grow(log, requests)
    return log


def grow(log: Log, requests: Sequence[Request]) -> SignedCheckpoint:
    with Writer(log.folder, LOG_SIGNER, clock=lambda: NOW) as writer:
        for future in writer.submit(requests):
            future.result()
    return log.head()


def served(count: int) -> list[Request]:
    """Return intents and what closes them: every fifth is void, the last stays open."""
    requests: list[Request] = []
    for number in range(count):
        leaf = len(requests)
        requests.append(draft())
        if number == count - 1:
            break
        if number % 5 == 4:
            requests.append(Void(intent=leaf, reason="timeout", time=NOW))
        else:
            requests.append(Result(intent=leaf, statement=statement(leaf), time=NOW))
    return requests


def signed_head(entries: Sequence[bytes], *, origin: str = ORIGIN) -> SignedCheckpoint:
    """Return the log's signature over any entries at all: what a lying provider can make."""
    hashes = [leaf_hash(entry) for entry in entries]
    root = tree_root(Hashes(hashes), len(hashes))
    head = Checkpoint(origin=origin, size=len(hashes), root=root)
    return SignedCheckpoint.sign(
        head, NoteKey.of(origin, LOG_SIGNER.public_key, role="log"), LOG_SIGNER
    )
