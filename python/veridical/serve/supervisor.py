"""Processes that the gateway keeps running: one that ends is replaced, more and more slowly.

Spec: spec/v1/serve.md, section 6.
"""

from __future__ import annotations

import logging
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Supervisor"]

_LOG = logging.getLogger("veridical.serve")

_WATCH_SECONDS: Final = 0.25
_FIRST_DELAY: Final = 0.5
_MOST_DELAY: Final = 30.0
#: A process that ran for so long did not end because of how it was started.
_SOUND_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 10.0


@dataclass(slots=True)
class _Place:
    """Where one process runs, and what became of those before it."""

    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    next_at: float = 0.0
    delay: float = field(default=_FIRST_DELAY)


class Supervisor:
    """Runs a command so many times at once. Each is told a line, and ends when its input does."""

    def __init__(
        self,
        command: Sequence[str],
        line: bytes,
        *,
        count: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = list(command)
        self._line = line
        self._clock = clock
        self._places = [_Place() for _ in range(count)]
        self._closing = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        #: How many processes ended that were not told to.
        self.deaths = 0

    def start(self) -> None:
        """Start the processes."""
        self.step()
        if self._places:
            self._watcher.start()

    def pids(self) -> list[int]:
        """Return the ids of the processes that run."""
        return [one.process.pid for one in self._places if one.process is not None]

    def close(self) -> None:
        """End the processes, and wait for them."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        running = [one.process for one in self._places if one.process is not None]
        for process in running:
            _end_input(process)
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def step(self) -> None:
        """Look after each place once."""
        for place in self._places:
            now = self._clock()
            if place.process is None:
                if now >= place.next_at:
                    self._start(place, now)
                continue
            status = place.process.poll()
            if status is None:
                continue
            _end_input(place.process)
            self.deaths += 1
            if now - place.started_at > _SOUND_SECONDS:
                place.delay = _FIRST_DELAY
            _LOG.warning(
                "process %d ended with status %d; the next one starts in %.1f s",
                place.process.pid,
                status,
                place.delay,
            )
            place.process = None
            place.next_at = now + place.delay
            place.delay = min(2 * place.delay, _MOST_DELAY)

    def _watch(self) -> None:
        while not self._closing.wait(_WATCH_SECONDS):
            self.step()

    def _start(self, place: _Place, now: float) -> None:
        place.started_at = now
        try:
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE)  # noqa: S603 - our own
        except OSError as error:  # no memory, no descriptors: later perhaps
            _LOG.warning("no process can be started: %s", error)
            place.next_at = now + place.delay
            place.delay = min(2 * place.delay, _MOST_DELAY)
            return
        place.process = process
        if process.stdin is None:
            raise InternalError("a process has no standard input")
        with suppress(BrokenPipeError):  # it ended already; the next look finds that
            process.stdin.write(self._line)
            process.stdin.flush()


def _end_input(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):  # what it was not told yet is lost, and so is it
            process.stdin.close()
