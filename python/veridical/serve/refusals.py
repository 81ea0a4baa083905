"""Every error that a gateway answers with: its stable name, its status, and an example.

Spec: spec/v1/serve.md, section 1. A test finds every name in the sources here, and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MEANINGS", "REFUSALS", "Refusal", "of_status"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One error."""

    status: int
    #: What a caller is told, for example.
    message: str
    #: Whether asking again may help, after the seconds of `Retry-After`.
    is_temporary: bool = False


#: By the name in the header `Veridical-Error`.
REFUSALS: Final = {
    "bad_http": Refusal(400, "Invalid HTTP request received."),
    "bad_header": Refusal(400, "the header veridical-nonce stands twice"),
    "bad_request": Refusal(400, "input 'x': 2 elements; its shape takes 3"),
    "bad_inputs": Refusal(400, "inputs ['y']; this model takes ['x']"),
    "bad_shape": Refusal(400, "input 'x' has shape [1, 4]; expected [-1, 3]"),
    "bad_outputs": Refusal(400, "model 'weights' has no output 'none'"),
    "bad_option": Refusal(400, "tier: expected one of reexecution, zk"),
    "unauthorized": Refusal(401, "the API key is unknown, or was taken back"),
    "bad_host": Refusal(403, "this server does not answer to 'evil.example'"),
    "bad_origin": Refusal(403, "pages of 'https://evil.example' may not ask this server"),
    "not_operator": Refusal(403, "this takes the key of an operator"),
    "unknown_path": Refusal(404, "nothing is here"),
    "no_log": Refusal(404, "this gateway keeps no log"),
    "unknown_model": Refusal(404, "no model 'none'"),
    "unknown_version": Refusal(404, "model 'weights' has version '1' only"),
    "unknown_receipt": Refusal(404, "no such receipt"),
    "unknown_job": Refusal(404, "no such job"),
    "bad_method": Refusal(405, "no such method here"),
    "head_timeout": Refusal(408, "the head of the request took too long"),
    "body_timeout": Refusal(408, "the body took too long to arrive"),
    "model_gone": Refusal(409, "its model is no longer served"),
    "too_large": Refusal(413, "the body is larger than 16777216 bytes"),
    "too_many_items": Refusal(413, "5000 items; at most 4096"),
    "bad_encoding": Refusal(415, "content encoding b'gzip'"),
    "cannot_prove": Refusal(422, "a proof of 4096 items takes more memory than there is"),
    "rate_limited": Refusal(429, "more than 1000 requests a second", is_temporary=True),
    "work_limited": Refusal(429, "more than 2000000 units of work a second", is_temporary=True),
    "too_many_waiting": Refusal(429, "too many requests of this key wait", is_temporary=True),
    "too_many_bytes": Refusal(
        429, "the requests of this key hold more than 67108864 bytes", is_temporary=True
    ),
    "too_many_proofs": Refusal(
        429, "1000 proofs are waiting; this key may have 1000", is_temporary=True
    ),
    "too_many_streams": Refusal(429, "8 streams of events are open", is_temporary=True),
    "large_head": Refusal(431, "the head of the request is too large"),
    "internal": Refusal(500, "internal error; the log of the gateway has more"),
    "not_ready": Refusal(503, "the database does not answer", is_temporary=True),
    "overloaded": Refusal(503, "too many requests are waiting", is_temporary=True),
    "shutting_down": Refusal(503, "the gateway is shutting down", is_temporary=True),
    "unavailable": Refusal(503, "nothing can be kept now: OperationalError", is_temporary=True),
    "deadline": Refusal(504, "the deadline passed"),
}

MEANINGS: Final = {
    400: "The request cannot be read, or does not fit the model",
    401: "No API key, or one that is not known",
    403: "Another name, another page, or not an operator",
    404: "Nothing of this name, or another caller's",
    405: "No such method",
    408: "The request took too long to arrive",
    409: "The model is no longer served",
    413: "More bytes or items than this gateway takes",
    415: "A content encoding that is not supported",
    422: "No proof of this receipt can be made",
    429: "More than the API key allows",
    431: "The head of the request is too large",
    500: "A defect of the gateway",
    503: "Not now",
    504: "The deadline passed before the run",
}


def of_status(status: int) -> dict[str, Refusal]:
    """Return the errors of a status."""
    return {name: one for name, one in REFUSALS.items() if one.status == status}
