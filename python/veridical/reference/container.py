"""The safetensors file that holds a program, read without the safetensors library.

Spec: spec/v1/program.md, section 2. The file is an 8 byte little-endian header length, a JSON
header and the tensor bytes; here every byte of the last part belongs to exactly one tensor.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from veridical.errors import ProgramError
from veridical.reference import canonical

if TYPE_CHECKING:
    from collections.abc import Mapping

PROGRAM_FORMAT = "veridical-program/1"
KEY_FORMAT = "veridical-vkey/1"

MAX_HEADER_BYTES = 64 * 2**20
MAX_FILE_BYTES = 8 * 2**30

_LENGTH_BYTES = 8
_ELEMENT_BYTES = {"I8": 1, "I16": 2, "I32": 4, "U8": 1}
_TENSOR_NAME = re.compile(r"c(0|[1-9][0-9]{0,8})|salt")
_NATURAL = re.compile(r"0|[1-9][0-9]{0,18}")
_WEIGHT_ROOT = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """One tensor of the file: its dtype name, its shape and its bytes."""

    dtype: str
    shape: tuple[int, ...]
    content: memoryview


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The parts of a file, structurally sound; what they mean is not checked yet."""

    graph_bytes: bytes
    aliases: Mapping[str, str]
    weight_root: bytes | None
    tensors: Mapping[str, StoredTensor]


def unpack(untrusted: bytes, *, expected_format: str) -> Container:
    """Take a file apart.

    Raises:
        ProgramError: the container breaks section 2.
    """
    if len(untrusted) > MAX_FILE_BYTES:
        raise _error(f"the file is larger than {MAX_FILE_BYTES} bytes")
    if len(untrusted) < _LENGTH_BYTES:
        raise _error("the file is shorter than its length field")
    header_bytes = int.from_bytes(untrusted[:_LENGTH_BYTES], "little")
    if header_bytes > MAX_HEADER_BYTES:
        raise _error(f"the header is larger than {MAX_HEADER_BYTES} bytes")
    end = _LENGTH_BYTES + header_bytes
    if end > len(untrusted):
        raise _error("the file is shorter than its header says")
    header = _parse_header(untrusted[_LENGTH_BYTES:end])
    metadata = _metadata(header.pop("__metadata__", None), expected_format)
    tensors = _tensors(header, memoryview(untrusted)[end:])
    return Container(
        graph_bytes=metadata["graph"].encode(),
        aliases=_aliases(metadata.get("aliases")),
        weight_root=_weight_root(metadata.get("weight_root")),
        tensors=tensors,
    )


def pack(
    *,
    format_name: str,
    graph_bytes: bytes,
    tensors: Mapping[str, StoredTensor],
    weight_root: bytes | None = None,
    aliases: Mapping[str, str] | None = None,
) -> bytes:
    """Write a file; the inverse of `unpack`, in the order of the given tensors."""
    metadata = {"format": format_name, "graph": graph_bytes.decode("ascii")}
    if aliases is not None:
        metadata["aliases"] = canonical.encode(dict(aliases)).decode("ascii")
    if weight_root is not None:
        metadata["weight_root"] = weight_root.hex()
    header: dict[str, object] = {"__metadata__": metadata}
    offset = 0
    for name, tensor in tensors.items():
        end = offset + tensor.content.nbytes
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [offset, end],
        }
        offset = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    parts = [len(encoded).to_bytes(_LENGTH_BYTES, "little"), encoded]
    parts += [bytes(tensor.content) for tensor in tensors.values()]
    return b"".join(parts)


def _error(message: str, where: str | None = None) -> ProgramError:
    return ProgramError(message, where or "container", "container")


def _parse_header(untrusted: bytes) -> dict[str, object]:
    if not untrusted.startswith(b"{") or not untrusted.rstrip(b" ").endswith(b"}"):
        raise _error("the header is not a JSON object followed by spaces only")
    try:
        header = json.loads(
            untrusted.decode("utf-8"),
            object_pairs_hook=_object_without_duplicates,
            parse_int=_natural,
            parse_float=_reject,
            parse_constant=_reject,
        )
    except (ValueError, RecursionError) as error:
        raise _error(f"the header is not usable JSON: {error}") from error
    if not isinstance(header, dict):
        raise _error("the header is not a JSON object")
    return header


