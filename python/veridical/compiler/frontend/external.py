"""External data and the size of tensors: only regular files inside the model's folder are read.

A location is a plain relative path; no part of it is a symbolic link, and the file has no second
hard link, since that could name a file elsewhere. Sources: CVE-2022-25882, CVE-2024-27318,
CVE-2026-27489, CVE-2026-34446 (hard link), CVE-2026-34447 (symbolic link).
"""

from __future__ import annotations

import os
import stat
from math import prod
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from veridical.compiler.frontend.builder import MAX_ELEMENTS, MAX_RANK
from veridical.errors import CompileError

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

_BITS: dict[str, int] = {
    "FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16, "BOOL": 8,
    "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32, "UINT32": 32,
    "INT64": 64, "UINT64": 64,
}  # fmt: skip


def is_external(tensor: onnx.TensorProto) -> bool:
    """Say whether the elements lie in another file."""
    return tensor.data_location == 1 or len(tensor.external_data) > 0


def _external_error(tensor: onnx.TensorProto, reason: str) -> CompileError:
    return CompileError(
        f"external data of tensor {tensor.name!r}: {reason}",
        where=tensor.name,
        check="external data",
        advice="Keep the data in a regular file beside the model, or save the model with its "
        "weights inside.",
    )


def read_external(
    tensors: list[onnx.TensorProto], folder: Path | None, budget: int, where: str
) -> None:
    """Read the elements of every tensor into the model."""
    for tensor in tensors:
        if folder is None:
            raise _external_error(tensor, f"{where} have no folder to read it from")
        entries = {entry.key: entry.value for entry in tensor.external_data}
        data = _read_slice(tensor, folder, entries, budget)
        budget -= len(data)
        tensor.raw_data = data
        del tensor.external_data[:]
        tensor.data_location = 0  # type: ignore[assignment]


def _contained(tensor: onnx.TensorProto, folder: Path, location: str) -> Path:
    """Return the path of a data file, every part of which is real and inside the folder."""
    pure = PurePosixPath(location)
    if not location or "\x00" in location or "\\" in location or ":" in location:
        raise _external_error(tensor, f"location {location!r} is not a plain relative path")
    if pure.is_absolute() or ".." in pure.parts:
        raise _external_error(tensor, f"location {location!r} leaves the model's folder")
    path = folder
    for part in pure.parts:
        path = path / part
        try:
            mode = path.lstat().st_mode
        except OSError as error:
            raise _external_error(tensor, f"cannot read {location!r}: {error.strerror}") from error
        if stat.S_ISLNK(mode):
            raise _external_error(tensor, f"{location!r} passes through a symbolic link")
    if not path.resolve().is_relative_to(folder):
        raise _external_error(tensor, f"location {location!r} leaves the model's folder")
    return path


def _read_slice(
    tensor: onnx.TensorProto, folder: Path, entries: dict[str, str], budget: int
) -> bytes:
    path = _contained(tensor, folder, entries.get("location", ""))
    expected = byte_size(tensor)
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(expected)))
    except ValueError as error:
        raise _external_error(tensor, "offset or length is not a number") from error
    if length != expected:
        raise _external_error(tensor, f"length {length}, but the shape needs {expected} bytes")
    if length > budget:
        raise _external_error(tensor, f"{length} bytes exceed what is left of the size limit")
    # Checked on the open file, so that a swap after the checks of the path changes nothing.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _external_error(tensor, f"cannot open: {error.strerror}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise _external_error(tensor, "not a regular file")
        if found.st_nlink != 1:
            raise _external_error(tensor, f"the file has {found.st_nlink} hard links, expected 1")
        if offset < 0 or offset + length > found.st_size:
            raise _external_error(
                tensor,
                f"bytes {offset}..{offset + length} are outside the file of {found.st_size}",
            )
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            file.seek(offset)
            data = file.read(length)
    finally:
        os.close(descriptor)
    if len(data) != length:
        raise _external_error(tensor, f"the file ended after {len(data)} of {length} bytes")
    return data


def type_name(code: int) -> str:
    """Return ONNX's name of an element type; the number itself if it has none."""
    import onnx

    try:
        return str(onnx.TensorProto.DataType.Name(code))
    except ValueError:
        return str(code)


def element_type(tensor: onnx.TensorProto) -> str:
    """Return the name of a numeric element type."""
    kind = type_name(tensor.data_type)
    if kind not in _BITS:
        raise CompileError(
            f"tensor {tensor.name!r} has element type {kind}, which is not supported",
            where=tensor.name,
            check="element type",
        )
    return kind


def byte_size(tensor: onnx.TensorProto) -> int:
    """Return the bytes that the shape needs, once it is small enough for a program."""
    dims = list(tensor.dims)
    if len(dims) > MAX_RANK or any(n < 0 for n in dims) or prod(dims) > MAX_ELEMENTS:
        raise CompileError(
            f"tensor {tensor.name!r} has shape {dims}; at most {MAX_ELEMENTS} elements and rank "
            f"{MAX_RANK} are supported",
            where=tensor.name,
            check="tensor size",
        )
    return int(prod(dims)) * _BITS[element_type(tensor)] // 8
