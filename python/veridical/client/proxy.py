"""A proxy on this machine: any client of the protocol gets verified answers, or an error.

Spec: spec/v1/serve.md, section 8. It fails closed: what did not verify is not passed on, and
nothing that the gateway says with a status of success is.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from veridical.client.wire import GatewayError
from veridical.errors import Error, InputError, UndecidedError
from veridical.files import write_whole
from veridical.inference_protocol import (
    HEADER_LENGTH,
    InferRequest,
    ProtocolError,
    encode_response,
    parse_request,
)
from veridical.origins import Origins

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from veridical.client.async_client import AsyncClient
    from veridical.client.checking import Answer

__all__ = ["ProxyOptions", "make_proxy"]

#: As much as a gateway takes by default, and some.
_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
#: Of all requests under way, which may wait for a proof for long.
_MAX_HELD_BYTES: Final = 256 * 1024 * 1024
_BODY_SECONDS: Final = 60.0
_BAD_GATEWAY: Final = 502
_ERRORS: Final = range(400, 600)
_SALT_DIGITS: Final = 64
#: Options of the gateway by header; the values of parameters have these types.
_OPTIONS: Final[dict[str, tuple[str, type]]] = {
    "veridical-tier": ("tier", str),
    "veridical-nonce": ("nonce", str),
    "veridical-deadline-ms": ("deadline_ms", int),
    "veridical-private": ("private", bool),
    "veridical-salt": ("salt", str),
    "veridical-inline-receipt": ("receipt", bool),
    "veridical-share": ("share", bool),
}


def _to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOptions:
    """How a proxy is run."""

    #: Fetch log proofs with each receipt, for a policy that asks for them.
    is_logged: bool = False
    #: Keep the receipt of each answer that is passed on here.
    keep: Path | None = None
    #: Pages of other origins that may ask; none by default.
    pages: tuple[str, ...] = ()
    #: Where one line for each answer goes.
    report: Callable[[str], None] = field(default=_to_stderr)


def make_proxy(client: AsyncClient, options: ProxyOptions | None = None) -> ASGIApp:
    """Return an application that asks with a client."""
    proxy = _Proxy(client, options or ProxyOptions())

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await client.close()

    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v2/models/{model}/infer", proxy.infer, methods=["POST"]),
            Route("/v2/models/{model}/versions/1/infer", proxy.infer, methods=["POST"]),
            # Not verified, and nothing rests on it: metadata and health.
            Route("/v2", proxy.pass_on),
            Route("/v2/health/live", proxy.pass_on),
            Route("/v2/health/ready", proxy.pass_on),
            Route("/v2/models/{model}", proxy.pass_on),
            Route("/v2/models/{model}/ready", proxy.pass_on),
            Route("/v2/models/{model}/versions/1", proxy.pass_on),
            Route("/v2/models/{model}/versions/1/ready", proxy.pass_on),
        ],
    )
    return _OfThisMachine(app, Origins(pages=(options or ProxyOptions()).pages))


class _OfThisMachine:
    """Refuses pages of other sites, and names that somebody points at this machine."""

    def __init__(self, app: ASGIApp, origins: Origins) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "http":
            names = [name for name, _ in scope["headers"]]
            problem = self._origins.problem(scope["method"], dict(scope["headers"]))
            if any(names.count(name) > 1 for name in (b"host", b"origin")):
                problem = "bad_host", "a header that decides who asks stands twice"
            if problem is not None:
                await _error(403, *problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Proxy:
    def __init__(self, client: AsyncClient, options: ProxyOptions) -> None:
        self._client = client
        self._options = options
        self._held_bytes = 0

    async def infer(self, request: Request) -> Response:
        """Ask, verify, and pass on."""
        start = time.perf_counter()
        model = request.path_params["model"]
        body = bytearray()
        try:
            await self._read(request, body)
            response, line = await self._infer(request, model, bytes(body))
        except ProtocolError as error:
            return _error(error.status, error.error, error.message)
        except InputError as error:
            return _error(400, "bad_inputs", str(error))
        except GatewayError as error:
            # A status of success or a redirect that carries no answer is no error of the caller's.
            status = error.status if error.status in _ERRORS else _BAD_GATEWAY
            response = _error(status, error.name or "gateway", error.message, error.retry_after)
            line = f"no answer: {error.message}"
        except Error as error:  # rejected or undecided: the answer stays here
            name = f"{type(error).__name__} ({error.check or 'no check'})"
            response = _error(_BAD_GATEWAY, "not_verified", f"{name}: {error}")
            response.headers["Veridical-Check"] = error.check or ""
            verdict = "undecided" if isinstance(error, UndecidedError) else "refused"
            line = f"{verdict}: {name}: {error}"
        finally:
            self._held_bytes -= len(body)
        took = (time.perf_counter() - start) * 1000
        self._options.report(_one_line(f"{model}: {line} [{took:.0f} ms]"))
        return response

    async def pass_on(self, request: Request) -> Response:
        """Pass on what the gateway says of itself."""
        try:
            reply = await self._client.read(request.url.path)
        except Error as error:
            return _error(_BAD_GATEWAY, "gateway", str(error))
        if reply.status != 200 and reply.status not in _ERRORS:  # noqa: PLR2004 - OK
            return _error(_BAD_GATEWAY, "gateway", f"the gateway answers with {reply.status}")
        return Response(
            reply.content,
            status_code=reply.status,
            media_type="application/json",
            headers={"X-Content-Type-Options": "nosniff"},
        )

    async def _read(self, request: Request, body: bytearray) -> None:
        """Read a body, and stop where it is too large, too slow, or one too many."""
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise ProtocolError(415, "bad_encoding", f"content encoding {encoding[:40]!r}")
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    self._held_bytes += len(chunk)
                    if len(body) > _MAX_BODY_BYTES:
                        raise ProtocolError(
                            413, "too_large", f"the body is larger than {_MAX_BODY_BYTES} bytes"
                        )
                    if self._held_bytes > _MAX_HELD_BYTES:
                        raise ProtocolError(503, "overloaded", "too many requests are under way")
        except TimeoutError as error:
            raise ProtocolError(408, "body_timeout", "the body took too long") from error

    async def _infer(self, request: Request, model: str, body: bytes) -> tuple[Response, str]:
        parsed = await asyncio.to_thread(parse_request, body, request.headers.get(HEADER_LENGTH))
        asked = _options(parsed, request.headers)
        has_receipt = asked.pop("receipt", True)
        salt = asked.pop("salt", None)
        answer = await self._client.infer(
            model,
            parsed.inputs,
            tier=asked.pop("tier", "reexecution"),
            nonce=asked.pop("nonce", None) or None,
            salt=None if salt is None else _salt(salt),
            logged=self._options.is_logged,
            parameters=asked,
        )
        unknown = set(parsed.outputs) - set(answer.outputs)
        if unknown:
            raise ProtocolError(400, "bad_outputs", f"no output {min(unknown)[:80]!r}")
        if self._options.keep is not None:
            await asyncio.to_thread(_keep, self._options.keep, answer)
        verified = answer.verified
        response = await asyncio.to_thread(
            _response, model, parsed, answer, has_receipt=bool(has_receipt)
        )
        return response, f"verified ({verified.tier or 'no tier'}) {verified.receipt_id}"


def _options(parsed: InferRequest, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return what is asked of the gateway, from parameters and headers, which must agree.

    The request's own id is no nonce: it may repeat, and then an older answer would do.
    """
    asked = {k: v for k, v in parsed.parameters.items() if k != "binary_data_output"}
    for header, (name, kind) in _OPTIONS.items():
        text = headers.get(header)
        if text is not None:
            value = _read(text, kind, header)
            if asked.setdefault(name, value) != value:
                raise _bad_option(name, "the parameter and the header differ")
        if name in asked and type(asked[name]) is not kind:
            raise _bad_option(name, f"expected {_KINDS[kind]}")
    return asked


