"""The Open Inference Protocol v2: requests into arrays, arrays into responses.

Spec: spec/v1/serve.md, section 3. JSON, and the extension in which tensors follow it as bytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import orjson

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DATATYPES",
    "HEADER_LENGTH",
    "MAX_JSON_BYTES",
    "InferRequest",
    "ProtocolError",
    "Shapes",
    "encode_response",
    "json_bytes",
    "parse_request",
]

#: Names the length of the JSON where tensors follow it.
HEADER_LENGTH: Final = "Inference-Header-Content-Length"
DATATYPES: Final = {
    "BOOL": np.dtype("?"),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
#: Objects of JSON take up to 25 times the memory of its text; larger tensors are sent as bytes.
MAX_JSON_BYTES: Final = 4 * 1024 * 1024
_MAX_DIMENSIONS: Final = 9
_MAX_TENSORS: Final = 256
_MAX_ID: Final = 1024
#: A number beyond it becomes infinite. For few numbers looking is faster than muting numpy.
_FLOAT32: Final = DATATYPES["FP32"]
_MAX_FLOAT32: Final = float(np.finfo(np.float32).max)
_FEW: Final = 64
#: Kinds of arrays that JSON numbers make, by the kind of tensor that they may fill.
_TAKES: Final = {"b": "b", "u": "ui", "i": "ui", "f": "fui"}


#: For each input of a model the shape of one item.
Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class ProtocolError(Exception):
    """A request that gets an answer other than a result; `error` is a stable name."""

    def __init__(
        self, status: int, error: str, message: str, *, retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True, kw_only=True)
class InferRequest:
    """One request, parsed."""

    id: str
    inputs: dict[str, NDArray[Any]]
    parameters: Mapping[str, Any]
    #: Outputs that were asked for, and whether each is wanted as bytes; empty stands for all.
    outputs: Mapping[str, bool] = field(default_factory=dict)
    is_binary: bool = False
    #: How many items every input has; 0 if the request was not compared with a model.
    items: int = 0


def bad(message: str) -> ProtocolError:
    """Return the error of a request that cannot be read."""
    return ProtocolError(400, "bad_request", message)


def json_bytes(body: bytes, header_length: str | None) -> int:
    """Return how much of a body is JSON.

    Raises:
        ProtocolError: the header is no length, or the JSON is larger than it may be.
    """
    length = len(body)
    if header_length is not None:
        if not header_length.isascii() or not header_length.isdigit() or len(header_length) > 12:  # noqa: PLR2004 - far beyond any body
            raise bad(f"{HEADER_LENGTH} is {header_length[:40]!r}, not a length")
        if int(header_length) > length:
            raise bad(f"{HEADER_LENGTH} is {header_length}, the body has {length} bytes")
        length = int(header_length)
    if length > MAX_JSON_BYTES:
        raise ProtocolError(
            413,
            "too_large",
            f"{length} bytes of JSON; at most {MAX_JSON_BYTES}: send large tensors as bytes",
        )
    return length


def parse_request(
    body: bytes, header_length: str | None, *, shapes: Shapes | None = None, max_items: int = 0
) -> InferRequest:
    """Parse the body of a request; no array is made before its names and shapes fit `shapes`.

    Raises:
        ProtocolError: it is not a request of the protocol, or does not fit; the message says why.
    """
    length = json_bytes(body, header_length)
    head, tail = (body, b"") if length == len(body) else (body[:length], memoryview(body)[length:])
    try:
        document = orjson.loads(head)
    except orjson.JSONDecodeError as error:
        raise bad(f"the body is not JSON: {error}") from error
    document = _object(document, "the body")
    parameters = _member(document, "parameters", "the body")
    entries = document.get("inputs")
    if not isinstance(entries, list) or not 1 <= len(entries) <= _MAX_TENSORS:
        raise bad(f"inputs: expected a list of 1 to {_MAX_TENSORS} tensors")
    tensors = [_tensor(item, index) for index, item in enumerate(entries)]
    names = {tensor.name for tensor in tensors}
    if len(names) != len(tensors):
        raise bad("an input stands twice")
    items = 0 if shapes is None else _require_fit(tensors, shapes, max_items)
    inputs: dict[str, NDArray[Any]] = {}
    position = 0
    for tensor in tensors:
        array, position = _input(tensor, tail, position)
        inputs[tensor.name] = array
    if position != len(tail):
        raise bad(f"{len(tail) - position} bytes follow the last tensor")
    is_binary = _flag(parameters, "binary_data_output", default=False)
    return InferRequest(
        id=_id(document),
        inputs=inputs,
        parameters=parameters,
        outputs=_outputs(document.get("outputs"), is_binary=is_binary),
        is_binary=is_binary,
        items=items,
    )


def encode_response(
    *,
    model: str,
    version: str,
    request: InferRequest,
    outputs: Mapping[str, NDArray[Any]],
    parameters: Mapping[str, Any],
) -> tuple[bytes, int | None]:
    """Return the body, and the length of its JSON if tensors follow it."""
    names = request.outputs or dict.fromkeys(outputs, request.is_binary)
    entries: list[dict[str, Any]] = []
    blobs: list[bytes] = []
    for name, is_binary in names.items():
        array = outputs[name]
        entry: dict[str, Any] = {
            "name": name,
            "datatype": _DATATYPE_OF[array.dtype],
            "shape": list(array.shape),
        }
        if is_binary:
            blobs.append(np.ascontiguousarray(array).tobytes())
            entry["parameters"] = {"binary_data_size": len(blobs[-1])}
        else:
            entry["data"] = np.ascontiguousarray(array).reshape(-1)
        entries.append(entry)
    document: dict[str, Any] = {"model_name": model, "model_version": version}
    if request.id:
        document["id"] = request.id
    document["parameters"] = dict(parameters)
    document["outputs"] = entries
    head = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
    return (head, None) if not blobs else (b"".join((head, *blobs)), len(head))


_DATATYPE_OF: Final = {dtype: name for name, dtype in DATATYPES.items()}


def _object(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    if not isinstance(value, dict):
        raise bad(f"{where}: expected an object")
    return value


def _member(entry: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    """Return an object that may be left out, or be null, as clients with typed models send it."""
    value = entry.get(name)
    return {} if value is None else _object(value, f"{where}: {name}")


def _text(entry: dict[str, Any], name: str, where: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise bad(f"{where}: {name} is not a string")
    return value


def _flag(entry: dict[str, Any], name: str, *, default: bool) -> bool:
    value = entry.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad(f"{name}: expected true or false")
    return value


def _id(document: dict[str, Any]) -> str:
    value = document.get("id")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_ID:
        raise bad(f"id: expected a string of at most {_MAX_ID} characters")
    return value


def _outputs(entries: Any, *, is_binary: bool) -> dict[str, bool]:  # noqa: ANN401 - any JSON
    if entries is None:
        return {}
    if not isinstance(entries, list) or len(entries) > _MAX_TENSORS:
        raise bad(f"outputs: expected a list of at most {_MAX_TENSORS}")
    names: dict[str, bool] = {}
    for index, item in enumerate(entries):
        entry = _object(item, f"outputs[{index}]")
        name = _text(entry, "name", f"outputs[{index}]")
        if name in names:
            raise bad(f"output {name[:80]!r} stands twice")
        parameters = _member(entry, "parameters", f"outputs[{index}]")
        if parameters.get("classification"):
            raise bad(f"output {name[:80]!r}: the classification extension is not supported")
        if "shared_memory_region" in parameters:
            raise bad(f"output {name[:80]!r}: the shared memory extension is not supported")
        names[name] = _flag(parameters, "binary_data", default=is_binary)
    return names


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What a request says of an input, before anything is made of its data."""

    name: str
    datatype: str
    dtype: np.dtype[Any]
    shape: list[int]
    count: int
    #: Its bytes behind the JSON; None if its data is JSON.
    size: int | None
    data: Any


