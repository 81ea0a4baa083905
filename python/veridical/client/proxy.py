"""A proxy on this machine: any client of the protocol gets verified answers, or an error.

Spec: spec/v1/serve.md, section 8. It fails closed: what did not verify is not passed on.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from veridical.client.wire import GatewayError
from veridical.errors import Error, InputError
from veridical.inference_protocol import (
    HEADER_LENGTH,
    ProtocolError,
    encode_response,
    parse_request,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from veridical.client.client import AsyncClient

__all__ = ["make_proxy"]

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_BAD_GATEWAY: Final = 502


def make_proxy(client: AsyncClient, *, is_logged: bool = False) -> Starlette:
    """Return an application that asks with a client; `is_logged` fetches log proofs too."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await client.close()

    async def infer(request: Request) -> Response:
        try:
            return await _infer(client, request, is_logged=is_logged)
        except ProtocolError as error:
            return _error(error.status, error.error, error.message)
        except InputError as error:
            return _error(400, "bad_inputs", str(error))
        except GatewayError as error:
            return _error(error.status or _BAD_GATEWAY, "gateway", error.message)
        except Error as error:  # rejected or undecided: the answer stays here
            return _error(_BAD_GATEWAY, "not_verified", f"{type(error).__name__}: {error}")

    async def passed_on(request: Request) -> Response:
        try:
            status, content = await client.read(request.url.path)
        except Error as error:
            return _error(_BAD_GATEWAY, "gateway", str(error))
        return Response(content, status_code=status, media_type="application/json")

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v2/models/{model}/infer", infer, methods=["POST"]),
            Route("/v2/models/{model}/versions/1/infer", infer, methods=["POST"]),
            # Not verified, and nothing rests on it: metadata and health.
            Route("/v2", passed_on),
            Route("/v2/health/live", passed_on),
            Route("/v2/health/ready", passed_on),
            Route("/v2/models/{model}", passed_on),
            Route("/v2/models/{model}/ready", passed_on),
        ],
    )


async def _infer(client: AsyncClient, request: Request, *, is_logged: bool) -> Response:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ProtocolError(413, "too_large", f"the body is larger than {MAX_BODY_BYTES} bytes")
    parsed = parse_request(bytes(body), request.headers.get(HEADER_LENGTH))
    model = request.path_params["model"]
    answer = await client.infer(model, parsed.inputs, logged=is_logged)
    unknown = set(parsed.outputs) - set(answer.outputs)
    if unknown:
        raise ProtocolError(400, "bad_outputs", f"no output {min(unknown)[:80]!r}")
    content, head = encode_response(
        model=model,
        version="1",
        request=parsed,
        outputs=answer.outputs,
        parameters={
            "receipt_id": answer.verified.receipt_id,
            "tier": answer.verified.tier or "",
            "receipt": answer.receipt.decode("ascii"),
        },
    )
    headers = {"Veridical-Receipt": answer.verified.receipt_id}
    if head is None:
        return Response(content, headers=headers, media_type="application/json")
    headers[HEADER_LENGTH] = str(head)
    return Response(content, headers=headers, media_type="application/octet-stream")


def _error(status: int, error: str, message: str) -> Response:
    return Response(
        orjson.dumps({"error": message}),
        status_code=status,
        headers={"Veridical-Error": error},
        media_type="application/json",
    )
