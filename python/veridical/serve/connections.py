"""Connections: how many there may be, how long one may do nothing, how large a head is.

uvicorn closes a connection that idles between two requests. It waits for ever for the first one,
for a head that never ends, and for a peer that does not read. Here all of these have an end, and
when all places are taken the connection that idles longest makes room.

Spec: spec/v1/serve.md, section 2.
"""

from __future__ import annotations

import math
import resource
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from veridical.serve.exchange import CONNECTION, error_body

if TYPE_CHECKING:
    import asyncio

    from starlette.types import Scope
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

__all__ = ["ConnectionLimits", "GuardedProtocol", "guarded", "raise_open_files"]

#: Descriptors that are not connections: log, database, workers.
_RESERVED_FILES: Final = 512
_MAX_FILES: Final = 65_536
#: A peer that reads less than this in so much time reads no more.
_LEAST_BYTES: Final = 64 * 1024
_FLUSH_SECONDS: Final = 10.0


@dataclass(slots=True, kw_only=True)
class ConnectionLimits:
    """Limits of all connections of a server, and which of them idle, longest first."""

    connections: int = 4096
    head_seconds: float = 10.0
    head_bytes: int = 64 * 1024
    head_lines: int = 128
    #: How many are open now.
    count: int = 0
    idle: dict[GuardedProtocol, None] = field(default_factory=dict)


