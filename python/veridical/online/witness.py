"""Cosignatures of one head, collected from several cosigners.

Spec: spec/v1/log.md, section 7; https://c2sp.org/tlog-witness. The head stands still while it is
collected for, or a log that grows would never have enough signatures on any.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import httpx

from veridical.errors import (
    CheckpointError,
    ConsistencyError,
    Error,
    InputError,
    VerificationError,
)
from veridical.online.fetch import Answered, NoAnswerError, fetch, require_address
from veridical.tlog import SignedCheckpoint, encode_request
from veridical.tlog.checkpoint import parse_size
from veridical.tlog.cosigner import FORK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veridical.tlog import Log, NoteKey
    from veridical.tlog.note import NoteSignature

__all__ = ["Collected", "Witness", "collect"]

SECONDS: Final = 10.0
#: A cosigner may have signed for somebody else between two requests.
MAX_ATTEMPTS: Final = 3
MAX_AT_ONCE: Final = 16

_SIZE_TYPE: Final = "text/x.tlog.size"
_CONFLICT: Final = 409


class Witness:
    """A cosigner at an address, which signs with one of the keys that are known."""

    def __init__(self, url: str, keys: Sequence[NoteKey], *, seconds: float = SECONDS) -> None:
        self.url = require_address(url)
        self._keys = tuple(key for key in keys if key.role == "cosigner")
        self._seconds = seconds
        #: What it cosigned last, as far as is known; wrong numbers cost one request.
        self._size = 0

    @property
    def patience(self) -> float:
        """How long all attempts may take."""
        return MAX_ATTEMPTS * self._seconds

    def cosign(self, http: httpx.Client, log: Log, head: SignedCheckpoint) -> list[NoteSignature]:
        """Return its verified signature lines over a head.

        Raises:
            NoAnswerError: it does not answer as the protocol says.
            CheckpointError: it does not know the log, or signed with no key that is known.
            ConsistencyError: it has cosigned another history, or more leaves than there are.
        """
        for _ in range(MAX_ATTEMPTS):
            self._size = min(self._size, head.size)
            proof = log.prove_consistency(self._size, head.size)
            answer = fetch(
                http,
                "POST",
                f"{self.url}/add-checkpoint",
                content=encode_request(self._size, proof, head),
                seconds=self._seconds,
            )
            if answer.status == _CONFLICT and answer.content_type.startswith(_SIZE_TYPE):
                self._size = self._stated_size(answer, head)
                continue
            lines = self._lines(answer, head)
            self._size = head.size
            return lines
        raise NoAnswerError("it names another size with every answer", where=self.url)

    def _stated_size(self, answer: Answered, head: SignedCheckpoint) -> int:
        try:
            size = parse_size(answer.content.decode("ascii").removesuffix("\n"), where=self.url)
        except (UnicodeDecodeError, VerificationError) as error:
            raise NoAnswerError(f"not a size: {answer.content[:40]!r}", where=self.url) from error
        if size > head.size:
            raise ConsistencyError(
                f"it cosigned {size} leaves, the log has {head.size}: the log was rolled back",
                where=self.url,
                check="log.consistency",
            )
        return size

    def _lines(self, answer: Answered, head: SignedCheckpoint) -> list[NoteSignature]:
        message = answer.content[:300].decode("utf-8", "replace").strip()
        if answer.status == _CONFLICT:
            raise ConsistencyError(
                f"it cosigned another root of this size: {message}", where=self.url, check=FORK
            )
        if answer.status == httpx.codes.UNPROCESSABLE_ENTITY:
            raise ConsistencyError(
                f"it cosigned another history: {message}", where=self.url, check="log.consistency"
            )
        if answer.status in {httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN}:
            raise CheckpointError(
                f"it does not cosign this log: {message}", where=self.url, check="log.origin"
            )
        if answer.status != httpx.codes.OK:
            raise NoAnswerError(f"status {answer.status}: {message}", where=self.url)
        bare = head.note.to_bytes()
        try:
            signed = SignedCheckpoint.from_bytes(bare + answer.content, where=self.url)
            signed.verify_cosigners(self._keys)
        except VerificationError as error:
            raise NoAnswerError(f"not its signatures: {error.message}", where=self.url) from error
        lines = [line for _, line in signed.note.by(self._keys) if line not in head.note.signatures]
        if not lines:
            raise CheckpointError(
                "it signed with no key that was named", where=self.url, check="log.cosignature"
            )
        return lines


@dataclass(frozen=True, slots=True)
class Collected:
    """A head with enough cosignatures, and why the others did not sign."""

    head: SignedCheckpoint
    num_cosigners: int
    failures: dict[str, Error]


def collect(
    log: Log,
    witnesses: Sequence[Witness],
    keys: Sequence[NoteKey],
    *,
    at_least: int | None = None,
    http: httpx.Client | None = None,
) -> Collected:
    """Have the present head cosigned by at least so many of the keys, and publish it.

    Without a number all must sign.

    Raises:
        ConsistencyError: too few signed, and one of them has seen another history.
        CheckpointError: too few signed; the message says why the others did not.
    """
    needed = len(keys) if at_least is None else at_least
    if not witnesses or not 1 <= needed <= len(keys):
        raise InputError(f"{needed} of {len(keys)} cosigners at {len(witnesses)} addresses")
    with log.collecting():
        head = log.head()
        lines, failures = _ask(log, head, witnesses, http)
        signed = head.with_lines(lines)
        try:
            found = signed.verify_cosigners(keys, at_least=needed)
        except CheckpointError as error:
            for one in failures.values():
                if isinstance(one, ConsistencyError):
                    raise one from error
            reasons = "; ".join(f"{url}: {one.message}" for url, one in failures.items())
            raise CheckpointError(
                f"{error.message}; {reasons or 'all that were asked did sign'}", check=error.check
            ) from error
        return Collected(log.publish_cosigned(signed), len(found), failures)


def _ask(
    log: Log, head: SignedCheckpoint, witnesses: Sequence[Witness], http: httpx.Client | None
) -> tuple[list[NoteSignature], dict[str, Error]]:
    client = httpx.Client() if http is None else http
    lines: list[NoteSignature] = []
    failures: dict[str, Error] = {}
    try:
        with ThreadPoolExecutor(min(len(witnesses), MAX_AT_ONCE)) as pool:
            pending = {pool.submit(one.cosign, client, log, head): one for one in witnesses}
            done, late = wait(pending, timeout=max(one.patience for one in witnesses))
            for future in late:
                url = pending[future].url
                failures[url] = NoAnswerError("no whole answer in time", where=url)
            for future in (future for future in pending if future in done):
                try:
                    lines += future.result()
                except Error as error:
                    failures[pending[future].url] = error
            # Whoever drips bytes loses the connection, or the pool would wait for it.
            if late:
                client.close()
    finally:
        if http is None:
            client.close()
    return lines, failures
