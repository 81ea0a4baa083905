"""Bodies that end: bounded in bytes and in time, and never unpacked.

A client asks for bodies as they are and refuses any encoding: a few kilobytes of a compressed body
unpack into more than a machine has. One deadline bounds all exchanges of a call, however slowly
bytes drip; the timeouts of httpx are for one wait each.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from veridical.client.wire import GatewayError
from veridical.errors import MalformedError, OversizeError
from veridical.receipt import RECEIPT_MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

__all__ = ["Deadline", "Reply", "Transfer"]

#: Outputs and a receipt, the largest that there is.
MAX_RESPONSE_BYTES: Final = 4 * RECEIPT_MAX_BYTES
#: What an error may say.
ERROR_MAX_BYTES: Final = 64 * 1024
_RESULTS: Final = (200, 202)
#: Of the header Content-Length; more is no length of ours.
_MAX_DIGITS: Final = 18
#: Nothing ran at the gateway: asking again with the same nonce repeats nothing.
_NOT_RUN: Final = (429, 503)
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 30.0


class Deadline:
    """When a call has to be over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._until = time.monotonic() + seconds

    def left(self) -> float:
        """Return how many seconds are left.

        Raises:
            GatewayError: none.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> GatewayError:
        """Return the error of a call that took too long."""
        return GatewayError(f"no answer within {self.seconds:g} s", name="deadline")

    async def pause(self, seconds: float) -> None:
        """Wait; not longer than until the end.

        Raises:
            GatewayError: the end would come first.
        """
        if seconds >= self.left():
            raise self.passed()
        await asyncio.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Reply:
    """A response that was read to its end."""

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


class Transfer:
    """Sends requests of one client."""

    def __init__(self, http: httpx.AsyncClient, *, retries: int) -> None:
        self._http = http
        self._retries = retries

    async def send(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        *,
        max_bytes: int = MAX_RESPONSE_BYTES,
        **options: Any,  # noqa: ANN401 - of httpx
    ) -> Reply:
        """Return a whole response.

        A request is sent again, unchanged, where nothing can have come of it: the connection was
        refused, or the gateway says that it did not run (429 and 503); if it asks for nothing but
        to read, after any failure of the network.

        Raises:
            GatewayError: there is no answer, or not in time.
            MalformedError: the answer is encoded, or too large.
        """
        pause = _FIRST_PAUSE
        for attempt in range(self._retries + 1):
            is_last = attempt == self._retries
            try:
                reply = await self._once(method, path, deadline, max_bytes, options)
            except httpx.HTTPError as error:
                is_safe = method == "GET" or isinstance(
                    error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout
                )
                if is_last or not is_safe:
                    raise _no_answer(error, path) from error
            else:
                if is_last or reply.status not in _NOT_RUN:
                    return reply
                pause = max(pause, _asked_pause(reply.headers))
                if pause >= deadline.left():  # there is an answer: it is said instead of the time
                    return reply
            await deadline.pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        raise deadline.passed()

    async def _once(
        self, method: str, path: str, deadline: Deadline, max_bytes: int, options: dict[str, Any]
    ) -> Reply:
        try:
            async with asyncio.timeout(deadline.left()):
                async with self._http.stream(method, path, **options) as response:
                    content = await _body(response, max_bytes)
        except TimeoutError as error:
            raise deadline.passed() from error
        return Reply(response.status_code, response.headers, content)


def asked_headers(api_key: str | None) -> dict[str, str]:
    """Return the headers of every request."""
    headers = {"Accept-Encoding": "identity"}
    return headers if api_key is None else {**headers, "Authorization": f"Bearer {api_key}"}


async def _body(response: httpx.Response, max_bytes: int) -> bytes:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise MalformedError(f"the response is encoded: {encoding[:40]!r}", check="encoding")
    limit = max_bytes if response.status_code in _RESULTS else min(max_bytes, ERROR_MAX_BYTES)
    declared = response.headers.get("content-length", "")
    if declared.isdigit() and (len(declared) > _MAX_DIGITS or int(declared) > limit):
        raise _oversize(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in _chunks(response):
        size += len(chunk)
        if size > limit:
            raise _oversize(limit)
        chunks.append(chunk)
    return b"".join(chunks)


async def _chunks(response: httpx.Response) -> AsyncIterator[bytes]:
    if response.is_stream_consumed:  # a transport that has the body in memory
        yield response.content
        return
    async for chunk in response.aiter_raw():
        yield chunk


def _oversize(limit: int) -> OversizeError:
    return OversizeError(f"the response has more than {limit} bytes", check="size")


def _asked_pause(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < _MAX_DIGITS else 0.0


def _no_answer(error: httpx.HTTPError, path: str) -> GatewayError:
    return GatewayError(f"no answer: {type(error).__name__}: {error}", where=path, name="network")
