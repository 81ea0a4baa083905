"""Resizing and transposed convolution: fixed linear maps written with the operators that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler.frontend import constants, layout
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.convert import Context, converter
from veridical.compiler.frontend.ops_linear import linear

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array, Value

_MAX_AXIS = 2048
"""Longest axis that a resize reads: its weights are a matrix of output by input positions."""
_COPIED = ("mode", "coordinate_transformation_mode", "nearest_mode", "cubic_coeff_a")
_RANK_1D = 3


@converter("Resize")
def _resize(c: Context) -> Value:
    b, value = c.b, c.value(0)
    shape = b.shape(value)
    if c.attrs.get("coordinate_transformation_mode") == b"tf_crop_and_resize":
        b.unsupported("coordinate mode tf_crop_and_resize")
    if c.attrs.get("keep_aspect_ratio_policy", b"stretch") != b"stretch":
        b.unsupported("keep_aspect_ratio_policy; give the sizes themselves")
    axes = [c.wrap(int(a)) for a in c.attrs.get("axes", range(len(shape)))]
    scales = c.constant(2, "scales").reshape(-1) if c.has(2) else np.zeros(0, np.float32)
    sizes = c.integers(3, "sizes") if scales.size == 0 else None
    if (len(sizes) if sizes is not None else scales.size) != len(axes):
        b.unsupported("scales and sizes do not fit the axes")
    for i, axis in enumerate(axes):
        length = shape[axis]
        if (sizes[i] == length) if sizes is not None else (scales[i] == 1.0):
            continue
        if length > _MAX_AXIS:
            b.unsupported(f"an axis of {length}, more than {_MAX_AXIS}")
        by: dict[str, Array] = (
            {"scales": np.array([1.0, scales[i]], np.float32)}
            if sizes is None
            else {"sizes": np.array([length, sizes[i]], np.int64)}
        )
        value = _along(c, value, axis, _resize_matrix(c, length, by))
    return value


def _resize_matrix(c: Context, length: int, by: dict[str, Array]) -> Array:
    """Return the weights of one axis, (output, input), as ONNX's own reference computes them."""
    import onnx

    if by.get("sizes", np.ones(1))[-1] > _MAX_AXIS or by.get("scales", np.ones(1))[-1] > _MAX_AXIS:
        c.b.unsupported(f"a result of more than {_MAX_AXIS} positions on an axis")
    attrs = {key: c.attrs[key] for key in (*_COPIED, "exclude_outside") if key in c.attrs}
    if "antialias" in c.attrs:
        attrs["antialias"] = c.attrs["antialias"]
    names = ["x", "", "scales" if "scales" in by else "", "sizes" if "sizes" in by else ""]
    node = onnx.helper.make_node("Resize", names, ["y"], **attrs)
    feeds = {"x": np.eye(length, dtype=np.float64), **by}
    return constants.evaluate(c.b, node, feeds, c.opset)[0].T