_KINDS: Final = {str: "a string", int: "an integer", bool: "true or false"}


def _read(text: str, kind: type, header: str) -> str | int | bool:
    if kind is bool:
        if text not in {"true", "false"}:
            raise _bad_option(header, "expected true or false")
        return text == "true"
    if kind is int:
        if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - above every limit
            raise _bad_option(header, "expected an integer")
        return int(text)
    return text


def _salt(text: str) -> bytes:
    if len(text) != _SALT_DIGITS or set(text) - set("0123456789abcdef"):
        raise _bad_option("salt", f"expected {_SALT_DIGITS} lower-case hexadecimal digits")
    return bytes.fromhex(text)


def _bad_option(name: str, message: str) -> ProtocolError:
    return ProtocolError(400, "bad_option", f"{name}: {message}")


def _keep(folder: Path, answer: Answer) -> None:
    digest = answer.verified.receipt_id.removeprefix("sha256:")
    write_whole(folder / f"{digest}.receipt.json", answer.receipt, what="the receipt")


def _response(model: str, parsed: InferRequest, answer: Answer, *, has_receipt: bool) -> Response:
    verified = answer.verified
    parameters: dict[str, Any] = {
        "receipt_id": verified.receipt_id,
        "tier": verified.tier or "",
    }
    if has_receipt:
        parameters["receipt"] = answer.receipt.decode("ascii")
    content, head = encode_response(
        model=model, version="1", request=parsed, outputs=answer.outputs, parameters=parameters
    )
    headers = {
        "Veridical-Receipt": verified.receipt_id,
        "Veridical-Tier": verified.tier or "",
        "X-Content-Type-Options": "nosniff",
    }
    if head is None:
        return Response(content, headers=headers, media_type="application/json")
    headers[HEADER_LENGTH] = str(head)
    return Response(content, headers=headers, media_type="application/octet-stream")


def _error(status: int, error: str, message: str, retry_after: int | None = None) -> Response:
    headers = {"Veridical-Error": error if error.isascii() and error.isprintable() else "gateway"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return Response(
        orjson.dumps({"error": message}),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )


def _one_line(text: str) -> str:
    """Escape what could command a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)[:1000]
