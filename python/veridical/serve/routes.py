"""All routes but inference: metadata, receipts, proofs, figures, pages.

Spec: spec/v1/serve.md, sections 1, 6, 7 and 9.
"""

from __future__ import annotations

import re
from functools import partial
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from veridical.inference_protocol import ProtocolError
from veridical.serve.accounts import ANONYMOUS
from veridical.serve.log_routes import show_log
from veridical.serve.openapi import document
from veridical.serve.overview import STATES, Kept, Overview
from veridical.serve.pages import load_pages
from veridical.serve.streams import JobStreams, job_value
from veridical.serve.tariff import TIERS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from veridical.serve.connections import ConnectionLimits
    from veridical.serve.exchange import Exchange
    from veridical.serve.gateway import Gateway
    from veridical.serve.infer import Inference
    from veridical.serve.pages import Page
    from veridical.serve.storage import ApiKey, Job

__all__ = ["EXCHANGE", "Routes"]

#: Where a request of the router names the exchange that it belongs to.
EXCHANGE: Final = "veridical.exchange"
_JSON: Final = "application/json"
_EVENTS: Final = "text/event-stream"
_RECEIPT_ID: Final = re.compile(r"sha256:[0-9a-f]{64}")
_JOB_ID: Final = re.compile(r"[0-9a-f]{32}")
_READY_SECONDS: Final = 1.0
_FIGURES_SECONDS: Final = 1.0
_MAX_DIGITS: Final = 9
_INDEX: Final = "index.html"
_DASHBOARD: Final = "dashboard.html"


