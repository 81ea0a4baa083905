"""Schemas and examples of the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from veridical.inference_protocol import DATATYPES
from veridical.serve.options import MAX_DEADLINE_MS

__all__ = [
    "CHECKPOINT",
    "INFER_REQUEST",
    "INFER_RESPONSE",
    "JOB",
    "METADATA",
    "OPTION_HEADERS",
    "OVERVIEW",
    "SCHEMAS",
    "SERVER",
    "USAGE",
]

_RECEIPT: Final = "sha256:" + "96a9057b" * 8
_DIGEST: Final = "sha256:" + "0f5d3c7a" * 8
_KEY_ID: Final = "sha256:" + "5b0e1a42" * 8
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TIERS: Final = ["reexecution", "zk"]
_STATES: Final = ["queued", "running", "proven", "done", "failed", "cancelled"]

INFER_REQUEST: Final = {
    "id": "order-4711",
    "parameters": {"tier": "reexecution"},
    "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1.5, 0.75]}],
}
INFER_RESPONSE: Final = {
    "model_name": "weights",
    "model_version": "1",
    "id": "order-4711",
    "parameters": {
        "receipt_id": _RECEIPT,
        "tier": "reexecution",
        "quoted": 1200,
        "cost": 1050,
        "receipt": '{"envelopes": []}',
    },
    "outputs": [{"name": "y", "datatype": "FP64", "shape": [1, 2], "data": [0.5, 0.5]}],
}
SERVER: Final = {
    "name": "veridical",
    "version": "0.1.0",
    "extensions": ["binary_tensor_data", "model_repository(index)", "veridical"],
    "parameters": {
        "signer": _KEY_ID,
        "signer_pem": "-----BEGIN PUBLIC KEY-----\n...",
        "log": "veridical.local/5b0e1a42+0c5e7b3a+AQ...",
        "tee": "",
    },
}
METADATA: Final = {
    "name": "weights",
    "versions": ["1"],
    "platform": "veridical_integer_program",
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
    "outputs": [{"name": "y", "datatype": "FP64", "shape": [-1, 2]}],
    "parameters": {"digest": _DIGEST},
}
JOB: Final = {
    "job_id": "4f" * 16,
    "receipt_id": _RECEIPT,
    "model": "weights",
    "tier": "zk",
    "state": "running",
    "stage": "witness",
    "attempts": 1,
    "batch_size": 64,
    "quoted": 210_000,
    "cost": 0,
    "error": "",
    "created_at": 1_795_000_000,
    "updated_at": 1_795_000_002,
    "deadline": 0,
    "share": False,
}
USAGE: Final = {
    "key_id": "0c5e7b3a9f001122",
    "limits": {
        "requests_per_second": 1000,
        "units_per_second": 2_000_000,
        "max_queued_proofs": 1000,
    },
    "usage": [
        {
            "model": "weights",
            "tier": "reexecution",
            "receipts": 3,
            "items": 3,
            "quoted": 3600,
            "cost": 3150,
        }
    ],
}
CHECKPOINT: Final = "veridical.local/5b0e1a42\n240\n..."
OVERVIEW: Final = {
    "version": "0.1.0",
    "now": 1_795_000_002,
    "problem": "",
    "signer": _KEY_ID,
    "models": [{"name": "weights", "digest": _DIGEST, "receipts": {"reexecution": 120, "zk": 12}}],
    "receipts": {"reexecution": 120, "zk": 12},
    "jobs": {"queued": 4, "running": 1, "proven": 0, "done": 12, "failed": 0, "cancelled": 1},
    "log": {
        "vkey": "veridical.local/5b0e1a42+0c5e7b3a+AQ...",
        "size": 240,
        "checkpoint": CHECKPOINT,
    },
    "audit": {
        "at": 1_795_000_000,
        "size": 238,
        "problem": "",
        "counts": {},
        "streams": [
            {
                "stream": "weights",
                "intents": 119,
                "open": 0,
                "results": 118,
                "voids": 1,
                "void_rate": 0.0084,
            }
        ],
        "findings": [],
    },
}


def _object(
    properties: dict[str, Any], *, optional: tuple[str, ...] = (), is_closed: bool = True
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }
    if is_closed:
        schema["additionalProperties"] = False
    return schema


def _header(
    name: str, schema: dict[str, Any], description: str, *, example: object
) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
        "example": example,
    }


_TIER: Final = {"type": "string", "enum": _TIERS}
_NONCE: Final = {"type": "string", "pattern": r"^[ !#-\[\]-~]{0,256}$"}
_DEADLINE: Final = {"type": "integer", "minimum": 1, "maximum": MAX_DEADLINE_MS}
_SALT: Final = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_FLAG: Final = {"type": "boolean"}

OPTION_HEADERS: Final = [
    _header("Veridical-Tier", _TIER, "`zk` also asks for a proof", example="reexecution"),
    _header("Veridical-Nonce", _NONCE, "`request_id` of the statement", example="n-4711"),
    _header("Veridical-Deadline-Ms", _DEADLINE, "A later run does not begin", example=2000),
    _header("Veridical-Private", _FLAG, "Salts all commitments", example=True),
    _header(
        "Veridical-Salt", _SALT, "Salts, and is the salt of `input.received`", example="ab" * 32
    ),
    _header("Veridical-Inline-Receipt", _FLAG, "`false` leaves the bundle out", example=False),
    _header("Veridical-Share", _FLAG, "Prove together with receipts of others", example=False),
]

_PARAMETERS: Final = {
    "type": ["object", "null"],
    "properties": {
        "tier": {"type": ["string", "null"], "enum": [*_TIERS, None]},
        "nonce": {"type": ["string", "null"], "pattern": _NONCE["pattern"]},
        "deadline_ms": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_DEADLINE_MS},
        "private": {"type": ["boolean", "null"]},
        "salt": {"type": ["string", "null"], "pattern": _SALT["pattern"]},
        "receipt": {"type": ["boolean", "null"]},
        "share": {"type": ["boolean", "null"]},
        "binary_data_output": {"type": ["boolean", "null"]},
    },
}
_SHAPE: Final = {
    "type": "array",
    "minItems": 1,
    "maxItems": 9,
    "items": {"type": "integer", "minimum": 1, "maximum": 2**31 - 1},
}
_NUMBERS: Final = {"type": "array", "items": {"type": ["number", "boolean", "array"]}}
_INPUT: Final = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": _TEXT,
        "shape": _SHAPE,
        "datatype": {"type": "string", "enum": sorted(DATATYPES)},
        "parameters": {
            "type": ["object", "null"],
            "properties": {"binary_data_size": {"type": ["integer", "null"], "minimum": 1}},
        },
        "data": _NUMBERS,
    },
}
_WANTED: Final = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _TEXT,
        "parameters": {
            "type": ["object", "null"],
            "properties": {"binary_data": {"type": ["boolean", "null"]}},
        },
    },
}
_OUTPUT: Final = _object(
    {
        "name": _TEXT,
        "datatype": {"type": "string", "const": "FP64"},
        "shape": _SHAPE,
        "parameters": _object({"binary_data_size": _COUNT}),
        "data": {"type": "array", "items": {"type": ["number", "null"]}},
    },
    optional=("parameters", "data"),
)
_AXES: Final = {
    "type": "array",
    "items": _object(
        {
            "name": _TEXT,
            "datatype": _TEXT,
            "shape": {"type": "array", "items": {"type": "integer", "minimum": -1}},
        }
    ),
}
_BY_TIER: Final = {"type": "object", "additionalProperties": _COUNT}

SCHEMAS: Final[dict[str, Any]] = {
    "Error": _object({"error": _TEXT}),
    "Live": _object({"live": {"const": True}}),
    "Ready": _object({"name": _TEXT, "ready": {"const": True}}, optional=("name",)),
    "Server": _object(
        {
            "name": _TEXT,
            "version": _TEXT,
            "extensions": {"type": "array", "items": _TEXT},
            "parameters": _object(
                {"signer": _TEXT, "signer_pem": _TEXT, "log": _TEXT, "tee": _TEXT}, is_closed=False
            ),
        }
    ),
    "ModelMetadata": _object(
        {
            "name": _TEXT,
            "versions": {"type": "array", "items": _TEXT},
            "platform": _TEXT,
            "inputs": _AXES,
            "outputs": _AXES,
            "parameters": _object({"digest": _TEXT}, is_closed=False),
        }
    ),
    "Index": {
        "type": "array",
        "items": _object({"name": _TEXT, "version": _TEXT, "state": _TEXT, "reason": _TEXT}),
    },
    "InferRequest": {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": ["string", "null"], "maxLength": 1024},
            "parameters": _PARAMETERS,
            "inputs": {"type": "array", "minItems": 1, "maxItems": 256, "items": _INPUT},
            "outputs": {"type": ["array", "null"], "maxItems": 256, "items": _WANTED},
        },
    },
    "InferResponse": _object(
        {
            "model_name": _TEXT,
            "model_version": _TEXT,
            "id": _TEXT,
            "parameters": _object(
                {
                    "receipt_id": _TEXT,
                    "tier": {"type": "string", "enum": [*_TIERS, "tee"]},
                    "quoted": _COUNT,
                    "cost": _COUNT,
                    "receipt": _TEXT,
                    "job_id": _TEXT,
                    "upgrade_error": _TEXT,
                },
                optional=("receipt", "job_id", "upgrade_error"),
            ),
            "outputs": {"type": "array", "items": _OUTPUT},
        },
        optional=("id",),
    ),
    "Receipt": {"type": "object", "description": "A bundle of spec/v1/receipt.md"},
    "OpenApi": {"type": "object"},
    "Job": _object(
        {
            **dict.fromkeys(("job_id", "receipt_id", "model", "tier", "stage", "error"), _TEXT),
            **dict.fromkeys(
                (
                    *("attempts", "batch_size", "quoted", "cost"),
                    *("created_at", "updated_at", "deadline"),
                ),
                _COUNT,
            ),
            "state": {"type": "string", "enum": _STATES},
            "share": _FLAG,
        }
    ),
    "JobEvent": {
        "type": "object",
        "description": "One event of the stream; `data` is a Job.",
        "required": ["event", "data"],
        "properties": {
            "event": {"type": "string", "enum": ["progress", "end"]},
            "data": {"type": "string", "contentMediaType": "application/json"},
        },
    },
    "Quote": _object({"model": _TEXT, "items": _COUNT, "quotes": _BY_TIER}),
    "Usage": _object(
        {
            "key_id": _TEXT,
            "limits": _object(
                dict.fromkeys(
                    ("requests_per_second", "units_per_second", "max_queued_proofs"), _COUNT
                )
            ),
            "usage": {
                "type": "array",
                "items": _object(
                    {
                        **dict.fromkeys(("model", "tier"), _TEXT),
                        **dict.fromkeys(("receipts", "items", "quoted", "cost"), _COUNT),
                    }
                ),
            },
        }
    ),
    "Overview": _object(
        {
            "version": _TEXT,
            "now": _COUNT,
            "problem": _TEXT,
            "signer": _TEXT,
            "models": {
                "type": "array",
                "items": _object({"name": _TEXT, "digest": _TEXT, "receipts": _BY_TIER}),
            },
            "receipts": _BY_TIER,
            "jobs": _object(dict.fromkeys(_STATES, _COUNT)),
            "log": {
                "type": ["object", "null"],
                "properties": {"vkey": _TEXT, "size": _COUNT, "checkpoint": _TEXT},
            },
            "audit": {
                "type": ["object", "null"],
                "properties": {
                    "at": _COUNT,
                    "size": _COUNT,
                    "problem": _TEXT,
                    "counts": {"type": "object"},
                    "streams": {"type": "array"},
                    "findings": {"type": "array"},
                },
            },
        }
    ),
}