def _object_without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _natural(text: str) -> int:
    if _NATURAL.fullmatch(text) is None:
        raise ValueError("a number that is no natural number below 10^19")
    return int(text)


def _reject(text: str) -> NoReturn:
    raise ValueError(f"the number {text[:40]} is not a natural number")


def _metadata(untrusted: object, expected_format: str) -> dict[str, str]:
    if not isinstance(untrusted, dict):
        raise _error("`__metadata__` is missing")
    required = {"format", "graph"}
    if expected_format == KEY_FORMAT:
        required.add("weight_root")
    keys = set(untrusted)
    if not required <= keys or not keys <= required | {"aliases"}:
        raise _error(f"`__metadata__` has the keys {sorted(keys)}, expected {sorted(required)}")
    result: dict[str, str] = {}
    for key, value in untrusted.items():
        if not isinstance(value, str):
            raise _error("a value is not a string", f"__metadata__.{key}")
        if not value.isascii():
            raise _error("a value is not ASCII", f"__metadata__.{key}")
        result[key] = value
    if result["format"] != expected_format:
        raise _error(f"the format is {result['format'][:64]!r}, expected {expected_format!r}")
    return result


def _aliases(untrusted: str | None) -> dict[str, str]:
    if untrusted is None:
        return {}
    value = canonical.parse(untrusted.encode(), where="__metadata__.aliases")
    if not isinstance(value, dict):
        raise _error("not an object", "__metadata__.aliases")
    result: dict[str, str] = {}
    for key, item in value.items():
        if not isinstance(item, str):
            raise _error("a value is not a string", "__metadata__.aliases")
        result[key] = item
    return result


def _weight_root(untrusted: str | None) -> bytes | None:
    if untrusted is None:
        return None
    if _WEIGHT_ROOT.fullmatch(untrusted) is None:
        raise _error("not 64 lower-case hex digits", "__metadata__.weight_root")
    return bytes.fromhex(untrusted)


def _tensors(header: Mapping[str, object], content: memoryview) -> dict[str, StoredTensor]:
    spans: list[tuple[int, int, str]] = []
    tensors: dict[str, StoredTensor] = {}
    for name, untrusted in header.items():
        if _TENSOR_NAME.fullmatch(name) is None:
            raise _error(f"a tensor named {name[:64]!r} is not allowed")
        dtype, shape, start, end = _tensor_entry(untrusted, name)
        if end > len(content):
            raise _error("the bytes end after the file", f"tensor {name}")
        tensors[name] = StoredTensor(dtype=dtype, shape=shape, content=content[start:end])
        spans.append((start, end, name))
    position = 0
    for start, end, name in sorted(spans):
        if start != position:
            raise _error(f"bytes start at {start}, expected {position}", f"tensor {name}")
        position = end
    if position != len(content):
        raise _error(f"{len(content) - position} bytes follow the last tensor")
    return tensors


def _tensor_entry(untrusted: object, name: str) -> tuple[str, tuple[int, ...], int, int]:
    where = f"tensor {name}"
    if not isinstance(untrusted, dict) or set(untrusted) != {"data_offsets", "dtype", "shape"}:
        raise _error("expected exactly the keys data_offsets, dtype, shape", where)
    dtype, shape, offsets = (untrusted[key] for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in _ELEMENT_BYTES:
        raise _error(f"dtype {dtype!r} is not one of {sorted(_ELEMENT_BYTES)}", where)
    dimensions, span = _naturals(shape, where), _naturals(offsets, where)
    size = _ELEMENT_BYTES[dtype]
    for dimension in dimensions:
        size *= dimension
        if size > MAX_FILE_BYTES:
            raise _error("the shape is larger than the largest file", where)
    if len(span) != 2 or span[1] - span[0] != size:  # noqa: PLR2004 - a start and an end
        raise _error(f"data_offsets {list(span)[:4]} do not hold the {size} bytes", where)
    return dtype, dimensions, span[0], span[1]


def _naturals(untrusted: object, where: str) -> tuple[int, ...]:
    if not isinstance(untrusted, list) or not all(type(item) is int for item in untrusted):
        raise _error("expected a list of natural numbers", where)
    return tuple(untrusted)
