"""The HTTP surface: routes, errors, limits.

Spec: spec/v1/serve.md, sections 1 to 4.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from veridical.errors import InputError, LogError
from veridical.inference_protocol import (
    HEADER_LENGTH,
    ProtocolError,
    encode_response,
    parse_request,
)
from veridical.serve.openapi import document
from veridical.serve.options import read_options
from veridical.serve.storage.queue import ENDED
from veridical.serve.tariff import TIERS

if TYPE_CHECKING:
    from veridical.serve.gateway import Gateway
    from veridical.serve.storage import ApiKey, Job

__all__ = ["make_app"]

_EVENT_SECONDS: Final = 0.25
_KEEP_ALIVE_SECONDS: Final = 15.0
_JSON: Final = "application/json"

Endpoint = Callable[[Request], Awaitable[Response]]


def make_app(gateway: Gateway) -> Starlette:
    """Return the application of a gateway; it starts and stops with it."""

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        gateway.start()
        try:
            yield
        finally:
            await run_in_threadpool(gateway.close)

    routes = _Routes(gateway)
    app = Starlette(
        lifespan=lifespan,
        routes=[
            Route("/v2/models/{model}/infer", routes.infer, methods=["POST"]),
            Route("/v2/models/{model}/versions/{version}/infer", routes.infer, methods=["POST"]),
            Route("/v2", routes.server),
            Route("/v2/health/live", routes.live),
            Route("/v2/health/ready", routes.ready),
            Route("/v2/models/{model}", routes.model),
            Route("/v2/models/{model}/versions/{version}", routes.model),
            Route("/v2/models/{model}/ready", routes.model_ready),
            Route("/v2/models/{model}/versions/{version}/ready", routes.model_ready),
            Route("/v2/repository/index", routes.index, methods=["POST"]),
            Route("/v1/receipts/{receipt_id}", routes.receipt),
            Route("/v1/receipts/{receipt_id}/upgrade", routes.upgrade, methods=["POST"]),
            Route("/v1/jobs/{job_id}", routes.job, methods=["GET"]),
            Route("/v1/jobs/{job_id}", routes.cancel, methods=["DELETE"]),
            Route("/v1/jobs/{job_id}/events", routes.events),
            Route("/v1/quote", routes.quote),
            Route("/v1/usage", routes.usage),
            Route("/metrics", routes.metrics),
            Route("/openapi.json", routes.openapi),
        ],
    )
    app.add_exception_handler(ProtocolError, _on_protocol_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(InputError, _on_input_error)
    app.add_exception_handler(LogError, _on_unavailable)
    app.add_exception_handler(SQLAlchemyError, _on_unavailable)
    app.add_exception_handler(Exception, _on_defect)
    return app


class _Routes:
    """One method for each route."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._version = metadata.version("veridical")
        self._openapi = orjson.dumps(document(self._version))

    # --- the protocol

    async def infer(self, request: Request) -> Response:
        """Run a model."""
        gateway = self._gateway
        start = time.perf_counter()
        status = 500
        try:
            response = await self._infer(request)
            status = response.status_code
        except ProtocolError as error:
            status = error.status
            raise
        finally:
            gateway.metrics.requests.labels(route="infer", status=str(status)).inc()
            gateway.metrics.seconds.labels(route="infer").observe(time.perf_counter() - start)
        return response

    async def _infer(self, request: Request) -> Response:
        gateway = self._gateway
        caller = self._caller(request)
        model = gateway.model(request.path_params["model"], request.path_params.get("version"))
        body = await _body(request, gateway.settings.max_body_bytes)
        parsed = parse_request(body, request.headers.get(HEADER_LENGTH))
        options = read_options(
            parsed.parameters,
            request.headers,
            request_id=parsed.id,
            deadline_ms=gateway.settings.deadline_ms,
        )
        answer, quoted = await gateway.answer(model, parsed, options, caller)
        receipt_id = answer.receipt_id
        parameters: dict[str, Any] = {
            "receipt_id": receipt_id,
            "tier": TIERS[0],
            "quoted": quoted,
            "cost": answer.cost,
        }
        headers = {"Veridical-Receipt": receipt_id, "Veridical-Tier": TIERS[0]}
        if options.tier != TIERS[0]:
            upgrade = partial(gateway.upgrade, receipt_id, caller, tier=options.tier)
            try:
                job = await run_in_threadpool(upgrade)
                parameters["job_id"] = headers["Veridical-Job"] = job.job_id
            except ProtocolError as error:  # the answer exists and is charged: hand it over
                parameters["upgrade_error"] = error.message
        if options.has_receipt:
            parameters["receipt"] = answer.bundle.decode("ascii")
        content, head = encode_response(
            model=model.name,
            version="1",
            request=parsed,
            outputs=answer.outputs,
            parameters=parameters,
        )
        if head is None:
            return Response(content, headers=headers, media_type=_JSON)
        headers[HEADER_LENGTH] = str(head)
        return Response(content, headers=headers, media_type="application/octet-stream")

    async def server(self, request: Request) -> Response:
        """Return the server's metadata."""
        del request
        return _json(
            {
                "name": "veridical",
                "version": self._version,
                "extensions": ["binary_tensor_data", "model_repository(index)", "veridical"],
                "parameters": self._gateway.metadata(),
            }
        )

    async def live(self, request: Request) -> Response:
        """Say that the process answers."""
        del request
        return _json({"live": True})

    async def ready(self, request: Request) -> Response:
        """Say whether inference would be answered."""
        del request
        problem = await run_in_threadpool(self._gateway.problem)
        if problem:
            raise ProtocolError(503, "not_ready", problem)
        return _json({"ready": True})

    async def model(self, request: Request) -> Response:
        """Return the metadata of a model."""
        return _json(self._model(request).metadata())

    async def model_ready(self, request: Request) -> Response:
        """Say whether a model would answer."""
        name = self._model(request).name
        problem = await run_in_threadpool(self._gateway.problem)
        if problem:
            raise ProtocolError(503, "not_ready", problem)
        return _json({"name": name, "ready": True})

    async def index(self, request: Request) -> Response:
        """List the models."""
        del request
        return _json(
            [
                {"name": name, "version": "1", "state": "READY", "reason": ""}
                for name in self._gateway.models
            ]
        )

    # --- receipts

    async def receipt(self, request: Request) -> Response:
        """Return a receipt as it stands."""
        read = partial(
            self._gateway.receipt, request.path_params["receipt_id"], self._caller(request)
        )
        receipt = await run_in_threadpool(read)
        return Response(receipt.to_bytes(), media_type=_JSON)

    async def upgrade(self, request: Request) -> Response:
        """Ask for a proof."""
        tier = request.query_params.get("tier", "")
        deadline = request.query_params.get("deadline_seconds", "")
        if deadline and (not deadline.isascii() or not deadline.isdigit() or len(deadline) > 7):  # noqa: PLR2004 - months
            raise ProtocolError(400, "bad_option", "deadline_seconds: expected an integer")
        until = self._gateway.store.now() + int(deadline) if deadline else 0
        ask = partial(
            self._gateway.upgrade,
            request.path_params["receipt_id"],
            self._caller(request),
            tier=tier,
            deadline=until,
        )
        job = await run_in_threadpool(ask)
        headers = {"Location": f"/v1/jobs/{job.job_id}", "Veridical-Job": job.job_id}
        return _json(_job_value(job), status=202, headers=headers)

    async def job(self, request: Request) -> Response:
        """Return how far a proof is."""
        return _json(_job_value(await self._job(request, self._caller(request))))

    async def cancel(self, request: Request) -> Response:
        """Take a job back."""
        job = await self._job(request, self._caller(request))
        cancelled = await run_in_threadpool(self._gateway.queue.cancel, job.job_id)
        return _json(_job_value(cancelled or job))

    async def events(self, request: Request) -> Response:
        """Send each change of a job as it happens."""
        caller = self._caller(request)
        first = await self._job(request, caller)
        return StreamingResponse(
            self._events(request, first),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store"},
        )

    async def _events(self, request: Request, job: Job) -> AsyncIterator[bytes]:
        shown: bytes | None = None
        sent_at = time.monotonic()
        current: Job | None = job
        while current is not None:
            value = orjson.dumps(_job_value(current))
            if value != shown:
                name = "end" if current.state in ENDED else "progress"
                yield b"event: " + name.encode() + b"\ndata: " + value + b"\n\n"
                shown, sent_at = value, time.monotonic()
            elif time.monotonic() - sent_at > _KEEP_ALIVE_SECONDS:
                yield b": still here\n\n"
                sent_at = time.monotonic()
            if current.state in ENDED or self._gateway.is_closed:
                return
            await asyncio.sleep(_EVENT_SECONDS)
            if await request.is_disconnected():
                return
            current = await run_in_threadpool(self._gateway.queue.get, job.job_id)

    # --- figures

    async def quote(self, request: Request) -> Response:
        """Say what receipts would cost."""
        self._caller(request)
        gateway = self._gateway
        model = gateway.model(request.query_params.get("model", ""))
        text = request.query_params.get("items", "1")
        if not text.isascii() or not text.isdigit() or len(text) > 9:  # noqa: PLR2004 - above the limit
            raise ProtocolError(400, "bad_option", "items: expected a positive integer")
        items = int(text)
        if not 1 <= items <= gateway.settings.max_items:
            raise ProtocolError(
                400, "bad_option", f"items: expected 1 to {gateway.settings.max_items}"
            )
        quotes = {
            tier: await run_in_threadpool(gateway.tariff.quote, model, tier, items)
            for tier in TIERS
        }
        return _json({"model": model.name, "items": items, "quotes": quotes})

    async def usage(self, request: Request) -> Response:
        """Return what the caller used."""
        caller = self._caller(request)
        lines = await run_in_threadpool(self._gateway.store.usage, caller.key_id)
        return _json(
            {
                "key_id": caller.key_id,
                "usage": [
                    {name: getattr(line, name) for name in type(line).__slots__} for line in lines
                ],
            }
        )

    async def metrics(self, request: Request) -> Response:
        """Return the page that Prometheus reads."""
        del request
        await run_in_threadpool(self._gateway.refresh_metrics)
        return Response(
            self._gateway.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def openapi(self, request: Request) -> Response:
        """Return the description of all of this."""
        del request
        return Response(self._openapi, media_type=_JSON)

    # ---

    def _caller(self, request: Request) -> ApiKey:
        accounts = self._gateway.accounts
        headers = request.headers
        caller = accounts.caller(headers.get("authorization"), headers.get("x-api-key"))
        accounts.count(caller)
        return caller

    def _model(self, request: Request) -> Any:  # noqa: ANN401 - see Gateway.model
        params = request.path_params
        return self._gateway.model(params["model"], params.get("version"))

    async def _job(self, request: Request, caller: ApiKey) -> Job:
        return await run_in_threadpool(self._gateway.job, request.path_params["job_id"], caller)


async def _body(request: Request, limit: int) -> bytes:
    """Read a body, and stop where it is too large."""
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise ProtocolError(415, "bad_encoding", f"content encoding {encoding[:40]!r}")
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> ProtocolError:
    return ProtocolError(413, "too_large", f"the body is larger than {limit} bytes")


def _job_value(job: Job) -> dict[str, Any]:
    return {
        "job_id": job.job_id,
        "receipt_id": job.receipt_id,
        "model": job.model,
        "tier": job.tier,
        "state": job.state,
        "stage": job.stage,
        "attempts": job.attempts,
        "batch_size": job.batch_size,
        "quoted": job.quoted,
        "cost": min(job.cost, job.quoted),
        "error": job.error,
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


def _json(
    value: Any,  # noqa: ANN401 - any JSON
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(orjson.dumps(value), status_code=status, headers=headers, media_type=_JSON)


def _error(status: int, error: str, message: str, retry_after: int | None = None) -> Response:
    """Return an error in the protocol's shape, and its stable name in a header."""
    headers = {"Veridical-Error": error}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    if status == 401:  # noqa: PLR2004 - unauthorized
        headers["WWW-Authenticate"] = "Bearer"
    return _json({"error": message}, status=status, headers=headers)


def _on_protocol_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, ProtocolError):
        raise error
    return _error(error.status, error.error, error.message, error.retry_after)


def _on_http_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    response = _error(error.status_code, "http", str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _on_input_error(_: Request, error: Exception) -> Response:
    return _error(400, "bad_request", str(error))


def _on_unavailable(_: Request, error: Exception) -> Response:
    return _error(503, "unavailable", f"nothing can be kept now: {type(error).__name__}", 1)


def _on_defect(_: Request, error: Exception) -> Response:
    return _error(500, "internal", f"internal error: {type(error).__name__}")
