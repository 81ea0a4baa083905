"""Reading an ONNX file that may be hostile.

Nothing outside the model's folder is read, nothing is executed, and every size is checked before
memory is asked for. Source of the attack list: CVE-2022-25882, CVE-2024-27318, CVE-2026-27489,
CVE-2026-34446 (hard link) and CVE-2026-34447 (symbolic link), all on ONNX external data.
"""

from __future__ import annotations

import os
import stat
from math import prod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.frontend.builder import MAX_ELEMENTS, MAX_RANK
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

#: Protobuf cannot hold a larger message.
MAX_BYTES = 2**31 - 1
OPSETS = range(11, 24)
_MAX_NODES = 200_000
_IR_VERSIONS = range(3, 14)
_BITS: dict[str, int] = {
    "FLOAT": 32, "DOUBLE": 64, "FLOAT16": 16, "BFLOAT16": 16, "BOOL": 8,
    "INT8": 8, "UINT8": 8, "INT16": 16, "UINT16": 16, "INT32": 32, "UINT32": 32,
    "INT64": 64, "UINT64": 64,
}  # fmt: skip
#: The typed field that holds the elements of a tensor without raw data.
_FIELDS: dict[str, str] = {
    "FLOAT": "float_data", "DOUBLE": "double_data", "INT64": "int64_data",
    "UINT32": "uint64_data", "UINT64": "uint64_data",
}  # fmt: skip


def read_model(
    source: str | os.PathLike[str] | bytes, *, max_bytes: int = MAX_BYTES
) -> tuple[onnx.ModelProto, bytes]:
    """Parse and check a model; external data are read in.

    Returns:
        the model, self-contained, and the bytes of the file as given.

    Raises:
        CompileError: the file is not a well-formed model, or points outside its folder.
        UnsupportedOpError: a node can have no integer form (subgraph, foreign domain).
    """
    if isinstance(source, bytes):
        data, folder, where = source, None, "model bytes"
        if len(data) > max_bytes:
            raise _too_large(where, len(data), max_bytes)
    else:
        path = Path(source)
        data, folder, where = _read_file(path, max_bytes), path.resolve().parent, str(path)
    model = _parse(data, where)
    _check_header(model, where)
    external = [t for t in _tensors(model) if _is_external(t)]
    if external:
        _read_external(external, folder, max_bytes - len(data), where)
    for tensor in _tensors(model):
        _check_tensor(tensor)
    _check_graph(model)
    return model, data


def _too_large(where: str, size: int, limit: int) -> CompileError:
    return CompileError(
        f"{size} bytes are more than the limit of {limit}", where=where, check="model size"
    )


