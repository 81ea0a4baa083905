"""`Client`: `AsyncClient` for code that waits.

One loop in a thread of its own carries the bytes, so both clients are one implementation, and a
deadline ends a call at any point of an exchange.
"""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx

from veridical.client.async_client import AsyncClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping

    from numpy.typing import NDArray

    from veridical.client.checking import Answer, Trust
    from veridical.client.wire import Progress
    from veridical.tlog import NoteKey, SignedCheckpoint

__all__ = ["Client"]

T = TypeVar("T")


class Client:
    """Asks a gateway; every answer was verified under the policy of `trust`. A context manager."""

    def __init__(
        self,
        url: str,
        trust: Trust,
        *,
        transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        **options: Any,  # noqa: ANN401 - of AsyncClient
    ) -> None:
        """Connect lazily; the arguments are those of `AsyncClient`."""
        if isinstance(transport, httpx.BaseTransport) and not isinstance(
            transport, httpx.AsyncBaseTransport
        ):
            transport = _InThreads(transport)
        self._client = AsyncClient(url, trust, transport=transport, **options)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="veridical-client", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections and end the thread."""
        if self._loop.is_closed():
            return
        try:
            self._run(self._client.close())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def infer(
        self,
        model: str,
        inputs: Mapping[str, NDArray[Any]],
        *,
        tier: str = "reexecution",
        salt: bytes | None = None,
        logged: bool = False,
        nonce: str | None = None,
        parameters: Mapping[str, str | int | bool] | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """Ask a model, and return the verified answer; as `AsyncClient.infer`."""
        return self._run(
            self._client.infer(
                model,
                inputs,
                tier=tier,
                salt=salt,
                logged=logged,
                nonce=nonce,
                parameters=parameters,
                progress=progress,
            )
        )

    def upgrade(
        self,
        answer: Answer,
        *,
        tier: str = "zk",
        progress: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """Ask for a proof of an answer; as `AsyncClient.upgrade`."""
        return self._run(self._client.upgrade(answer, tier=tier, progress=progress))

    def follow(self, log: NoteKey) -> SignedCheckpoint:
        """Return the newest checkpoint of the gateway's log; as `AsyncClient.follow`."""
        return self._run(self._client.follow(log))

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # interrupted: nobody waits any more
            raise


class _InThreads(httpx.AsyncBaseTransport):
    """A transport for code that waits, each request in a thread."""

    def __init__(self, transport: httpx.BaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request."""
        await request.aread()
        response = await asyncio.to_thread(self._transport.handle_request, request)
        if isinstance(response.stream, httpx.SyncByteStream) and not isinstance(
            response.stream, httpx.AsyncByteStream
        ):
            response.stream = _Pieces(response.stream)
        return response

    async def aclose(self) -> None:
        """Close."""
        await asyncio.to_thread(self._transport.close)


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces: Iterator[bytes] = iter(self._stream)
        while True:
            piece = await asyncio.to_thread(next, pieces, None)
            if piece is None:
                return
            yield piece

    async def aclose(self) -> None:
        await asyncio.to_thread(self._stream.close)
