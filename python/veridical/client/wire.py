"""Questions into requests of the protocol, and responses into answers that nobody checked yet.

Spec: spec/v1/serve.md, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from veridical.errors import FieldError, GatewayError, InputError, ProofUnavailableError
from veridical.inference_protocol import DATATYPES, HEADER_LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "HEADER_LENGTH",
    "GatewayError",
    "Progress",
    "ProofUnavailableError",
    "Unchecked",
    "encode_question",
    "read_job",
    "read_response",
]

_NAME_OF: Final = {dtype: name for name, dtype in DATATYPES.items()}
#: Signs that begin a value in JSON. Tensors come as bytes and the receipt is one string, so there
#: are few; a document of more would be far larger in memory than it is on the wire.
_MAX_SIGNS: Final = 100_000
_MAX_LENGTH_DIGITS: Final = 12
_OK: Final = 200
_ENDED: Final = frozenset({"done", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """A response as it was received."""

    outputs: Mapping[str, NDArray[Any]] = field(repr=False)
    receipt: bytes = field(repr=False)
    parameters: Mapping[str, Any] = field(repr=False)

    def text(self, name: str) -> str:
        """Return a parameter that is a text; empty if there is none."""
        value = self.parameters.get(name, "")
        return value if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a proof is, as the gateway says."""

    job_id: str
    state: str
    stage: str
    attempts: int
    batch_size: int
    error: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether the job changes no more."""
        return self.state in _ENDED


def encode_question(
    question: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any]
) -> tuple[bytes, dict[str, str]]:
    """Return body and headers; tensors go as bytes, so that every bit arrives.

    Raises:
        InputError: an array has a dtype that the protocol does not carry.
    """
    entries: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, array in question.items():
        datatype = _NAME_OF.get(array.dtype.newbyteorder("<"))
        if datatype is None:
            raise InputError(f"dtype {array.dtype} cannot be sent", where=f"input {name!r}")
        blobs.append(array.astype(DATATYPES[datatype], order="C").tobytes())
        entries.append(
            {
                "name": name,
                "shape": list(array.shape),
                "datatype": datatype,
                "parameters": {"binary_data_size": len(blobs[-1])},
            }
        )
    head = orjson.dumps(
        {"parameters": {**parameters, "binary_data_output": True}, "inputs": entries}
    )
    headers = {HEADER_LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
    return b"".join((head, *blobs)), headers


def read_response(status: int, headers: Mapping[str, str], body: bytes) -> Unchecked:
    """Read a response; nothing in it is checked against anything.

    Raises:
        GatewayError: the gateway refused.
        MalformedError: it is not a response of the protocol with a receipt.
    """
    require_ok(status, headers, body)
    try:
        return _read(headers.get(HEADER_LENGTH), body)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise FieldError(f"no response with a receipt: {error!r:.200}", check="format") from error


def _read(header: str | None, body: bytes) -> Unchecked:
    head = _head_length(header, len(body))
    document = _parsed(body[:head])
    parameters = document["parameters"]
    outputs: dict[str, NDArray[Any]] = {}
    position = head
    for entry in document["outputs"]:
        array, position = _output(entry, body, position)
        name = str(entry["name"])
        if name in outputs:
            raise ValueError(f"output {name[:80]!r} stands twice")
        outputs[name] = array
    if position != len(body):
        raise ValueError(f"{len(body) - position} bytes follow the last tensor")
    receipt = parameters["receipt"].encode("ascii")
    if not outputs or not receipt:
        raise ValueError("no output, or no receipt")
    return Unchecked(outputs=outputs, receipt=receipt, parameters=parameters)


def read_job(status: int, headers: Mapping[str, str], body: bytes) -> Progress:
    """Read how far a proof is.

    Raises:
        GatewayError: the gateway refused.
        MalformedError: it is no job.
    """
    require_ok(status, headers, body)
    try:
        job = _parsed(body)
        return Progress(
            job_id=_short(job["job_id"]),
            state=_short(job["state"]),
            stage=_short(job["stage"]),
            attempts=int(job["attempts"]),
            batch_size=int(job["batch_size"]),
            error=_short(job["error"]),
        )
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise FieldError(f"no job: {error!r:.200}", check="format") from error


def require_ok(status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Return if a response is a result.

    Raises:
        GatewayError: it is not.
    """
    if status in (_OK, 202):
        return
    seconds = headers.get("retry-after", "")
    raise GatewayError(
        error_message(body),
        status=status,
        name=headers.get("veridical-error", "")[:64],
        retry_after=int(seconds) if _is_number(seconds) else None,
    )


def error_message(body: bytes) -> str:
    """Return what a gateway says is wrong."""
    try:
        return str(_parsed(body)["error"])[:1000]
    except (ValueError, KeyError, TypeError):
        return "an answer that is not of the protocol"


def _parsed(content: bytes) -> Any:  # noqa: ANN401 - any JSON
    if sum(content.count(sign) for sign in (b",", b"[", b"{")) > _MAX_SIGNS:
        raise ValueError("a document of too many values")
    return orjson.loads(content)


def _short(value: Any) -> str:  # noqa: ANN401 - any JSON
    return str(value or "")[:1000]


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9  # noqa: PLR2004 - far beyond any wait


def _head_length(text: str | None, size: int) -> int:
    if text is None:
        return size
    if not text.isascii() or not text.isdigit() or len(text) > _MAX_LENGTH_DIGITS:
        raise ValueError(f"{HEADER_LENGTH} is no length")
    if int(text) > size:
        raise ValueError(f"{HEADER_LENGTH} is {text}, the body has {size} bytes")
    return int(text)


def _output(entry: Any, body: bytes, position: int) -> tuple[NDArray[Any], int]:  # noqa: ANN401 - any JSON
    dtype = DATATYPES[entry["datatype"]]
    shape = entry["shape"]
    if not all(type(size) is int and size > 0 for size in shape):
        raise ValueError("a shape is a list of positive integers")
    size = math.prod(shape) * dtype.itemsize
    if "data" in entry or entry["parameters"]["binary_data_size"] != size:
        raise ValueError("an output is not the bytes of its shape")
    content = body[position : position + size]
    if dtype.kind == "b" and content.strip(b"\x00\x01"):
        raise ValueError("a BOOL is a byte, 0 or 1")
    return np.frombuffer(content, dtype).reshape(shape), position + size