def _tensor(item: Any, index: int) -> _Tensor:  # noqa: ANN401 - any JSON
    entry = _object(item, f"inputs[{index}]")
    full_name = _text(entry, "name", f"inputs[{index}]")
    name = full_name[:80]
    datatype = entry.get("datatype")
    dtype = DATATYPES.get(datatype) if isinstance(datatype, str) else None
    if dtype is None or not isinstance(datatype, str):
        raise bad(f"input {name!r}: datatype {str(datatype)[:20]!r} is not supported")
    shape = entry.get("shape")
    if (
        not isinstance(shape, list)
        or not 1 <= len(shape) <= _MAX_DIMENSIONS
        or not all(type(size) is int and 0 < size < 2**31 for size in shape)
    ):
        raise bad(f"input {name!r}: shape is not a list of 1 to 9 positive integers")
    count = math.prod(shape)
    parameters = _member(entry, "parameters", f"input {name!r}")
    if "shared_memory_region" in parameters:
        raise bad(f"input {name!r}: the shared memory extension is not supported")
    size = parameters.get("binary_data_size")
    data = entry.get("data")
    if size is not None:
        if data is not None:
            raise bad(f"input {name!r} has both data and binary_data_size")
        if type(size) is not int or size != count * dtype.itemsize:
            raise bad(
                f"input {name!r}: {str(size)[:20]} bytes; "
                f"shape {shape} of {datatype} takes another number"
            )
    return _Tensor(full_name, datatype, dtype, shape, count, size, data)


