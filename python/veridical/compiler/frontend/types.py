"""Element types of every tensor, by ONNX's own inference."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.compiler.frontend.external import type_name
from veridical.errors import CompileError

if TYPE_CHECKING:
    import onnx

FLOATS = frozenset(["FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16"])
#: Integer types whose range is small enough to be the range of an input.
NARROW: dict[str, tuple[int, int]] = {
    "BOOL": (0, 1),
    "INT8": (-128, 127),
    "UINT8": (0, 255),
    "INT16": (-(2**15), 2**15 - 1),
    "UINT16": (0, 2**16 - 1),
}
INTEGERS = frozenset(["INT32", "INT64", "UINT32", "UINT64", *NARROW]) - {"BOOL"}
#: Constants up to this size may decide a shape; larger ones are declared without their elements.
_MAX_SHAPE_CONSTANT = 1024


def infer_types(model: onnx.ModelProto) -> dict[str, str]:
    """Return the element type of every tensor that ONNX's inference reaches, by name.

    Raises:
        CompileError: inference gives up on the model.
    """
    import onnx

    bare = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    bare.graph.name = "types"
    bare.graph.node.extend(model.graph.node)
    bare.graph.output.extend(model.graph.output)
    large = {t.name: t for t in model.graph.initializer if len(t.raw_data) > _MAX_SHAPE_CONSTANT}
    bare.graph.initializer.extend(t for t in model.graph.initializer if t.name not in large)
    bare.graph.input.extend(proto for proto in model.graph.input if proto.name not in large)
    bare.graph.input.extend(
        onnx.helper.make_tensor_value_info(t.name, t.data_type, list(t.dims))
        for t in large.values()
    )
    try:
        inferred = onnx.shape_inference.infer_shapes(bare)
    except onnx.shape_inference.InferenceError as error:
        raise CompileError(
            f"ONNX type inference rejects the model: {error}", check="types"
        ) from error
    found = {t.name: type_name(t.data_type) for t in model.graph.initializer}
    for proto in [*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output]:
        found.setdefault(proto.name, type_name(proto.type.tensor_type.elem_type))
    return found
