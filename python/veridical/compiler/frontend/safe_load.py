"""Reading an ONNX file that may be hostile.

Nothing outside the model's folder is read, nothing is executed, and every size is checked before
memory is asked for. Source of the attack list: CVE-2022-25882, CVE-2024-27318, CVE-2026-27489,
CVE-2026-34446 (hard link) and CVE-2026-34447 (symbolic link), all on ONNX external data.
"""

from __future__ import annotations

import os
import stat
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.frontend.external import (
    byte_size,
    element_type,
    is_external,
    read_external,
)
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import onnx

#: Protobuf cannot hold a larger message.
MAX_BYTES = 2**31 - 1
OPSETS = range(11, 24)
_MAX_NODES = 200_000
_IR_VERSIONS = range(3, 14)
#: ONNX Runtime's own operators that its optimiser writes into the default domain.
_WITHOUT_SCHEMA = frozenset(["SimplifiedLayerNormalization"])
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
    external = [t for t in _tensors(model) if is_external(t)]
    if external:
        read_external(external, folder, max_bytes - len(data), where)
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
    for text in _texts(model):
        if not isinstance(text, str):  # protobuf hands out bytes that are no UTF-8
            raise CompileError(
                f"not an ONNX model: the name {text!r} is no UTF-8", where=where, check="text"
            )
    return model


def _texts(model: onnx.ModelProto) -> Iterable[str]:
    """Return every name in the model that is looked at later."""
    yield from (entry.domain for entry in model.opset_import)
    for proto in [*model.graph.input, *model.graph.output]:
        yield proto.name
        yield from (dim.dim_param for dim in proto.type.tensor_type.shape.dim)
    for node in model.graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    for tensor in _tensors(model):
        yield tensor.name
        for entry in tensor.external_data:
            yield from (entry.key, entry.value)


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


def _check_tensor(tensor: onnx.TensorProto) -> None:
    """The elements that are present must be those that the shape promises."""
    expected = byte_size(tensor)
    kind = element_type(tensor)
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
    context = _checker(model)
    for node in graph.node:
        _check_node(node, context)
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


def _check_node(node: onnx.NodeProto, context: Any) -> None:  # noqa: ANN401 - untyped class
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
    _check_schema(node, context)


def _checker(model: onnx.ModelProto) -> Any:  # noqa: ANN401 - untyped class of the library
    import onnx

    context = onnx.checker.C.CheckerContext()
    context.ir_version = model.ir_version
    context.opset_imports = {o.domain: o.version for o in model.opset_import}
    return context


def _check_schema(node: onnx.NodeProto, context: Any) -> None:  # noqa: ANN401 - untyped class
    """Attributes and operand counts must be those of the operator's schema."""
    import onnx

    if node.op_type in _WITHOUT_SCHEMA:
        return
    version = next(v for domain, v in context.opset_imports.items() if domain in ("", "ai.onnx"))
    if not onnx.defs.has(node.op_type, max_inclusive_version=version):
        raise UnsupportedOpError(f"opset {version} has no such operator", node.name, node.op_type)
    try:
        onnx.checker.check_node(node, context)
    except onnx.checker.ValidationError as error:
        reason = str(error).split("==> Context", maxsplit=1)[0].strip()
        raise CompileError(
            f"the node does not fit the schema of its operator: {reason}",
            where=f"node {node.name!r}, op {node.op_type}",
            check="operator schema",
        ) from error


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
