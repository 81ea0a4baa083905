"""One request and its response: what is read of it, within which limits, and how it is answered.

Spec: spec/v1/serve.md, sections 1 and 2.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from veridical.inference_protocol import ProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.types import Message, Receive, Scope, Send

__all__ = ["CONNECTION", "JSON", "ClientGoneError", "Exchange", "Limits", "error_body"]

JSON: Final = b"application/json"
#: What stands in every response: it is of its caller alone, and of the type that it says.
_NOT_KEPT: Final = b"no-store"
_STANDARD: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_STANDARD_LINES: Final = b"".join(b"%s: %s\r\n" % line for line in _STANDARD)
#: Where a request names the connection that it came by.
CONNECTION: Final = "veridical.connection"
#: Headers that decide who asks or how a body is read: two of them have two readings.
_SINGLE: Final = frozenset(
    {
        b"authorization",
        b"content-encoding",
        b"content-type",
        b"host",
        b"inference-header-content-length",
        b"origin",
        b"x-api-key",
    }
)
_OPTION: Final = b"veridical-"
#: Routes other than inference read no body; what comes anyway is read up to here.
_SMALL_BODY: Final = 64 * 1024
_SMALL_SECONDS: Final = 1.0
#: What is read after a refusal, so that its sender gets to read the refusal.
_LINGER_BYTES: Final = 8 * 1024 * 1024
_LINGER_SECONDS: Final = 2.0
_ID_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
_MAX_ID: Final = 64

_run: Final = secrets.token_hex(4)
_number: Final = count(1)


class ClientGoneError(Exception):
    """The client went away before its request was whole; nobody reads an answer."""


class Limits:
    """How long bodies may take; a stop of the server makes it less for those under way."""

    def __init__(self, *, body_bytes: int, body_seconds: float) -> None:
        self.body_bytes = body_bytes
        self.body_seconds = body_seconds
        self._reading: set[asyncio.Timeout] = set()

    def timeout(self) -> asyncio.Timeout:
        """Return the time that a body has from now on; end it with `forget`."""
        timeout = asyncio.timeout(self.body_seconds)
        self._reading.add(timeout)
        return timeout

    def forget(self, timeout: asyncio.Timeout) -> None:
        """Note that a body was read."""
        self._reading.discard(timeout)

    def hurry(self, seconds: float) -> None:
        """Leave bodies under way, and those to come, no more than this."""
        self.body_seconds = min(self.body_seconds, seconds)
        latest = asyncio.get_running_loop().time() + seconds
        for timeout in self._reading:
            end = timeout.when()
            if end is None or end > latest:
                timeout.reschedule(latest)


class Exchange:
    """One request and its response."""

    __slots__ = (
        "_receive",
        "_send",
        "error",
        "headers",
        "is_read",
        "key_id",
        "method",
        "num_read",
        "num_sent",
        "path",
        "repeated",
        "request_id",
        "route",
        "scope",
        "started_at",
        "status",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request of the server; nothing of its body is read."""
        self.started_at = time.perf_counter()
        self.scope = scope
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        headers: dict[bytes, bytes] = {}
        self.repeated = b""
        for name, value in scope["headers"]:
            if name in headers and (name in _SINGLE or name.startswith(_OPTION)):
                self.repeated = name
            headers[name] = value
        self.headers = headers
        given = headers.get(b"x-request-id", b"")
        if given and len(given) <= _MAX_ID and not given.translate(None, _ID_CHARACTERS):
            self.request_id = given
        else:
            self.request_id = b"%s-%x" % (_run.encode(), next(_number))
        #: Nothing follows: whoever sends a body says so in one of two headers.
        self.is_read = (
            headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers
        )
        self.status = 0
        self.num_read = 0
        self.num_sent = 0
        self.route = ""
        self.error = ""
        self.key_id = ""

    def seconds(self) -> float:
        """Return how long ago the request came."""
        return time.perf_counter() - self.started_at

    def text(self, name: bytes) -> str | None:
        """Return a header."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def options(self) -> dict[str, str]:
        """Return the headers that carry options."""
        return {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in self.headers.items()
            if name.startswith(_OPTION)
        }

    # --- the body

    def declared_bytes(self, limit: int) -> int | None:
        """Return the size that a body is said to have; None if it comes in parts.

        Raises:
            ProtocolError: it is compressed, or larger than the limit.
        """
        encoding = self.headers.get(b"content-encoding", b"identity")
        if encoding.lower() != b"identity":
            raise ProtocolError(415, "bad_encoding", f"content encoding {encoding[:40]!r}")
        if b"transfer-encoding" in self.headers:
            return None
        declared = self.headers.get(b"content-length", b"0")
        if not declared.isdigit() or len(declared) > 18 or int(declared) > limit:  # noqa: PLR2004 - petabytes
            raise _too_large(limit)
        return int(declared)

    async def body(self, limits: Limits, take: Callable[[int], None]) -> bytes:
        """Read the body; `take` is told of each part of one whose size is not known before.

        Raises:
            ProtocolError: it is larger or slower than the limits.
            ClientGoneError: it ends before its end.
        """
        is_declared = self.declared_bytes(limits.body_bytes) is not None
        if self.is_read:
            return b""
        connection = self.scope.get(CONNECTION)
        if connection is not None and connection.has_whole_body:  # no time has to be measured
            whole, has_more = await self._part()
            if not has_more and self.num_read <= limits.body_bytes:
                if not is_declared:
                    take(len(whole))
                return whole
            raise _too_large(limits.body_bytes)
        timeout = limits.timeout()
        try:
            async with timeout:
                parts: list[bytes] = []
                has_more = True
                while has_more:
                    part, has_more = await self._part()
                    if self.num_read > limits.body_bytes:
                        raise _too_large(limits.body_bytes)
                    if not is_declared:
                        take(len(part))
                    parts.append(part)
                return parts[0] if len(parts) == 1 else b"".join(parts)
        except TimeoutError as error:
            raise ProtocolError(408, "body_timeout", "the body took too long to arrive") from error
        finally:
            limits.forget(timeout)

    async def skip_body(self) -> bool:
        """Read a small body that nobody needs; say whether all of it came."""
        if self.is_read:
            return True
        declared = self.headers.get(b"content-length", b"")
        if len(declared) > 5:  # noqa: PLR2004 - 100 kB and more
            return False
        has_more = True
        try:
            async with asyncio.timeout(_SMALL_SECONDS):
                while has_more and self.num_read <= _SMALL_BODY:
                    _, has_more = await self._part()
        except TimeoutError:
            return False
        return not has_more

    async def _part(self) -> tuple[bytes, bool]:
        """Return the next part of the body, and whether more follows."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_read = True
            raise ClientGoneError
        part: bytes = message.get("body", b"")
        self.num_read += len(part)
        has_more: bool = message.get("more_body", False)
        self.is_read = not has_more
        return part, has_more

    # --- the response

    async def respond(
        self,
        status: int,
        content: bytes,
        *,
        media: bytes = JSON,
        headers: Sequence[tuple[bytes, bytes]] = (),
        cache: bytes = _NOT_KEPT,
    ) -> None:
        """Answer. When the body was not read to its end the connection ends with the answer."""
        is_whole = self.is_read
        connection = self.scope.get(CONNECTION)
        if is_whole and connection is not None:
            self.status, self.num_sent = status, len(content)
            head = b"".join(
                (
                    STATUS_LINE[status],
                    b"content-type: %s\r\ncontent-length: %d\r\nx-request-id: %s\r\n"
                    b"cache-control: %s\r\n" % (media, len(content), self.request_id, cache),
                    _STANDARD_LINES,
                    *(b"%s: %s\r\n" % line for line in headers),
                )
            )
            if connection.send_whole(self.scope, head, content):
                return
        start: list[tuple[bytes, bytes]] = [
            (b"content-type", media),
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", self.request_id),
            (b"cache-control", cache),
            *_STANDARD,
            *headers,
        ]
        if not is_whole:
            start.append((b"connection", b"close"))
        self.status = status
        self.num_sent = len(content)
        await self._send({"type": "http.response.start", "status": status, "headers": start})
        if not is_whole:
            await self._send({"type": "http.response.body", "body": content, "more_body": True})
            await self._linger()
            content = b""
        await self._send({"type": "http.response.body", "body": content, "more_body": False})

    async def fail(
        self,
        error: ProtocolError,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Answer with an error in the protocol's shape."""
        if self.status:  # the head of another answer is on its way: the connection ends
            raise error
        self.error = error.error
        more = [(b"veridical-error", error.error.encode("ascii")), *headers]
        if error.retry_after is not None:
            more.append((b"retry-after", b"%d" % error.retry_after))
        if error.status == 401:  # noqa: PLR2004 - unauthorized
            more.append((b"www-authenticate", b"Bearer"))
        if not self.is_read:
            try:
                await self.skip_body()
            except ClientGoneError:
                return
        await self.respond(error.status, error_body(error.message), headers=more)

    async def send(self, message: Message) -> None:
        """Pass a part of a response on, with what stands in every one."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.setdefault("headers", [])
            message["headers"] = [
                *((name, value) for name, value in given if name != b"cache-control"),
                (b"x-request-id", self.request_id),
                (b"cache-control", _NOT_KEPT),
                *_STANDARD,
            ]
        elif message["type"] == "http.response.body":
            self.num_sent += len(message.get("body", b""))
        await self._send(message)

    async def receive(self) -> Any:  # noqa: ANN401 - of ASGI
        """Return what the server says next."""
        return await self._receive()

    async def _linger(self) -> None:
        """Read on for a while; closing over unread bytes would take the answer back."""
        until = self.num_read + _LINGER_BYTES
        has_more = True
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while has_more and self.num_read < until:
                    _, has_more = await self._part()
        except (TimeoutError, ClientGoneError):
            return


def error_body(message: str) -> bytes:
    """Return the body of an error; what cannot be encoded is escaped."""
    return orjson.dumps({"error": message.encode("utf-8", "backslashreplace").decode("utf-8")})


def _too_large(limit: int) -> ProtocolError:
    return ProtocolError(413, "too_large", f"the body is larger than {limit} bytes")