def _read_file(path: Path, max_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise CompileError("not a regular file", where=str(path), check="model file")
            if found.st_size > max_bytes:
                raise _too_large(str(path), found.st_size, max_bytes)
            return file.read(max_bytes)
    except OSError as error:
        raise CompileError(
            f"cannot read the model: {error.strerror}", where=str(path), check="model file"
        ) from error


def _parse(data: bytes, where: str) -> onnx.ModelProto:
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except (DecodeError, RecursionError) as error:
        raise CompileError(
            f"not an ONNX model: {error}", where=where, check="model format"
        ) from error
    if not model.graph.node:
        raise CompileError(
            "not an ONNX model: it holds no nodes", where=where, check="model format"
        )
    return model


def _check_header(model: onnx.ModelProto, where: str) -> None:
    if model.ir_version not in _IR_VERSIONS:
        raise CompileError(
            f"IR version {model.ir_version} is not in {_IR_VERSIONS.start}..{_IR_VERSIONS[-1]}",
            where=where,
            check="IR version",
        )
    versions = [o.version for o in model.opset_import if o.domain in ("", "ai.onnx")]
    if len(versions) != 1 or versions[0] not in OPSETS:
        raise CompileError(
            f"opset {versions or 'missing'} is not in {OPSETS.start}..{OPSETS[-1]}",
            where=where,
            check="opset",
            advice="Export the model again with opset 17, or convert it with "
            "onnx.version_converter.",
        )
    if model.functions or model.training_info:
        raise CompileError(
            "model-local functions and training graphs are not supported",
            where=where,
            check="model functions",
        )
    if model.graph.sparse_initializer:
        raise CompileError(
            "sparse initialisers are not supported",
            where=model.graph.sparse_initializer[0].values.name,
            check="sparse initialiser",
        )


def _tensors(model: onnx.ModelProto) -> Iterable[onnx.TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _is_external(tensor: onnx.TensorProto) -> bool:
    return tensor.data_location == 1 or len(tensor.external_data) > 0


def _external_error(tensor: onnx.TensorProto, reason: str) -> CompileError:
    return CompileError(
        f"external data of tensor {tensor.name!r}: {reason}",
        where=tensor.name,
        check="external data",
        advice="Keep the data in a regular file beside the model, or save the model with its "
        "weights inside.",
    )


def _read_external(
    tensors: list[onnx.TensorProto], folder: Path | None, budget: int, where: str
) -> None:
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
    expected = _byte_size(tensor)
    try:
        offset = int(entries.get("offset", "0"))
        length = int(entries.get("length", str(expected)))
    except ValueError as error:
        raise _external_error(tensor, "offset or length is not a number") from error
    if length != expected:
        raise _external_error(tensor, f"length {length}, but the shape needs {expected} bytes")
    if length > budget:
        raise _external_error(tensor, f"{length} bytes exceed what is left of the size limit")
    # Checked again on the open file, so that a swap between the checks changes nothing.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise _external_error(tensor, f"cannot open: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _external_error(tensor, "not a regular file")
        if found.st_nlink != 1:
            raise _external_error(tensor, f"the file has {found.st_nlink} hard links, expected 1")
        if offset < 0 or offset + length > found.st_size:
            raise _external_error(
                tensor,
                f"bytes {offset}..{offset + length} are outside the file of {found.st_size}",
            )
        file.seek(offset)
        data = file.read(length)
    if len(data) != length:
        raise _external_error(tensor, f"the file ended after {len(data)} of {length} bytes")
    return data


def _kind(tensor: onnx.TensorProto) -> str:
    import onnx

    try:
        kind: str = onnx.TensorProto.DataType.Name(tensor.data_type)
    except ValueError:
        kind = str(tensor.data_type)
    if kind not in _BITS:
        raise CompileError(
            f"tensor {tensor.name!r} has element type {kind}, which is not supported",
            where=tensor.name,
            check="element type",
        )
    return kind


def _byte_size(tensor: onnx.TensorProto) -> int:
    dims = list(tensor.dims)
    if len(dims) > MAX_RANK or any(n < 0 for n in dims) or prod(dims) > MAX_ELEMENTS:
        raise CompileError(
            f"tensor {tensor.name!r} has shape {dims}; at most {MAX_ELEMENTS} elements and rank "
            f"{MAX_RANK} are supported",
            where=tensor.name,
            check="tensor size",
        )
    return int(prod(dims)) * _BITS[_kind(tensor)] // 8


def _check_tensor(tensor: onnx.TensorProto) -> None:
    """The elements that are present must be those that the shape promises."""
    expected = _byte_size(tensor)
    kind = _kind(tensor)
    count = prod(tensor.dims)
    if tensor.HasField("raw_data"):
        found, unit, needed = len(tensor.raw_data), "bytes", expected
    else:
        found, unit = len(getattr(tensor, _FIELDS.get(kind, "int32_data"))), "elements"
        needed = count
    if found != needed:
        raise CompileError(
            f"tensor {tensor.name!r} of shape {list(tensor.dims)} needs {needed} {unit}, "
            f"the file holds {found}",
            where=tensor.name,
            check="tensor size",
        )


def _check_graph(model: onnx.ModelProto) -> None:
    graph = model.graph
    if len(graph.node) > _MAX_NODES:
        raise CompileError(f"{len(graph.node)} nodes are more than {_MAX_NODES}", check="nodes")
    defined: dict[str, str] = {}
    for tensor in graph.initializer:
        _define(defined, tensor.name, "an initialiser")
    inputs = {proto.name for proto in graph.input}
    if len(inputs) != len(graph.input):
        raise CompileError("two graph inputs have the same name", check="duplicate name")
    defined.update(dict.fromkeys(inputs, "a graph input"))
    for node in graph.node:
        _check_node(node)
        for name in node.output:
            if name:
                _define(defined, name, f"node {node.name or node.op_type!r}")
    _check_operands(graph, defined)
    _sort(model, {t.name for t in graph.initializer} | inputs)


def _check_operands(graph: onnx.GraphProto, defined: dict[str, str]) -> None:
    for node in graph.node:
        for name in node.input:
            if name and name not in defined:
                raise CompileError(
                    f"input {name!r} is defined by no node, initialiser or graph input",
                    where=f"node {node.name!r}, op {node.op_type}",
                    check="missing tensor",
                )
    for proto in graph.output:
        if proto.name not in defined:
            raise CompileError(
                f"output {proto.name!r} is defined by no node", where=proto.name,
                check="missing tensor",
            )  # fmt: skip
    if not graph.output or len({proto.name for proto in graph.output}) != len(graph.output):
        raise CompileError("outputs are missing or share a name", check="duplicate name")


def _define(defined: dict[str, str], name: str, by: str) -> None:
    if name in defined:
        raise CompileError(
            f"tensor {name!r} is defined by {defined[name]} and again by {by}",
            where=name,
            check="duplicate name",
        )
    defined[name] = by


def _check_node(node: onnx.NodeProto) -> None:
    if node.domain not in ("", "ai.onnx"):
        raise UnsupportedOpError(
            f"operators of domain {node.domain!r} are not supported", node.name, node.op_type
        )
    for attribute in node.attribute:
        if attribute.HasField("g") or attribute.graphs:
            raise UnsupportedOpError(
                f"attribute {attribute.name!r} holds a subgraph; control flow is not supported",
                node.name,
                node.op_type,
            )
        if attribute.HasField("sparse_tensor") or attribute.sparse_tensors:
            raise UnsupportedOpError(
                f"attribute {attribute.name!r} holds a sparse tensor", node.name, node.op_type
            )


def _sort(model: onnx.ModelProto, available: set[str]) -> None:
    """Bring nodes into topological order; a cycle is an error that names its nodes."""
    waiting = list(model.graph.node)
    ordered: list[Any] = []
    while waiting:
        later = []
        for node in waiting:
            if all(not name or name in available for name in node.input):
                ordered.append(node)
                available.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            names = ", ".join(repr(node.name or node.op_type) for node in later[:5])
            raise CompileError(
                f"the graph has a cycle through {names}", where=later[0].name, check="cycle"
            )
        waiting = later
    if any(one is not two for one, two in zip(ordered, model.graph.node, strict=True)):
        copies = [type(node).FromString(node.SerializeToString()) for node in ordered]
        del model.graph.node[:]
        model.graph.node.extend(copies)


def arrays(model: onnx.ModelProto) -> dict[str, np.ndarray[Any, Any]]:
    """Return the initialisers as arrays."""
    import onnx

    found = {}
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.kind == "V" or str(array.dtype) in ("bfloat16", "float16"):
            array = array.astype(np.float32)
        found[tensor.name] = array
    return found
