"""Element types of tensors, from the schemas of their operators.

ONNX's C++ inference would give them too, but a malformed attribute can abort the process in it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from veridical.compiler.frontend.external import type_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
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


@cache
def _schema(op: str, opset: int) -> onnx.defs.OpSchema | None:
    import onnx

    try:
        return onnx.defs.get_schema(op, opset)
    except onnx.defs.SchemaError:
        return None  # an operator of ONNX Runtime


def of_array(array: np.ndarray[Any, Any]) -> str:
    """Return ONNX's name of an array's element type; empty if it has none."""
    import onnx

    try:
        return type_name(onnx.helper.np_dtype_to_tensor_dtype(array.dtype))
    except (KeyError, ValueError):
        return ""


def output_types(
    op: str, opset: int, inputs: Sequence[str], attrs: Mapping[str, Any], count: int
) -> list[str]:
    """Return the element types of a node's outputs, empty where the schema leaves them open."""
    if op == "Cast":
        return [type_name(attrs["to"])] if "to" in attrs else [""]
    schema = _schema(op, opset)
    if schema is None:
        return [inputs[0]] * count
    bound: dict[str, str] = {}
    for i, kind in enumerate(inputs):
        if schema.inputs and kind:
            bound.setdefault(schema.inputs[min(i, len(schema.inputs) - 1)].type_str, kind)
    only = {
        constraint.type_param_str: constraint.allowed_type_strs[0]
        for constraint in schema.type_constraints
        if len(constraint.allowed_type_strs) == 1
    }
    found = []
    for i in range(count):
        formal = schema.outputs[min(i, len(schema.outputs) - 1)].type_str
        named = only.get(formal, formal)
        concrete = named.removeprefix("tensor(").removesuffix(")").upper() if "(" in named else ""
        found.append(bound.get(formal, concrete))
    return found
