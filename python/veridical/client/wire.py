"""Questions into requests of the protocol, and responses into answers that nobody checked yet.

Spec: spec/v1/serve.md, section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from veridical.errors import Error, FieldError, InputError
from veridical.inference_protocol import DATATYPES, HEADER_LENGTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["HEADER_LENGTH", "GatewayError", "Unchecked", "encode_question", "read_response"]

_NAME_OF: Final = {dtype: name for name, dtype in DATATYPES.items()}


class GatewayError(Error):
    """The gateway answered with an error, or not at all; nothing was accepted."""

    default_advice = "Read what the gateway says; nothing was accepted."

    def __init__(self, message: str, *, status: int = 0, where: str | None = None) -> None:
        """Carry the HTTP status; 0 stands for no answer."""
        super().__init__(message, where=where)
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Unchecked:
    """A response as it was received."""

    outputs: Mapping[str, NDArray[Any]] = field(repr=False)
    receipt: bytes = field(repr=False)
    parameters: Mapping[str, Any] = field(repr=False)


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
    if status != 200:  # noqa: PLR2004 - a result
        raise GatewayError(error_message(body), status=status)
    try:
        head = int(headers.get(HEADER_LENGTH, len(body)))
        document = orjson.loads(body[:head])
        parameters = document["parameters"]
        outputs: dict[str, NDArray[Any]] = {}
        position = head
        for entry in document["outputs"]:
            dtype = DATATYPES[entry["datatype"]]
            shape = [int(size) for size in entry["shape"]]
            size = math.prod(shape) * dtype.itemsize
            content = body[position : position + size]
            outputs[entry["name"]] = np.frombuffer(content, dtype).reshape(shape)
            position += size
        receipt = parameters["receipt"].encode("ascii")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FieldError(f"no response with a receipt: {error!r:.200}", check="format") from error
    return Unchecked(outputs=outputs, receipt=receipt, parameters=parameters)


def error_message(body: bytes) -> str:
    """Return what a gateway says is wrong."""
    try:
        return str(orjson.loads(body)["error"])[:1000]
    except (ValueError, KeyError, TypeError):
        return "an answer that is not of the protocol"
