"""The OpenAPI document of a gateway; a test compares it with the routes."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["document"]

_JSON: Final = "application/json"
_RECEIPT: Final = "sha256:" + "96a9057b" * 8
_JOB: Final = "0123456789abcdef0123456789abcdef"


def document(version: str) -> dict[str, Any]:
    """Return the description of the HTTP surface."""
    model = _path("model", "Name of a model.", "weights")
    number = _path("version", "Version of a model; always 1.", "1")
    receipt = _path("receipt_id", "Id of a receipt.", _RECEIPT)
    job = _path("job_id", "Id of a proof job.", _JOB)
    paths: dict[str, Any] = {
        "/v2": {"get": _get("Metadata of the server")},
        "/v2/health/live": {"get": _get("Does the process answer?")},
        "/v2/health/ready": {"get": _get("Would inference be answered?", 503)},
        "/v2/models/{model}": {"get": _get("Metadata of a model", 404, parameters=[model])},
        "/v2/models/{model}/versions/{version}": {
            "get": _get("Metadata of a model", 404, parameters=[model, number])
        },
        "/v2/models/{model}/ready": {
            "get": _get("Would a model answer?", 404, 503, parameters=[model])
        },
        "/v2/models/{model}/versions/{version}/ready": {
            "get": _get("Would a model answer?", 404, 503, parameters=[model, number])
        },
        "/v2/models/{model}/infer": {"post": _infer([model])},
        "/v2/models/{model}/versions/{version}/infer": {"post": _infer([model, number])},
        "/v2/repository/index": {"post": _get("List of the models")},
        "/v1/receipts/{receipt_id}": {
            "get": _get("A receipt as it stands", 401, 404, 429, 503, parameters=[receipt])
        },
        "/v1/receipts/{receipt_id}/upgrade": {
            "post": _operation(
                "Ask for a proof",
                {"202": _answer("The job"), **_errors(400, 401, 404, 409, 422, 429, 503)},
                parameters=[
                    receipt,
                    _query("tier", {"type": "string", "enum": ["zk"]}, is_required=True),
                    _query("deadline_seconds", {"type": "integer", "minimum": 0}),
                ],
            )
        },
        "/v1/jobs/{job_id}": {
            "get": _get("How far a proof is", 401, 404, 429, 503, parameters=[job]),
            "delete": _get("Take a job back", 401, 404, 429, 503, parameters=[job]),
        },
        "/v1/jobs/{job_id}/events": {
            "get": _operation(
                "Each change of a job, as server-sent events",
                {
                    "200": {
                        "description": "Events",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    },
                    **_errors(401, 404, 429, 503),
                },
                parameters=[job],
            )
        },
        "/v1/quote": {
            "get": _get(
                "What receipts would cost",
                *(400, 401, 404, 429),
                parameters=[
                    _query("model", {"type": "string", "example": "weights"}, is_required=True),
                    _query("items", {"type": "integer", "minimum": 1, "default": 1}),
                ],
            )
        },
        "/v1/usage": {"get": _get("What the caller used", 401, 429, 503)},
        "/metrics": {
            "get": _operation(
                "Figures for Prometheus",
                {
                    "200": {
                        "description": "Figures",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    },
                    **_errors(503),
                },
            )
        },
        "/openapi.json": {"get": _get("This document")},
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Veridical gateway",
            "version": version,
            "description": "Open Inference Protocol v2; every answer carries a receipt.",
        },
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearer": []}],
    }


def _infer(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    operation = _operation(
        "Run a model; the answer carries its receipt",
        {
            "200": {
                "description": "The answer",
                "headers": {"Veridical-Receipt": {"schema": {"type": "string"}}},
                "content": {
                    _JSON: {"schema": {"$ref": "#/components/schemas/InferResponse"}},
                    "application/octet-stream": {"schema": {"type": "string"}},
                },
            },
            **_errors(400, 401, 404, 413, 415, 429, 503, 504),
        },
        parameters=[
            *parameters,
            _header("Veridical-Tier", {"type": "string", "enum": ["reexecution", "zk"]}),
            _header("Veridical-Nonce", {"type": "string", "maxLength": 256}),
            _header("Veridical-Deadline-Ms", {"type": "integer", "minimum": 1, "maximum": 600_000}),
        ],
    )
    operation["requestBody"] = {
        "required": True,
        "content": {
            _JSON: {
                "schema": {"$ref": "#/components/schemas/InferRequest"},
                "example": {
                    "id": "order-4711",
                    "parameters": {"tier": "reexecution"},
                    "inputs": [
                        {"name": "features", "shape": [1, 3], "datatype": "FP32", "data": [0, 1, 2]}
                    ],
                },
            }
        },
    }
    return operation


def _operation(
    summary: str, responses: dict[str, Any], *, parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {"summary": summary, "responses": responses, "parameters": parameters or []}


def _get(
    summary: str, *errors: int, parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return _operation(summary, {"200": _answer(summary), **_errors(*errors)}, parameters=parameters)


def _answer(description: str) -> dict[str, Any]:
    return {"description": description, "content": {_JSON: {"schema": {}}}}


def _errors(*statuses: int) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Error"}}
    return {
        str(status): {"description": _MEANINGS[status], "content": {_JSON: schema}}
        for status in statuses
    }


def _path(name: str, description: str, example: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


def _query(name: str, schema: dict[str, Any], *, is_required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": is_required, "schema": schema}


def _header(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "schema": schema}


_MEANINGS: Final = {
    400: "The request cannot be read, or does not fit the model",
    401: "No API key, or one that is not known",
    404: "No such model, receipt or job of this caller",
    409: "The model is no longer served",
    413: "More bytes or items than this gateway takes",
    415: "A content encoding that is not supported",
    422: "No proof of this receipt can be made",
    429: "More than the API key allows",
    503: "Nothing can be kept now, or too many requests wait",
    504: "The deadline passed before the run",
}

_PARAMETERS: Final = {
    "type": "object",
    "properties": {
        "tier": {"type": "string", "enum": ["reexecution", "zk"]},
        "nonce": {"type": "string", "maxLength": 256},
        "deadline_ms": {"type": "integer", "minimum": 1, "maximum": 600_000},
        "private": {"type": "boolean"},
        "salt": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "receipt": {"type": "boolean"},
        "binary_data_output": {"type": "boolean"},
    },
}
_TENSOR: Final = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}},
        "datatype": {"type": "string"},
        "parameters": {"type": "object"},
        "data": {"type": "array"},
    },
}
_SCHEMAS: Final = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {"error": {"type": "string"}},
    },
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "parameters": _PARAMETERS,
            "inputs": {"type": "array", "items": _TENSOR},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        },
    },
    "InferResponse": {
        "type": "object",
        "required": ["model_name", "outputs", "parameters"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "items": _TENSOR},
        },
    },
}