class GuardedProtocol(HttpToolsProtocol):
    """A connection with an end to everything that its peer may leave undone."""

    limits: ClassVar[ConnectionLimits]

    #: Who waits for an answer that is to go out here; it is stopped when the peer goes away.
    waiting: asyncio.Task[None] | None = None

    #: What the peer had not read when that was last looked at.
    _unread: float = math.inf
    _stall_timer: asyncio.TimerHandle | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _is_in_head: bool = True
    _head_bytes: int = 0

    # --- uvicorn calls these

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a place, or that of who idles longest."""
        super().connection_made(transport)
        limits = self.limits
        limits.count = len(self.connections)
        if limits.count > limits.connections:
            if not limits.idle:
                self._refuse(503, "overloaded", "too many connections", "retry-after: 1")
                return
            oldest = next(iter(limits.idle))
            del limits.idle[oldest]
            oldest.end()
        limits.idle[self] = None
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back, and stop what nobody waits for any more."""
        self.limits.idle.pop(self, None)
        self._stop_head_timer()
        self._stop_stall_timer()
        self._unset_keepalive_if_required()
        if self.waiting is not None:
            self.waiting.cancel()
            self.waiting = None
        super().connection_lost(exc)
        self.limits.count = len(self.connections)

    def data_received(self, data: bytes) -> None:
        """Count the bytes of a head, which has no end of its own."""
        if self._is_in_head:
            if self._head_timer is None:  # the first byte of another request
                self._expect_head()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > self.limits.head_bytes:
            self._refuse_head()

    def on_message_begin(self) -> None:
        """Let the application know the connection of its request."""
        super().on_message_begin()
        self.scope[CONNECTION] = self  # type: ignore[typeddict-unknown-key]

    def on_headers_complete(self) -> None:
        """Begin the request, unless its head is too large."""
        limits = self.limits
        self._is_in_head = False
        self._stop_head_timer()
        limits.idle.pop(self, None)
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if len(self.headers) > limits.head_lines or size > limits.head_bytes:
            self._refuse_head()
            return
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Wait for the next head."""
        if self._cycle is not None:
            super().on_message_complete()
        self._is_in_head = True
        self._head_bytes = 0

    def on_body(self, body: bytes) -> None:
        """Take a part of a body; what follows a refused head is dropped."""
        if self._cycle is not None and not self.transport.is_closing():
            super().on_body(body)

    def on_response_complete(self) -> None:
        """Idle, or end; an end that the peer does not read comes by itself."""
        super().on_response_complete()
        self._unread = math.inf
        if self.transport.is_closing():
            self.end()
        elif not self.pipeline:
            self.limits.idle[self] = None

    def pause_writing(self) -> None:
        """Note that the peer is behind: whoever answers it waits now, but not for ever."""
        super().pause_writing()
        self._unread = math.inf
        self._stall_timer = self.loop.call_later(_FLUSH_SECONDS, self._on_stall)

    def resume_writing(self) -> None:
        """Note that the peer caught up."""
        self._stop_stall_timer()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """End an idle connection."""
        self.end()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the shape of all errors."""
        self._refuse(400, "bad_http", msg)

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: that somebody asks for another protocol is no event."""

    # --- the application calls these

    @property
    def has_whole_body(self) -> bool:
        """Whether nothing of the present request is still to come: it can be read at once."""
        return self._cycle is not None and not self._cycle.more_body and not self.pipeline

    def send_whole(self, scope: Scope, head: bytes, content: bytes) -> bool:
        """Send a response of a known length in one write, without looking at each header again.

        uvicorn writes head and body one after the other, which is two system calls and two packets.
        Say whether it was sent: not if the peer does not read, or waits for another answer first.
        """
        cycle = self._cycle
        if (
            cycle is None
            or cycle.scope is not scope
            or cycle.response_started
            or cycle.disconnected
            or cycle.flow.write_paused
            or scope["method"] == "HEAD"
        ):
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        lines = [b"%s: %s\r\n" % line for line in cycle.default_headers]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        self.transport.write(b"".join((head, *lines, b"\r\n", content)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

    # ---

    @property
    def _cycle(self) -> RequestResponseCycle | None:
        """The last request whose head was read; uvicorn's type forgets that there may be none."""
        return self.cycle

    @property
    def _is_answering(self) -> bool:
        return self._cycle is not None and not self._cycle.response_complete

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self._on_slow_head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _on_slow_head(self) -> None:
        self._head_timer = None
        if self._is_answering:
            self._expect_head()  # nothing is read before the answer that is under way
        elif self._head_bytes:
            self._refuse(408, "head_timeout", "the head of the request took too long")
        else:
            self.transport.abort()

    def _refuse_head(self) -> None:
        self._refuse(431, "large_head", "the head of the request is too large")

    def _refuse(self, status: int, error: str, message: str, *lines: str) -> None:
        """Answer without the application, and end the connection."""
        if self.transport.is_closing():
            return
        self._stop_head_timer()
        self.limits.idle.pop(self, None)
        cycle = self._cycle
        is_begun = cycle is not None and cycle.response_started and not cycle.response_complete
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True  # nobody reads what the application has to say
            cycle.message_event.set()
        if not self.pipeline and not is_begun:
            content = error_body(message)
            head = [
                f"HTTP/1.1 {status} {_REASONS[status]}",
                "content-type: application/json",
                f"content-length: {len(content)}",
                f"veridical-error: {error}",
                *lines,
                "connection: close",
            ]
            self.transport.write("\r\n".join(head).encode("ascii") + b"\r\n\r\n" + content)
        self.end()

    def end(self) -> None:
        """End the connection once its peer has read everything, or reads no more."""
        self.transport.close()
        if self._is_read_on():
            self.loop.call_later(_FLUSH_SECONDS, self.end)

    def _on_stall(self) -> None:
        if self._is_read_on():
            self._stall_timer = self.loop.call_later(_FLUSH_SECONDS, self._on_stall)

    def _stop_stall_timer(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _is_read_on(self) -> bool:
        """Say whether the peer still reads what it has to; cut it off if it stopped."""
        unread = self.transport.get_write_buffer_size()
        if unread == 0:
            return False
        if unread > self._unread - _LEAST_BYTES:
            self.transport.abort()
            return False
        self._unread = unread
        return True


_REASONS: Final = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def guarded(connection_limits: ConnectionLimits) -> type[GuardedProtocol]:
    """Return the protocol of a server with these limits."""

    class Protocol(GuardedProtocol):
        limits = connection_limits

    return Protocol


def raise_open_files() -> int:
    """Raise how many files this process may have open, and return how many connections that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft == resource.RLIM_INFINITY:
        soft = _MAX_FILES
    elif soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return max(soft - _RESERVED_FILES, soft // 2)