class _Answered(Response):
    """Nothing: the exchange was answered already."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - of ASGI
        del scope, receive, send


class Routes:
    """One method for each route."""

    def __init__(
        self, gateway: Gateway, inference: Inference, connections: ConnectionLimits | None
    ) -> None:
        self._gateway = gateway
        self._inference = inference
        self._connections = connections
        self._version = metadata.version("veridical")
        self._openapi = orjson.dumps(document(self._version, list(gateway.models)))
        self._streams = JobStreams(gateway.queue)
        self._pages: dict[str, Page] = load_pages()
        self._overview = Overview(gateway, self._version)
        self._problem = Kept(gateway.problem, seconds=_READY_SECONDS)
        self._figures = Kept(self._read_figures, seconds=_FIGURES_SECONDS)
        self._overviews = Kept(self._overview.read, seconds=_FIGURES_SECONDS)
        self._is_stopping = False
        self._table = self._routes()

    @property
    def table(self) -> list[Route]:
        """Return all routes."""
        return self._table

    def _routes(self) -> list[Route]:
        get, post, delete = ["GET"], ["POST"], ["DELETE"]
        models = "/v2/models/{model}"
        version = models + "/versions/{version}"
        return [
            self._route("infer", models + "/infer", self._infer, post),
            self._route("infer", version + "/infer", self._infer, post),
            self._route("server", "/v2", self._server, get),
            self._route("live", "/v2/health/live", self._live, get),
            self._route("ready", "/v2/health/ready", self._ready, get),
            self._route("model", models, self._model, get),
            self._route("model", version, self._model, get),
            self._route("model_ready", models + "/ready", self._model_ready, get),
            self._route("model_ready", version + "/ready", self._model_ready, get),
            self._route("index", "/v2/repository/index", self._index, post),
            self._route("receipt", "/v1/receipts/{receipt_id}", self._receipt, get),
            self._route("upgrade", "/v1/receipts/{receipt_id}/upgrade", self._upgrade, post),
            self._route("job", "/v1/jobs/{job_id}", self._job, get),
            self._route("cancel", "/v1/jobs/{job_id}", self._cancel, delete),
            self._route("events", "/v1/jobs/{job_id}/events", self._events, get),
            self._route("quote", "/v1/quote", self._quote, get),
            self._route("usage", "/v1/usage", self._usage, get),
            self._route("overview", "/v1/overview", self._show_overview, get),
            self._route("metrics", "/metrics", self._metrics, get),
            self._route("openapi", "/openapi.json", self._show_openapi, get),
            self._route("page", "/", self._show_page, get),
            self._route("dashboard", "/dashboard", self._show_dashboard, get),
            self._route("permalink", "/r/{receipt_id}", self._show_permalink, get),
            self._route("file", "/page/{name}", self._show_file, get),
            self._route("log", "/log/{path:path}", self._show_log, get),
        ]

    def allowed(self, path: str) -> bytes:
        """Return the methods that a path takes."""
        methods: set[str] = set()
        for route in self._table:
            if route.path_regex.match(path):
                methods |= route.methods or set()
        return ", ".join(sorted(methods)).encode("ascii")

    def stop(self) -> None:
        """Be ready for nothing, and end what would not end by itself."""
        self._is_stopping = True
        self._streams.close()
        self._overview.close()

    async def caller(self, exchange: Exchange) -> ApiKey:
        """Return whose request this is, and count it.

        Raises:
            ProtocolError: its key is none, or allows no more now.
        """
        accounts = self._gateway.accounts
        if accounts.is_open:
            return ANONYMOUS
        caller = await accounts.caller(exchange.text(b"authorization"), exchange.text(b"x-api-key"))
        exchange.key_id = caller.key_id
        accounts.count(caller)
        return caller

    def _route(
        self,
        name: str,
        path: str,
        endpoint: Callable[[Request, Exchange], Awaitable[Response]],
        methods: list[str],
    ) -> Route:
        async def answer(request: Request) -> Response:
            exchange: Exchange = request.scope[EXCHANGE]
            exchange.route = name
            if endpoint != self._infer and not await exchange.skip_body():
                raise ProtocolError(413, "too_large", "this route takes no body")
            return await endpoint(request, exchange)

        return Route(path, answer, methods=methods)

    # --- the protocol

    async def _infer(self, request: Request, exchange: Exchange) -> Response:
        """Run a model; a name that is served comes here by no path, as the application has it."""
        caller = await self.caller(exchange)
        params = request.path_params
        model = self._gateway.model(params["model"], params.get("version"))
        await self._inference.answer(exchange, model, caller)
        return _Answered()

    async def _server(self, request: Request, exchange: Exchange) -> Response:
        del request, exchange
        return _json(
            {
                "name": "veridical",
                "version": self._version,
                "extensions": ["binary_tensor_data", "model_repository(index)", "veridical"],
                "parameters": self._gateway.metadata(),
            }
        )

    async def _live(self, request: Request, exchange: Exchange) -> Response:
        del request, exchange
        return _json({"live": True})

    async def _ready(self, request: Request, exchange: Exchange) -> Response:
        del request, exchange
        await self._require_ready()
        return _json({"ready": True})

    async def _require_ready(self) -> None:
        problem = "shutting down" if self._is_stopping else await self._problem.get()
        if problem:
            raise ProtocolError(503, "not_ready", problem, retry_after=1)

    async def _model(self, request: Request, exchange: Exchange) -> Response:
        del exchange
        params = request.path_params
        return _json(self._gateway.model(params["model"], params.get("version")).metadata())

    async def _model_ready(self, request: Request, exchange: Exchange) -> Response:
        del exchange
        params = request.path_params
        name = self._gateway.model(params["model"], params.get("version")).name
        await self._require_ready()
        return _json({"name": name, "ready": True})

    async def _index(self, request: Request, exchange: Exchange) -> Response:
        del request, exchange
        return _json(
            [
                {"name": name, "version": "1", "state": "READY", "reason": ""}
                for name in self._gateway.models
            ]
        )

    # --- receipts and proofs

    async def _receipt(self, request: Request, exchange: Exchange) -> Response:
        caller = await self.caller(exchange)
        read = partial(self._gateway.receipt, _receipt_id(request), caller)
        receipt = await run_in_threadpool(read)
        return Response(receipt.to_bytes(), media_type=_JSON)

    async def _upgrade(self, request: Request, exchange: Exchange) -> Response:
        caller = await self.caller(exchange)
        seconds = _integer(request, "deadline_seconds", least=0, most=10**7, default=0)
        share = request.query_params.get("share", "false")
        if share not in {"true", "false"}:
            raise ProtocolError(400, "bad_option", "share: expected true or false")
        ask = partial(
            self._gateway.upgrade,
            _receipt_id(request),
            caller,
            tier=request.query_params.get("tier", ""),
            deadline=self._gateway.store.now() + seconds if seconds else 0,
            share=share == "true",
        )
        job = await run_in_threadpool(ask)
        headers = {"Location": f"/v1/jobs/{job.job_id}", "Veridical-Job": job.job_id}
        return _json(job_value(job), status=202, headers=headers)

    async def _job(self, request: Request, exchange: Exchange) -> Response:
        return _json(job_value(await self._read_job(request, exchange)))

    async def _cancel(self, request: Request, exchange: Exchange) -> Response:
        job = await self._read_job(request, exchange)
        cancelled = await run_in_threadpool(self._gateway.queue.cancel, job.job_id)
        return _json(job_value(cancelled or job))

    async def _events(self, request: Request, exchange: Exchange) -> Response:
        job = await self._read_job(request, exchange)
        if exchange.method == "HEAD":
            return Response(media_type=_EVENTS)
        self._streams.require_room(job.key_id)
        return StreamingResponse(self._streams.events(job), media_type=_EVENTS)

    async def _read_job(self, request: Request, exchange: Exchange) -> Job:
        caller = await self.caller(exchange)
        job_id: str = request.path_params["job_id"]
        if _JOB_ID.fullmatch(job_id) is None:
            raise ProtocolError(404, "unknown_job", "no such job")
        return await run_in_threadpool(self._gateway.job, job_id, caller)

    # --- figures

    async def _quote(self, request: Request, exchange: Exchange) -> Response:
        await self.caller(exchange)
        gateway = self._gateway
        model = gateway.model(request.query_params.get("model", ""))
        items = _integer(request, "items", least=1, most=gateway.settings.max_items, default=1)
        quotes = {
            tier: await run_in_threadpool(gateway.tariff.quote, model, tier, items)
            for tier in TIERS
        }
        return _json({"model": model.name, "items": items, "quotes": quotes})

    async def _usage(self, request: Request, exchange: Exchange) -> Response:
        del request
        caller = await self.caller(exchange)
        lines = await run_in_threadpool(self._gateway.store.usage, caller.key_id)
        usage = [{name: getattr(line, name) for name in type(line).__slots__} for line in lines]
        limits = {
            "requests_per_second": caller.requests_per_second,
            "units_per_second": caller.units_per_second,
            "max_queued_proofs": caller.max_queued_proofs,
        }
        return _json({"key_id": caller.key_id, "limits": limits, "usage": usage})

    async def _show_overview(self, request: Request, exchange: Exchange) -> Response:
        del request
        await self._require_operator(exchange)
        return _json(await self._overviews.get())

    async def _metrics(self, request: Request, exchange: Exchange) -> Response:
        del request
        await self._require_operator(exchange)
        return Response(
            await self._figures.get(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def _require_operator(self, exchange: Exchange) -> None:
        """Without keys a gateway listens on loopback only: whoever asks is on this machine."""
        caller = await self.caller(exchange)
        if not caller.is_operator:
            raise ProtocolError(403, "not_operator", "this takes the key of an operator")

    def _read_figures(self) -> bytes:
        gateway = self._gateway
        metrics = gateway.metrics
        jobs = gateway.store.jobs_by_state()
        for state in STATES:
            metrics.jobs.labels(state=state).set(jobs.get(state, 0))
        metrics.log_size.set(gateway.log.size())
        metrics.held_bytes.set(gateway.budget.held)
        if self._connections is not None:
            metrics.connections.set(self._connections.count)
        return metrics.render()

    async def _show_openapi(self, request: Request, exchange: Exchange) -> Response:
        del request, exchange
        return Response(self._openapi, media_type=_JSON)

    # --- pages

    async def _show_page(self, request: Request, exchange: Exchange) -> Response:
        return await self._file(request, exchange, _INDEX)

    async def _show_dashboard(self, request: Request, exchange: Exchange) -> Response:
        return await self._file(request, exchange, _DASHBOARD)

    async def _show_permalink(self, request: Request, exchange: Exchange) -> Response:
        """Show the page, which asks for the receipt itself, with the rights of who looks."""
        _receipt_id(request)
        return await self._file(request, exchange, _INDEX)

    async def _show_file(self, request: Request, exchange: Exchange) -> Response:
        return await self._file(request, exchange, request.path_params["name"])

    async def _show_log(self, request: Request, exchange: Exchange) -> Response:
        await show_log(self._gateway, request.path_params["path"], exchange)
        return _Answered()

    async def _file(self, request: Request, exchange: Exchange, name: str) -> Response:
        page = self._pages.get(name)
        if page is None:
            raise ProtocolError(404, "unknown_path", "nothing is here")
        is_known = page.is_known(exchange.headers.get(b"if-none-match"))
        await exchange.respond(
            304 if is_known else 200,
            b"" if is_known else page.content,
            media=page.media,
            headers=[(b"etag", page.tag), *page.headers],
            cache=page.cache(request.query_params.get("v", "")),
        )
        return _Answered()


def _receipt_id(request: Request) -> str:
    receipt_id: str = request.path_params["receipt_id"]
    if _RECEIPT_ID.fullmatch(receipt_id) is None:
        raise ProtocolError(404, "unknown_receipt", "no such receipt")
    return receipt_id


def _integer(request: Request, name: str, *, least: int, most: int, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    is_number = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    if not is_number or not least <= int(text) <= most:
        raise ProtocolError(400, "bad_option", f"{name}: expected {least} to {most}")
    return int(text)


def _json(
    value: Any,  # noqa: ANN401 - any JSON
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    return Response(orjson.dumps(value), status_code=status, headers=headers, media_type=_JSON)