def _require_fit(tensors: list[_Tensor], shapes: Shapes, max_items: int) -> int:
    """Compare names and shapes with those of a model, and return the number of items."""
    if {tensor.name for tensor in tensors} != shapes.keys():
        sent = sorted(tensor.name[:80] for tensor in tensors[:9])
        raise ProtocolError(400, "bad_inputs", f"inputs {sent}; this model takes {sorted(shapes)}")
    items = tensors[0].shape[0]
    for tensor in tensors:
        expected = shapes[tensor.name]
        if tuple(tensor.shape[1:]) != expected:
            raise ProtocolError(
                400,
                "bad_shape",
                f"input {tensor.name!r} has shape {tensor.shape}; expected {[-1, *expected]}",
            )
        if tensor.shape[0] != items:
            raise ProtocolError(
                400, "bad_shape", f"inputs of {items} and of {tensor.shape[0]} items"
            )
    if items > max_items:
        raise ProtocolError(413, "too_many_items", f"{items} items; at most {max_items}")
    return items


def _input(tensor: _Tensor, tail: bytes | memoryview, position: int) -> tuple[NDArray[Any], int]:
    """Return the array of one tensor, and where the bytes of the next one begin."""
    name, size = tensor.name[:80], tensor.size
    if size is None:
        array = _from_json(name, tensor.data, tensor.dtype, tensor.count)
        return array.reshape(tensor.shape), position
    if position + size > len(tail):
        raise bad(f"input {name!r}: the body ends before its {size} bytes")
    content = tail[position : position + size]
    if tensor.dtype.kind == "b" and bytes(content).strip(b"\x00\x01"):
        raise bad(f"input {name!r}: a BOOL is a byte, 0 or 1")
    return np.frombuffer(content, dtype=tensor.dtype).reshape(tensor.shape), position + size


def _from_json(
    name: str,
    data: Any,  # noqa: ANN401 - any JSON
    dtype: np.dtype[Any],
    count: int,
) -> NDArray[Any]:
    if not isinstance(data, list):
        raise bad(f"input {name!r}: data is not a list")
    # Flat, and numbers only, before an array is made: one long string among many short ones
    # would make each of them as long.
    flat: list[Any] = data
    for _ in range(_MAX_DIMENSIONS):
        kinds = set(map(type, flat))
        if kinds != {list}:
            break
        if sum(map(len, flat)) > count:
            raise bad(f"input {name!r}: more elements than the {count} of its shape")
        if len(set(map(len, flat))) != 1:
            raise bad(f"input {name!r}: data is ragged or out of range")
        flat = list(chain.from_iterable(flat))
    if len(flat) != count:
        raise bad(f"input {name!r}: {len(flat)} elements; its shape takes {count}")
    if not (kinds <= {int, float} or kinds == {bool}):
        raise bad(f"input {name!r}: data is ragged, or holds what is no number")
    try:
        array = np.asarray(flat)
    except (ValueError, OverflowError) as error:
        raise bad(f"input {name!r}: data is ragged or out of range") from error
    if array.dtype.kind not in _TAKES[dtype.kind]:
        raise bad(f"input {name!r}: data does not fit the datatype")
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise bad(f"input {name!r}: an element is out of range")
    return _cast(array, flat, dtype)


def _cast(array: NDArray[Any], flat: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return numbers in a datatype; infinity is refused where the program takes its input."""
    if dtype is _FLOAT32:
        is_finite = len(flat) <= _FEW and -_MAX_FLOAT32 <= min(flat) <= max(flat) <= _MAX_FLOAT32
        if not is_finite:
            with np.errstate(over="ignore"):
                return array.astype(dtype)
    return array.astype(dtype, copy=False)