def _along(c: Context, value: Value, axis: int, matrix: Array) -> Value:
    """Apply a matrix along one axis; plain repetition needs no products."""
    b = c.b
    shape = b.shape(value)
    out, length = matrix.shape
    times = out // length
    if out == times * length and np.array_equal(matrix, np.repeat(np.eye(length), times, axis=0)):
        wide = layout.reshape(b, value, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        wide = layout.expand(b, wide, (*shape[: axis + 1], times, *shape[axis + 1 :]))
        return layout.reshape(b, wide, (*shape[:axis], out, *shape[axis + 1 :]))
    order = [a for a in range(len(shape)) if a != axis] + [axis]
    rows = linear(b, layout.transpose(b, value, order), matrix)
    return layout.transpose(b, rows, [order.index(a) for a in range(len(shape))])


@converter("ConvTranspose")
def _conv_transpose(c: Context) -> Value:
    """Zeros between the positions, then a convolution with the kernel turned around."""
    b = c.b
    weight = c.constant(1, "weights").astype(np.float64)
    value = c.value(0)
    count = weight.ndim - 2
    if len(b.shape(value)) != weight.ndim or count not in (1, 2):
        b.unsupported("only one or two spatial axes are supported")
    groups = int(c.attrs.get("group", 1))
    channels, each = weight.shape[:2]
    if groups < 1 or channels % groups or b.shape(value)[1] != channels:
        b.unsupported(f"{groups} groups and weights {weight.shape} do not fit")
    stride = [int(n) for n in c.attrs.get("strides", [1] * count)]
    dilation = [int(n) for n in c.attrs.get("dilations", [1] * count)]
    if min([*stride, *dilation]) < 1:
        b.unsupported("strides or dilations are out of range")
    kernel = weight.shape[2:]
    pads = _transposed_pads(c, b.shape(value)[2:], kernel, stride, dilation)
    for i in range(count):
        reach = dilation[i] * (kernel[i] - 1)
        value = _spread(c, value, 2 + i, stride[i], (reach - pads[i][0], reach - pads[i][1]))
    # (C, O/g, ..) per group -> (O, C/g, ..), turned around.
    flipped = np.flip(weight, axis=tuple(range(2, weight.ndim)))
    split = flipped.reshape(groups, channels // groups, each, *kernel)
    turned = np.swapaxes(split, 1, 2).reshape(groups * each, channels // groups, *kernel)
    operands: list[Value | None] = [value, turned]
    if c.has(2):
        operands.append(c.constant(2, "bias"))
    attrs: dict[str, Any] = {"dilations": dilation, "group": groups}
    return _convolve(c, operands, attrs)


def _convolve(c: Context, operands: list[Value | None], attrs: dict[str, Any]) -> Value:
    from veridical.compiler.frontend.ops_spatial import conv

    return conv(Context(b=c.b, op="Conv", opset=c.opset, inputs=operands, attrs=attrs))


def _transposed_pads(
    c: Context, spatial: tuple[int, ...], kernel: tuple[int, ...], stride: list[int],
    dilation: list[int],
) -> list[tuple[int, int]]:  # fmt: skip
    """Return what is cut off the full result before and after, less the output padding."""
    count = len(kernel)
    extra = [int(n) for n in c.attrs.get("output_padding", [0] * count)]
    pads = [int(n) for n in c.attrs.get("pads", [0] * (2 * count))]
    auto = c.attrs.get("auto_pad", b"NOTSET").decode()
    wanted = c.attrs.get("output_shape")
    result = []
    for i in range(count):
        before, after = pads[i], pads[i + count]
        full = stride[i] * (spatial[i] - 1) + extra[i] + (kernel[i] - 1) * dilation[i] + 1
        target = int(wanted[i]) if wanted is not None else spatial[i] * stride[i]
        if wanted is not None or auto in ("SAME_UPPER", "SAME_LOWER"):
            total = full - target
            less, more = total // 2, total - total // 2
            before, after = (less, more) if auto == "SAME_UPPER" else (more, less)
            if total < 0:  # the result is longer than the products reach
                before, after = 0, total
        elif auto == "VALID":
            before = after = 0
        result.append((before, after - extra[i]))
    return result


def _spread(c: Context, value: Value, axis: int, stride: int, around: tuple[int, int]) -> Value:
    """Put ``stride - 1`` zeros between positions of an axis, and pad (or cut) its ends."""
    b = c.b
    shape = b.shape(value)
    value = Lazy(b.materialise(value))
    if stride > 1:
        apart = layout.reshape(b, value, (*shape[: axis + 1], 1, *shape[axis + 1 :]))
        after = [0] * (len(shape) + 1)
        after[axis + 1] = stride - 1
        apart = layout.pad(b, apart, [0] * len(after), after, 0.0)
        joined = (*shape[:axis], shape[axis] * stride, *shape[axis + 1 :])
        value = b.lazy(layout.reshape(b, apart, joined))
        around = (around[0], around[1] - (stride - 1))
    size = b.shape(value)[axis]
    first, last = max(0, -around[0]), size - max(0, -around[1])
    if first >= last:
        b.unsupported("the padding removes the whole result")
    value = b.lazy(layout.slice_axis(b, value, axis, first, last))
    before, behind = [0] * len(shape), [0] * len(shape)
    before[axis], behind[axis] = max(0, around[0]), max(0, around[1])
    return layout.pad(b, value, before, behind, 0.0)
