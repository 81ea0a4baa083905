"""`Client` and `AsyncClient`: ask a gateway, and get what was verified or an exception.

Spec: spec/v1/serve.md, section 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import quote

import httpx

from veridical.client.checking import Answer, Trust, frozen, new_nonce
from veridical.client.wire import (
    GatewayError,
    Unchecked,
    encode_question,
    error_message,
    read_response,
)
from veridical.errors import OversizeError
from veridical.receipt import RECEIPT_MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["AsyncClient", "Client"]

_TIMEOUT_SECONDS: Final = 60.0
_MAX_RESPONSE_BYTES: Final = 4 * RECEIPT_MAX_BYTES


class _Asking:
    """One question: what is sent, and what its answer is compared with."""

    def __init__(
        self,
        trust: Trust,
        model: str,
        question: Mapping[str, NDArray[Any]],
        *,
        salt: bytes | None,
        is_logged: bool,
    ) -> None:
        self._trust = trust
        self._model = model
        self._question = frozen(question)
        self._nonce = new_nonce()
        self.is_logged = is_logged
        self.path = f"/v2/models/{quote(model, safe='')}/infer"
        parameters: dict[str, Any] = {"nonce": self._nonce}
        if salt is not None:
            parameters["salt"] = salt.hex()
        self.body, self.headers = encode_question(self._question, parameters)

    def receipt_path(self, unchecked: Unchecked) -> str:
        """Return where the receipt stands with its log proofs."""
        return f"/v1/receipts/{quote(str(unchecked.parameters.get('receipt_id')), safe=':')}"

    def check(self, unchecked: Unchecked, receipt: bytes) -> Answer:
        """Verify; see `Trust.check`."""
        return self._trust.check(
            receipt,
            model=self._model,
            question=self._question,
            outputs=unchecked.outputs,
            nonce=self._nonce,
        )


class Client:
    """Asks a gateway. Every answer was verified under the policy of `trust`; a context manager."""

    def __init__(
        self,
        url: str,
        trust: Trust,
        *,
        api_key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """Connect lazily; `transport` replaces the network."""
        self._trust = trust
        self._http = httpx.Client(
            base_url=url, headers=_headers(api_key), timeout=timeout, transport=transport
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def infer(
        self,
        model: str,
        question: Mapping[str, NDArray[Any]],
        *,
        salt: bytes | None = None,
        logged: bool = False,
    ) -> Answer:
        """Ask a model, and return the verified answer.

        `salt` keeps the commitments closed to others. `logged` fetches the log proofs too, which a
        policy with `RequireLogged` needs.

        Raises:
            VerificationError: the answer is rejected.
            UndecidedError: something that a check needs was not given.
            GatewayError: there is no answer.
        """
        asking = _Asking(self._trust, model, question, salt=salt, is_logged=logged)
        response = self._send("POST", asking.path, content=asking.body, headers=asking.headers)
        unchecked = read_response(response.status_code, response.headers, response.content)
        receipt = unchecked.receipt
        if asking.is_logged:
            receipt = _content(self._send("GET", asking.receipt_path(unchecked)))
        return asking.check(unchecked, receipt)

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - of httpx
        try:
            with self._http.stream(method, path, **options) as response:
                content = _Limited()
                for chunk in response.iter_bytes():
                    content.add(chunk)
        except httpx.HTTPError as error:
            raise _no_answer(error, path) from error
        return _read(response, content.content())


class AsyncClient:
    """`Client` for asyncio; an asynchronous context manager."""

    def __init__(
        self,
        url: str,
        trust: Trust,
        *,
        api_key: str | None = None,
        timeout: float = _TIMEOUT_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Connect lazily; `transport` replaces the network."""
        self._trust = trust
        self._http = httpx.AsyncClient(
            base_url=url, headers=_headers(api_key), timeout=timeout, transport=transport
        )

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def infer(
        self,
        model: str,
        question: Mapping[str, NDArray[Any]],
        *,
        salt: bytes | None = None,
        logged: bool = False,
    ) -> Answer:
        """Ask a model, and return the verified answer; as `Client.infer`."""
        asking = _Asking(self._trust, model, question, salt=salt, is_logged=logged)
        response = await self._send(
            "POST", asking.path, content=asking.body, headers=asking.headers
        )
        unchecked = read_response(response.status_code, response.headers, response.content)
        receipt = unchecked.receipt
        if asking.is_logged:
            receipt = _content(await self._send("GET", asking.receipt_path(unchecked)))
        return asking.check(unchecked, receipt)

    async def read(self, path: str) -> tuple[int, bytes]:
        """Return status and content of a route; nothing of it is verified.

        Raises:
            GatewayError: there is no answer.
        """
        response = await self._send("GET", path)
        return response.status_code, response.content

    async def _send(self, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - of httpx
        try:
            async with self._http.stream(method, path, **options) as response:
                content = _Limited()
                async for chunk in response.aiter_bytes():
                    content.add(chunk)
        except httpx.HTTPError as error:
            raise _no_answer(error, path) from error
        return _read(response, content.content())


class _Limited:
    """Collects a body, and stops where it is larger than any answer."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> None:
        """Take one piece."""
        self._size += len(chunk)
        if self._size > _MAX_RESPONSE_BYTES:
            raise OversizeError(f"the response is larger than {_MAX_RESPONSE_BYTES} bytes")
        self._chunks.append(chunk)

    def content(self) -> bytes:
        """Return the whole."""
        return b"".join(self._chunks)


def _read(response: httpx.Response, content: bytes) -> httpx.Response:
    """Return a response whose body is there; it was decoded already."""
    headers = [(k, v) for k, v in response.headers.items() if k.lower() != "content-encoding"]
    return httpx.Response(response.status_code, headers=headers, content=content)


def _content(response: httpx.Response) -> bytes:
    if response.status_code != 200:  # noqa: PLR2004 - a receipt
        raise GatewayError(error_message(response.content), status=response.status_code)
    return response.content


def _no_answer(error: httpx.HTTPError, path: str) -> GatewayError:
    return GatewayError(f"no answer: {type(error).__name__}: {error}", where=path)


def _headers(api_key: str | None) -> dict[str, str]:
    return {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
