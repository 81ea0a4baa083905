"""The OpenAPI document of a gateway; a test compares it with the routes.

Its models are those that are served, so that what it shows can be asked as it stands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from veridical.serve.openapi_schemas import (
    CHECKPOINT,
    INFER_REQUEST,
    INFER_RESPONSE,
    JOB,
    METADATA,
    OPTION_HEADERS,
    OVERVIEW,
    SCHEMAS,
    SERVER,
    USAGE,
)
from veridical.serve.refusals import MEANINGS, of_status

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["document"]

_JSON: Final = "application/json"
_OCTETS: Final = "application/octet-stream"
_RECEIPT: Final = "sha256:" + "96a9057b" * 8
#: What may come of any request, whatever it asks for.
_ALWAYS: Final = (400, 403, 405, 408, 413, 431, 500, 503)


def document(version: str, models: Sequence[str] = ("weights",)) -> dict[str, Any]:
    """Return the description of the HTTP surface."""
    name = _path("model", "Name of a model.", {"type": "string", "enum": list(models)}, models[0])
    number = _path("version", "Version of a model; always 1.", {"const": "1"}, "1")
    receipt = _path(
        "receipt_id",
        "Id of a receipt.",
        {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
        _RECEIPT,
    )
    job = _path(
        "job_id", "Id of a proof job.", {"type": "string", "pattern": "^[0-9a-f]{32}$"}, "4f" * 16
    )
    file = _path("name", "Name of a file of the page.", {"type": "string"}, "index.html")
    metadata = _get("model", "Metadata of a model", "ModelMetadata", METADATA, 404)
    ready = _get(
        "modelReady", "Would a model answer?", "Ready", {"name": "weights", "ready": True}, 404
    )
    versioned = "/v2/models/{model}/versions/{version}"
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Veridical gateway",
            "version": version,
            "description": "Open Inference Protocol v2; every answer carries a receipt. "
            "spec/v1/serve.md says what may be relied on.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": one} for one in ("protocol", "receipts", "operation", "page")],
        "paths": {
            "/v2": {"get": _get("server", "Metadata of the server", "Server", SERVER)},
            "/v2/health/live": {
                "get": _get("live", "Does the process answer?", "Live", {"live": True})
            },
            "/v2/health/ready": {
                "get": _get("ready", "Would inference be answered?", "Ready", {"ready": True})
            },
            "/v2/models/{model}": {"get": _with(metadata, name)},
            versioned: {"get": _with(metadata, name, number, suffix="Version")},
            "/v2/models/{model}/ready": {"get": _with(ready, name)},
            versioned + "/ready": {"get": _with(ready, name, number, suffix="Version")},
            "/v2/models/{model}/infer": {"post": _infer([name], "")},
            versioned + "/infer": {"post": _infer([name, number], "Version")},
            "/v2/repository/index": {
                "post": _get(
                    "index",
                    "List of the models",
                    "Index",
                    [{"name": "weights", "version": "1", "state": "READY", "reason": ""}],
                )
            },
            "/v1/receipts/{receipt_id}": {
                "get": _with(
                    _get("receipt", "A receipt as it stands", "Receipt", {}, 401, 404, 429),
                    receipt,
                    tag="receipts",
                )
            },
            "/v1/receipts/{receipt_id}/upgrade": {"post": _upgrade(receipt)},
            "/v1/jobs/{job_id}": {
                "get": _with(
                    _get("job", "How far a proof is", "Job", JOB, 401, 404, 429),
                    job,
                    tag="receipts",
                ),
                "delete": _with(
                    _get("cancelJob", "Take a job back", "Job", JOB, 401, 404, 429),
                    job,
                    tag="receipts",
                ),
            },
            "/v1/jobs/{job_id}/events": {"get": _events(job)},
            "/v1/quote": {"get": _quote(models)},
            "/v1/usage": {
                "get": _with(
                    _get("usage", "What the caller used, and its limits", "Usage", USAGE, 401, 429),
                    tag="operation",
                )
            },
            "/v1/overview": {
                "get": _with(
                    _get(
                        "overview",
                        "Models, receipts, proofs, log and audit, for operators",
                        "Overview",
                        OVERVIEW,
                        401,
                        429,
                    ),
                    tag="operation",
                )
            },
            "/metrics": {"get": _metrics()},
            "/openapi.json": {"get": _get("openapi", "This document", "OpenApi", {})},
            "/": {"get": _page("page", "The page that checks receipts")},
            "/dashboard": {"get": _page("dashboard", "The operator's dashboard")},
            "/r/{receipt_id}": {"get": _page("permalink", "The page, with a receipt", receipt)},
            "/page/{name}": {"get": _page("file", "A file of the page", file)},
            "/log/{path}": {"get": _log()},
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
        "security": [{}, {"bearer": []}, {"key": []}],
    }


def _infer(parameters: list[dict[str, Any]], suffix: str) -> dict[str, Any]:
    answer = {
        "description": "The answer",
        "headers": {
            "Veridical-Receipt": _header_of("Id of the receipt", _RECEIPT),
            "Veridical-Tier": _header_of("Tier of the receipt", "reexecution"),
            "X-Request-Id": _header_of(
                "Names the request in the logs of the gateway", "8c1f2ab0-1"
            ),
        },
        "content": {
            _JSON: {
                "schema": {"$ref": "#/components/schemas/InferResponse"},
                "example": INFER_RESPONSE,
            },
            _OCTETS: {"schema": {"type": "string", "format": "binary"}},
        },
    }
    operation = _operation(
        "infer" + suffix,
        "Run a model; the answer carries its receipt",
        {"200": answer, **_errors(401, 404, 415, 429, 504)},
        parameters=[*parameters, *OPTION_HEADERS],
    )
    operation["requestBody"] = {
        "required": True,
        "content": {
            _JSON: {
                "schema": {"$ref": "#/components/schemas/InferRequest"},
                "example": INFER_REQUEST,
            },
            _OCTETS: {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "The JSON of the request, whose length is in the header "
                    "Inference-Header-Content-Length, and the bytes of its tensors.",
                }
            },
        },
    }
    return operation


def _upgrade(receipt: dict[str, Any]) -> dict[str, Any]:
    answer = _answer("The job; asking again gives the same one", "Job", JOB)
    answer["headers"] = {"Location": _header_of("Where the job is", "/v1/jobs/" + "4f" * 16)}
    return _operation(
        "upgrade",
        "Ask for a proof",
        {"202": answer, **_errors(401, 404, 409, 422, 429)},
        parameters=[
            receipt,
            _query("tier", {"type": "string", "enum": ["zk"]}, "zk", is_required=True),
            _query("deadline_seconds", {"type": "integer", "minimum": 0, "maximum": 10**7}, 600),
            _query(
                "share",
                {"type": "boolean"},
                example=False,
                description="Prove together with receipts of other callers that asked for the "
                "same: cheaper; each receipt then carries the public integers of all. Only where "
                "the API key allows it; else the proof is made without others.",
            ),
        ],
        tag="receipts",
    )


def _events(job: dict[str, Any]) -> dict[str, Any]:
    text = {
        "schema": {"$ref": "#/components/schemas/JobEvent"},
        "example": {"event": "end", "data": '{"job_id": "4f4f", "state": "done"}'},
    }
    return _operation(
        "jobEvents",
        "Each change of a job, as server-sent events",
        {
            "200": {
                "description": "`progress` for each change, `end` for the last state",
                "content": {"text/event-stream": text},
            },
            **_errors(401, 404, 429),
        },
        parameters=[job],
        tag="receipts",
    )


def _quote(models: Sequence[str]) -> dict[str, Any]:
    example = {"model": "weights", "items": 1, "quotes": {"reexecution": 1050, "zk": 210_000}}
    return _with(
        _get("quote", "What receipts would cost, at most", "Quote", example, 401, 404, 429),
        _query("model", {"type": "string", "enum": list(models)}, models[0], is_required=True),
        _query("items", {"type": "integer", "minimum": 1, "maximum": 4096, "default": 1}, 1),
        tag="operation",
    )


def _metrics() -> dict[str, Any]:
    text = {"schema": {"type": "string"}, "example": "veridical_log_size 2.0\n"}
    return _operation(
        "metrics",
        "Figures for Prometheus, for operators",
        {
            "200": {"description": "Figures", "content": {"text/plain": text}},
            **_errors(401, 429),
        },
        tag="operation",
    )


def _page(name: str, summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return _operation(
        name,
        summary,
        {
            "200": {"description": "The file", "content": {"*/*": {"schema": {}}}},
            "304": {"description": "The reader has it"},
            **_errors(404),
        },
        parameters=list(parameters),
        tag="page",
    )


def _log() -> dict[str, Any]:
    path = _path(
        "path",
        "A checkpoint or a tile, as in C2SP tlog-tiles.",
        {"type": "string", "pattern": "^(checkpoint|checkpoint[.]cosigned|tile/0/[0-9]{3})$"},
        "checkpoint",
    )
    octets = {"schema": {"type": "string", "format": "binary"}}
    return _operation(
        "log",
        "A file of the log; no key is asked for",
        {
            "200": {
                "description": "The file",
                "content": {
                    "text/plain": {"schema": {"type": "string"}, "example": CHECKPOINT},
                    _OCTETS: octets,
                },
            },
            **_errors(404),
        },
        parameters=[path],
        tag="receipts",
    )


def _operation(
    name: str,
    summary: str,
    responses: dict[str, Any],
    *,
    parameters: list[dict[str, Any]] | None = None,
    tag: str = "protocol",
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "parameters": parameters or [],
        "responses": dict(sorted({**_errors(*_ALWAYS), **responses}.items())),
    }


def _get(name: str, summary: str, schema: str, example: Any, *errors: int) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return _operation(name, summary, {"200": _answer(summary, schema, example), **_errors(*errors)})


def _with(
    operation: dict[str, Any], *parameters: dict[str, Any], suffix: str = "", tag: str = ""
) -> dict[str, Any]:
    """Return an operation with parameters."""
    return {
        **operation,
        "operationId": operation["operationId"] + suffix,
        "tags": [tag] if tag else operation["tags"],
        "parameters": list(parameters),
    }


def _answer(description: str, schema: str, example: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    content: dict[str, Any] = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    if example:
        content["example"] = example
    return {"description": description, "content": {_JSON: content}}


def _errors(*statuses: int) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in statuses:
        found = of_status(status)
        headers = {
            "Veridical-Error": {
                "description": "Stable name of the error",
                "required": True,
                "schema": {"type": "string", "enum": sorted(found)},
            }
        }
        if any(one.is_temporary for one in found.values()):
            headers["Retry-After"] = {
                "description": "Seconds after which asking again may help",
                "required": False,
                "schema": {"type": "integer"},
            }
        responses[str(status)] = {
            "description": MEANINGS[status],
            "headers": headers,
            "content": {
                _JSON: {
                    "schema": {"$ref": "#/components/schemas/Error"},
                    "examples": {
                        name: {"value": {"error": one.message}} for name, one in found.items()
                    },
                }
            },
        }
    return responses


def _path(name: str, description: str, schema: dict[str, Any], example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


def _query(
    name: str,
    schema: dict[str, Any],
    example: Any = None,  # noqa: ANN401 - any JSON
    *,
    description: str = "",
    is_required: bool = False,
) -> dict[str, Any]:
    found = {"name": name, "in": "query", "required": is_required, "schema": schema}
    if description:
        found["description"] = description
    return {**found, "example": example}


def _header_of(description: str, example: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}, "example": example}
