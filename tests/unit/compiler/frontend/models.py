"""Small ONNX models and their comparison with ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from veridical.compiler.frontend import compare, import_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veridical.compiler.ir import FloatGraph

FLOAT, INT64, BOOL = (
    int(kind) for kind in (TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL)
)
IR_VERSIONS = {11: 6, 12: 7, 13: 7, 14: 7, 15: 8, 16: 8, 17: 8, 18: 8, 19: 9, 20: 9, 21: 10}

node = helper.make_node


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Any],
    outputs: Sequence[str] = ("y",),
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> onnx.ModelProto:
    """Build a model; an input is a shape, or an element type and a shape; outputs have no type."""
    values = []
    for name, spec in inputs.items():
        kind, shape = spec if isinstance(spec, tuple) else (FLOAT, spec)
        values.append(helper.make_tensor_value_info(name, kind, list(shape)))
    graph = helper.make_graph(
        list(nodes),
        "test",
        values,
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(_array(array), name) for name, array in (constants or {}).items()],
    )
    result = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    result.ir_version = IR_VERSIONS.get(opset, 10)
    return onnx.shape_inference.infer_shapes(result)


def _array(value: Any) -> np.ndarray[Any, Any]:
    array = np.asarray(value)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def normals(rng: np.random.Generator, *shape: int) -> np.ndarray[Any, Any]:
    return rng.normal(size=shape).astype(np.float32)


def graph_of(proto: onnx.ModelProto, **options: Any) -> FloatGraph:
    return import_model(proto.SerializeToString(), **options).graph


def ops(graph: FloatGraph) -> Counter[str]:
    return Counter(node.op for node in graph.nodes)


def agrees(
    proto: onnx.ModelProto,
    *,
    samples: Mapping[str, np.ndarray[Any, Any]] | None = None,
    tolerance: float = 2e-5,
    seed: int = 1,
    **options: Any,
) -> FloatGraph:
    """Import a model, compare it with ONNX Runtime on random samples, and return the graph."""
    imported = import_model(proto.SerializeToString(), **options)
    rng = np.random.default_rng(seed)
    given = dict(samples or {})
    count = len(next(iter(given.values()))) if given else 3
    for spec in imported.graph.inputs:
        if spec.name in given:
            continue
        size = (count, *spec.shape)
        given[spec.name] = (
            rng.integers(spec.low, spec.high + 1, size) if spec.is_integer else normals(rng, *size)
        )
    for deviation in compare(imported.graph, imported.model, given):
        assert deviation.relative <= tolerance, (deviation, seed)
    names = set(imported.graph.shapes)
    for item in imported.graph.nodes:
        assert {*item.inputs, item.output} <= names
    return imported.graph
