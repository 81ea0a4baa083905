"""Fixing the dynamic dimensions of the graph inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import onnx


def fix_shapes(
    model: onnx.ModelProto,
    dims: Mapping[str, int],
    constants: set[str],
    hints: Mapping[str, int] | None = None,
) -> dict[str, tuple[int, ...]]:
    """Return the shape of every input at batch size 1.

    A dimension is given by its symbol (``{"sequence": 128}``) or by its place
    (``{"input_ids[1]": 128}``); a dynamic first axis is the batch and defaults to 1. ``hints`` are
    sizes by place, such as those of samples, for what the model and ``dims`` leave open.

    Raises:
        CompileError: a dimension stays unknown, or a name in ``dims`` fits none.
    """
    used: set[str] = set()
    missing: list[str] = []
    shapes: dict[str, tuple[int, ...]] = {}
    for proto in model.graph.input:
        if proto.name in constants:
            continue
        if not proto.type.HasField("tensor_type") or not proto.type.tensor_type.HasField("shape"):
            raise CompileError(
                f"input {proto.name!r} is no tensor of known rank", where=proto.name, check="shape"
            )
        shape = []
        for axis, dim in enumerate(proto.type.tensor_type.shape.dim):
            place = f"{proto.name}[{axis}]"
            symbol = dim.dim_param
            fixed = max(0, dim.dim_value) if dim.HasField("dim_value") else 0
            given = place if place in dims else symbol
            known = fixed or (1 if axis == 0 else (hints or {}).get(place, 0))
            if fixed > 0 and dims.get(given, fixed) != fixed:
                raise CompileError(
                    f"dimension {given!r} is {fixed} in the model, {dims[given]} was given",
                    where=place,
                    check="shape",
                )
            size = known
            if given in dims and not fixed:
                size = dims[given]
            elif not known:
                missing.append(f"{place} ({symbol})" if symbol else place)
                size = 1
            used.update({place, symbol} & set(dims))
            if size < 1:
                raise CompileError(f"dimension {place} is {size}", where=place, check="shape")
            shape.append(size)
        shapes[proto.name] = tuple(shape)
    if missing:
        example = missing[0].split(" ")[0]
        raise CompileError(
            f"dynamic dimensions without a size: {', '.join(missing)}",
            where="dims",
            check="shape",
            advice=f"Give each one by symbol or place, for instance dims={{{example!r}: 128}}.",
        )
    unknown = sorted(set(dims) - used)
    if unknown:
        raise CompileError(
            f"dims name no dimension of the model: {', '.join(unknown)}",
            where="dims",
            check="shape",
        )
    return shapes
