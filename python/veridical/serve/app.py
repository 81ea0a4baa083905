"""The HTTP surface: who may ask, which route answers, and what becomes of every error.

Spec: spec/v1/serve.md, sections 1 to 4.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.routing import Router

from veridical.errors import InputError, LogError
from veridical.inference_protocol import ProtocolError
from veridical.serve.exchange import CONNECTION, ClientGoneError, Exchange, Limits
from veridical.serve.infer import Inference
from veridical.serve.routes import EXCHANGE, Routes
from veridical.serve.storage import FencedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send

    from veridical.origins import Origins
    from veridical.serve.access import AccessLog
    from veridical.serve.connections import ConnectionLimits
    from veridical.serve.gateway import Gateway
    from veridical.serve.models import Model

__all__ = ["Edge", "GatewayApp", "make_app"]

_INFER: Final = "infer"
#: How long a body may still take once the server was asked to stop.
_HURRY_SECONDS: Final = 2.0
#: The machine is short of something for now.
_SHORTAGES: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN}
)

_logger = logging.getLogger("veridical.serve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What lies between a socket and the gateway; without any of it an app has no socket."""

    #: Looked at before anything else; None where callers are known by their keys.
    origins: Origins | None = None
    access_log: AccessLog | None = None
    connections: ConnectionLimits | None = None
    #: How long a body may take to arrive.
    body_seconds: float = 30.0


def make_app(gateway: Gateway, edge: Edge | None = None) -> GatewayApp:
    """Return the application of a gateway; it starts and stops with it."""
    return GatewayApp(gateway, Edge() if edge is None else edge)


class GatewayApp:
    """An ASGI application."""

    def __init__(self, gateway: Gateway, edge: Edge) -> None:
        self._gateway = gateway
        self._edge = edge
        self._limits = Limits(
            body_bytes=gateway.settings.max_body_bytes,
            body_seconds=edge.body_seconds,
        )
        self._inference = Inference(gateway, self._limits)
        self._routes = Routes(gateway, self._inference, edge.connections)
        self._router = Router(self._routes.table, redirect_slashes=False, lifespan=self._lifespan)
        #: The hot route by its whole path, without the router.
        self._models: dict[str, Model] = {}
        for name, model in gateway.models.items():
            self._models[f"/v2/models/{name}/infer"] = model
            self._models[f"/v2/models/{name}/versions/1/infer"] = model

    @property
    def routes(self) -> list[Route]:
        """Return all routes."""
        return self._routes.table

    def stop(self) -> None:
        """Begin to stop: streams end, slow bodies are not waited for, nothing is ready."""
        self._routes.stop()
        self._limits.hurry(_HURRY_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        exchange = Exchange(scope, receive, send)
        try:
            await self._answer(exchange)
        except ClientGoneError:
            exchange.error = "client_gone"
        except asyncio.CancelledError:
            await self._on_cancelled(exchange)
        except Exception as error:  # noqa: BLE001 - each becomes an answer
            await self._on_error(exchange, error)
        finally:
            route = exchange.route or "other"
            self._gateway.metrics.answered(route, exchange.status, exchange.seconds())
            if self._edge.access_log is not None:
                self._edge.access_log.note(exchange)

    async def _answer(self, exchange: Exchange) -> None:
        edge = self._edge
        if edge.origins is not None:
            problem = edge.origins.problem(exchange.method, exchange.headers)
            if problem is not None:
                raise ProtocolError(403, *problem)
        if exchange.repeated:
            name = exchange.repeated.decode("latin-1")
            raise ProtocolError(400, "bad_header", f"the header {name[:80]} stands twice")
        model = self._models.get(exchange.path) if exchange.method == "POST" else None
        if model is not None:
            exchange.route = _INFER
            caller = await self._routes.caller(exchange)
            await self._inference.answer(exchange, model, caller)
            return
        exchange.scope["app"] = self  # the router then raises what it does not find
        exchange.scope[EXCHANGE] = exchange
        await self._router(exchange.scope, exchange.receive, exchange.send)

    async def _on_error(self, exchange: Exchange, error: Exception) -> None:
        problem, headers = _problem(error, self._routes.allowed(exchange.path))
        if problem.status == 500:  # noqa: PLR2004 - ours alone
            request_id = exchange.request_id.decode("ascii")
            _logger.error("defect in request %s", request_id, exc_info=error)
        elif problem.status == 503 and not isinstance(error, ProtocolError):  # noqa: PLR2004
            _logger.warning("unavailable: %s: %s", type(error).__name__, error)
        if exchange.status:  # an answer has begun; only its end can say that it is none
            exchange.error = problem.error
            raise error
        await exchange.fail(problem, headers)

    async def _on_cancelled(self, exchange: Exchange) -> None:
        """Tell a client that hung up from a server that stops waiting."""
        connection = exchange.scope.get(CONNECTION)
        if connection is not None and connection.transport.is_closing():
            exchange.error = "client_gone"
            return
        if not exchange.status:
            await exchange.fail(
                ProtocolError(503, "shutting_down", "the gateway is shutting down", retry_after=5)
            )

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Any) -> AsyncIterator[None]:  # noqa: ANN401 - of the router
        self._gateway.start()
        fresh = asyncio.create_task(self._gateway.accounts.keep_fresh())
        try:
            yield
        finally:
            fresh.cancel()
            self._routes.stop()
            self._inference.close()
            await run_in_threadpool(self._gateway.close)


def _problem(error: Exception, allow: bytes) -> tuple[ProtocolError, Sequence[tuple[bytes, bytes]]]:
    """Return what a caller is told of an error; nothing of the inside is in it."""
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(error, ProtocolError):
        problem = error
    elif isinstance(error, HTTPException):
        if error.status_code == 405:  # noqa: PLR2004 - method not allowed
            headers = [(b"allow", allow)]
            problem = ProtocolError(405, "bad_method", "no such method here")
        else:
            problem = ProtocolError(404, "unknown_path", "nothing is here")
    elif isinstance(error, InputError) and not isinstance(error, FencedError):
        problem = ProtocolError(400, "bad_request", error.message)
    elif isinstance(error, FencedError | LogError | SQLAlchemyError | MemoryError) or (
        isinstance(error, OSError) and error.errno in _SHORTAGES
    ):
        message = f"nothing can be kept now: {type(error).__name__}"
        problem = ProtocolError(503, "unavailable", message, retry_after=1)
    else:
        problem = ProtocolError(500, "internal", "internal error; the log of the gateway has more")
    return problem, headers
