"""A cosigner as an HTTP service: `POST /add-checkpoint` of https://c2sp.org/tlog-witness.

Spec: spec/v1/log.md, section 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from veridical.tlog.cosigner import REQUEST_MAX_BYTES

if TYPE_CHECKING:
    from starlette.requests import Request

    from veridical.tlog import Cosigner

__all__ = ["make_service"]

_TEXT = "text/plain; charset=utf-8"


def make_service(cosigner: Cosigner) -> Starlette:
    """Return the application of one cosigner."""

    async def add_checkpoint(request: Request) -> Response:
        body = bytearray()
        try:
            async for chunk in request.stream():
                body += chunk
                if len(body) > REQUEST_MAX_BYTES:
                    return Response(
                        b"log.format: the request is too large\n", 413, media_type=_TEXT
                    )
        except ClientDisconnect:
            return Response(status_code=400)
        answer = await run_in_threadpool(cosigner.add_checkpoint, bytes(body))
        # As a header of its own: `media_type` would add a charset to the type of a size.
        return Response(answer.body, answer.status, {"content-type": answer.content_type})

    async def vkey(_request: Request) -> Response:
        return Response(f"{cosigner.key.vkey}\n", media_type=_TEXT)

    return Starlette(
        routes=[
            Route("/add-checkpoint", add_checkpoint, methods=["POST"]),
            Route("/vkey", vkey, methods=["GET"]),
        ]
    )
