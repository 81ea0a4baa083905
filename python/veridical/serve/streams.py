"""Server-sent events of proof jobs: one reader of the database for all who watch.

Spec: spec/v1/serve.md, section 1.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from veridical.inference_protocol import ProtocolError
from veridical.serve.storage.queue import ENDED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from veridical.serve.storage import Job, Queue

__all__ = ["MAX_STREAMS", "JobStreams", "job_value"]

#: How many a caller may have open.
MAX_STREAMS: Final = 8
_POLL_SECONDS: Final = 0.25
#: After the database did not answer.
_PAUSE_SECONDS: Final = 2.0
_KEEP_ALIVE_SECONDS: Final = 15.0
#: A client asks again after this; the job's state is in the database, not in the stream.
_MAX_SECONDS: Final = 3600.0


class _Watcher:
    """One stream: the newest state of its job that was not sent yet."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self.job: Job | None = None

    def tell(self, job: Job | None) -> None:
        self.job = job
        self.changed.set()


class JobStreams:
    """Streams of events of jobs. Its methods are called on the event loop."""

    def __init__(self, queue: Queue, *, per_key: int = MAX_STREAMS) -> None:
        self._queue = queue
        self._per_key = per_key
        self._watchers: dict[str, set[_Watcher]] = {}
        self._open: dict[str, int] = {}
        self._poller: asyncio.Task[None] | None = None
        self._is_closed = False

    def close(self) -> None:
        """End all streams, in order that the server can stop."""
        self._is_closed = True
        for watchers in self._watchers.values():
            for watcher in watchers:
                watcher.changed.set()
        if self._poller is not None:
            self._poller.cancel()

    def require_room(self, key_id: str) -> None:
        """Look whether a caller may have one more.

        Raises:
            ProtocolError: it has as many as it may have.
        """
        if self._open.get(key_id, 0) >= self._per_key:
            raise ProtocolError(
                429,
                "too_many_streams",
                f"{self._per_key} streams of events are open; ask for the job instead",
                retry_after=5,
            )

    async def events(self, job: Job) -> AsyncIterator[bytes]:
        """Return each change of a job from now on, and its end."""
        key_id = job.key_id
        self.require_room(key_id)
        watcher = _Watcher()
        self._open[key_id] = self._open.get(key_id, 0) + 1
        try:
            yield _event(job)
            if job.state in ENDED:
                return
            self._watchers.setdefault(job.job_id, set()).add(watcher)
            if self._poller is None or self._poller.done():
                self._poller = asyncio.create_task(self._poll())
            async for content in self._changes(job, watcher):
                yield content
        finally:
            self._open[key_id] -= 1
            if not self._open[key_id]:
                del self._open[key_id]
            watchers = self._watchers.get(job.job_id)
            if watchers is not None:
                watchers.discard(watcher)
                if not watchers:
                    del self._watchers[job.job_id]

    async def _changes(self, job: Job, watcher: _Watcher) -> AsyncIterator[bytes]:
        shown = _event(job)
        until = time.monotonic() + _MAX_SECONDS
        while time.monotonic() < until:
            with suppress(TimeoutError):
                async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                    await watcher.changed.wait()
            if self._is_closed:
                yield b": shutting down\n\n"
                return
            if not watcher.changed.is_set():
                yield b": still here\n\n"
                continue
            watcher.changed.clear()
            current = watcher.job
            if current is None:
                return
            content = _event(current)
            if content != shown:
                shown = content
                yield content
            if current.state in ENDED:
                return

    async def _poll(self) -> None:
        """Read the jobs that are watched, as long as one is."""
        known: dict[str, Job] = {}
        while self._watchers and not self._is_closed:
            await asyncio.sleep(_POLL_SECONDS)
            watched = list(self._watchers)
            try:
                jobs = await run_in_threadpool(self._queue.get_many, watched)
            except SQLAlchemyError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for job_id in watched:
                job = jobs.get(job_id)
                if job is None or job != known.get(job_id):
                    for watcher in self._watchers.get(job_id, ()):
                        watcher.tell(job)
            known = jobs


def job_value(job: Job) -> dict[str, Any]:
    """Return what a caller is told of a job."""
    return {
        "job_id": job.job_id,
        "receipt_id": job.receipt_id,
        "model": job.model,
        "tier": job.tier,
        "state": job.state,
        "stage": job.stage,
        "attempts": job.attempts,
        "batch_size": job.batch_size,
        "quoted": job.quoted,
        "cost": min(job.cost, job.quoted),
        "error": job.error,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
        "deadline": job.deadline,
        "share": job.share,
    }


def _event(job: Job) -> bytes:
    name = b"end" if job.state in ENDED else b"progress"
    return b"event: " + name + b"\ndata: " + orjson.dumps(job_value(job)) + b"\n\n"
