"""Convolution, pooling and the normalisations over channels."""

from __future__ import annotations

from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.frontend import arithmetic, layout, normalise
from veridical.compiler.frontend.builder import Lazy
from veridical.compiler.frontend.convert import Context, converter
from veridical.compiler.frontend.ops_reduce import reduce_max, reduce_sum

if TYPE_CHECKING:
    from veridical.compiler.frontend.builder import Array, Value

_RANK_1D, _RANK_2D = 3, 4
#: Keeps a row of zeros at zero, as ONNX does.
_ZERO_NORM = 1e-30


class _Geometry:
    """Kernel, stride, padding and dilation of an image operator, 1-D ones as images of height 1."""

    def __init__(self, c: Context, kernel: tuple[int, ...]) -> None:
        shape = c.b.shape(c.value(0))
        spatial = shape[2:]
        if len(shape) not in (_RANK_1D, _RANK_2D) or len(kernel) != len(spatial):
            c.b.unsupported(f"operand of shape {shape}; only one or two spatial axes are supported")
        count = len(spatial)
        stride = [int(n) for n in c.attrs.get("strides", [1] * count)]
        dilation = [int(n) for n in c.attrs.get("dilations", [1] * count)]
        pads = [int(n) for n in c.attrs.get("pads", [0] * (2 * count))]
        auto = c.attrs.get("auto_pad", b"NOTSET").decode()
        extent = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            for i in range(count):
                steps = ceil(spatial[i] / stride[i])
                whole = max(0, (steps - 1) * stride[i] + extent[i] - spatial[i])
                less, more = whole // 2, whole - whole // 2
                pads[i], pads[i + count] = (less, more) if auto == "SAME_UPPER" else (more, less)
        elif auto == "VALID":
            pads = [0] * (2 * count)
        if min([*stride, *dilation, *kernel]) < 1 or min(pads) < 0 or len(pads) != 2 * count:
            c.b.unsupported("strides, dilations, kernel or pads are out of range")
        before, after = pads[:count], pads[count:]
        self.real_after = list(after)
        """Padding that the model asked for, without what ceil_mode adds."""
        out = []
        for i in range(count):
            room = spatial[i] + before[i] + after[i] - extent[i]
            if room < 0:
                c.b.unsupported(f"kernel extent {extent[i]} exceeds axis {spatial[i]}")
            steps = room // stride[i]
            partial = c.attrs.get("ceil_mode", 0) and room % stride[i]
            # A last partial window counts if it starts on the image or its left padding.
            if partial and (steps + 1) * stride[i] < spatial[i] + before[i]:
                steps += 1
                after[i] += steps * stride[i] - room
            out.append(steps + 1)
        if count == 1:
            stride, dilation, before, after = (
                [1, *stride],
                [1, *dilation],
                [0, *before],
                [0, *after],
            )
            kernel, out, spatial = (1, *kernel), [1, *out], (1, *spatial)
            self.real_after.insert(0, 0)
        self.flat = count == 1
        self.kernel = (kernel[0], kernel[1])
        self.stride = (stride[0], stride[1])
        self.dilation = (dilation[0], dilation[1])
        self.pad = (before[0], before[1], after[0], after[1])
        self.image = (spatial[0], spatial[1])
        self.out = (out[0], out[1])

    def image_of(self, c: Context, value: Value) -> Value:
        """Return the operand as a batch of images."""
        shape = c.b.shape(value)
        return layout.reshape(c.b, value, (*shape[:2], *self.image)) if self.flat else value

    def restore(self, c: Context, value: Value) -> Value:
        """Drop the axis that `image_of` added."""
        shape = c.b.shape(value)
        return layout.reshape(c.b, value, (*shape[:2], shape[-1])) if self.flat else value


@converter("Conv")
def _conv(c: Context) -> Value:
    return conv(c)


def conv(c: Context) -> Value:
    """Convolve by constant weights; a scale (and without padding an offset) folds into them."""
    b = c.b
    weight = c.constant(1, "weights").astype(np.float64)
    geometry = _Geometry(c, weight.shape[2:])
    channels = b.shape(c.value(0))[1]
    groups = int(c.attrs.get("group", 1))
    if groups < 1 or weight.shape[1] * groups != channels or weight.shape[0] % groups:
        b.unsupported(f"{channels} channels, {groups} groups and weights {weight.shape} do not fit")
    if list(c.attrs.get("kernel_shape", weight.shape[2:])) != list(weight.shape[2:]):
        b.unsupported("kernel_shape differs from the weights")
    bias = c.constant(2, "bias").astype(np.float64) if c.has(2) else np.zeros(len(weight))
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        b.unsupported("the weights hold an infinity or NaN")
    if geometry.flat:
        weight = weight[:, :, np.newaxis]
    value = b.lazy(geometry.image_of(c, c.value(0)))
    form = value.fn.is_affine()
    if form is None or form[0] == 0.0 or (form[1] != 0.0 and any(geometry.pad)):
        value = Lazy(b.materialise(value))
    else:
        bias = bias + form[1] * weight.sum(axis=(1, 2, 3))
        weight = weight * form[0]
    shape = (*b.shapes[value.base][:-3], len(weight), *geometry.out)
    name = b.emit(
        "Conv", (value.base,), shape, params={"weight": weight, "bias": bias},
        stride=geometry.stride, pad=geometry.pad, dilation=geometry.dilation, groups=groups,
    )  # fmt: skip
    return geometry.restore(c, Lazy(name))


@converter("MaxPool", "AveragePool")
def _pool(c: Context) -> Value:
    b = c.b
    geometry = _Geometry(c, tuple(int(n) for n in c.attrs["kernel_shape"]))
    value = b.lazy(geometry.image_of(c, c.value(0)))
    if c.output_count > 1:
        b.unsupported("the second output (indices)")
    common: dict[str, Any] = {
        "kernel": geometry.kernel,
        "stride": geometry.stride,
        "pad": geometry.pad,
        "dilation": geometry.dilation,
    }
    if c.op == "MaxPool":
        name = b.materialise(value)
        shape = (*b.shapes[name][:-2], *geometry.out)
        result = Lazy(b.emit("MaxPool", (name,), shape, integers=b.ranges.get(name), **common))
        return geometry.restore(c, result)
    form = value.fn.is_affine()
    if form is None or form[0] == 0.0 or form[1] != 0.0:
        value = Lazy(b.materialise(value))
    counts = _counts(geometry, include_pad=bool(c.attrs.get("count_include_pad", 0)))
    uniform = bool((counts == counts.flat[0]).all())
    shape = (*b.shapes[value.base][:-2], *geometry.out)
    divisor = float(counts.flat[0]) if uniform else 1.0
    pooled = Lazy(b.emit("SumPool", (value.base,), shape, divisor=divisor, **common), value.fn)
    if not uniform:
        gain = (1.0 / counts).reshape((1,) * (len(shape) - 2) + counts.shape)
        return geometry.restore(c, arithmetic.affine(b, pooled, gain, np.zeros(())))
    return geometry.restore(c, pooled)


def _counts(geometry: _Geometry, *, include_pad: bool) -> Array:
    """Return how many positions each window averages over."""
    axes = []
    for i in range(2):
        before, size = geometry.pad[i], geometry.image[i]
        reach = size + before + geometry.pad[i + 2]
        real = np.zeros(reach)
        if include_pad:
            real[: before + size + geometry.real_after[i]] = 1.0
        else:
            real[before : before + size] = 1.0
        starts = np.arange(geometry.out[i]) * geometry.stride[i]
        taps = np.arange(geometry.kernel[i]) * geometry.dilation[i]
        axes.append(real[starts[:, None] + taps[None, :]].sum(axis=1))
    return np.outer(axes[0], axes[1])


@converter("GlobalAveragePool")
def _global_average(c: Context) -> Value:
    return reduce_sum(c.b, c.value(0), tuple(range(2, len(c.b.shape(c.value(0))))), mean=True)


@converter("GlobalMaxPool")
def _global_max(c: Context) -> Value:
    return reduce_max(c.b, c.value(0), tuple(range(2, len(c.b.shape(c.value(0))))))


def _per_channel(array: Array, rank: int) -> Array:
    return array.astype(np.float64).reshape(1, -1, *(1,) * (rank - 2))


@converter("BatchNormalization")
def _batch_norm(c: Context) -> Value:
    if c.attrs.get("training_mode", 0) or c.output_count > 1:
        c.b.unsupported("training mode")
    scale, bias, mean, variance = (
        c.constant(i + 1, what).astype(np.float64)
        for i, what in enumerate(("scale", "bias", "mean", "variance"))
    )
    gain = scale / np.sqrt(variance + float(c.attrs.get("epsilon", 1e-5)))
    rank = len(c.b.shape(c.value(0)))
    offset = bias - mean * gain
    return arithmetic.affine(c.b, c.value(0), _per_channel(gain, rank), _per_channel(offset, rank))


def _scaled(c: Context, value: Value, gain: Array | None, offset: Array | None) -> Value:
    if gain is not None:
        value = arithmetic.binary(c.b, "Mul", value, gain.astype(np.float64))
    if offset is not None:
        value = arithmetic.binary(c.b, "Add", value, offset.astype(np.float64))
    return value


@converter(
    "LayerNormalization",
    "RMSNormalization",
    "SimplifiedLayerNormalization",
)
def _layer_norm(c: Context) -> Value:
    if c.output_count > 1:
        c.b.unsupported("the outputs Mean and InvStdDev")
    shape = c.b.shape(c.value(0))
    axes = tuple(range(c.axis(-1), len(shape)))
    centered = c.op == "LayerNormalization"
    epsilon = float(c.attrs.get("epsilon", 1e-5))
    result = normalise.layer_norm(c.b, c.value(0), axes, epsilon, centered=centered)
    offset = c.constant(2, "bias") if c.has(2) else None
    return _scaled(c, result, c.constant(1, "scale"), offset)


@converter("InstanceNormalization")
def _instance_norm(c: Context) -> Value:
    rank = len(c.b.shape(c.value(0)))
    epsilon = float(c.attrs.get("epsilon", 1e-5))
    result = normalise.layer_norm(c.b, c.value(0), tuple(range(2, rank)), epsilon, centered=True)
    gain, offset = c.constant(1, "scale"), c.constant(2, "bias")
    return _scaled(c, result, _per_channel(gain, rank), _per_channel(offset, rank))


@converter("GroupNormalization")
def _group_norm(c: Context) -> Value:
    b = c.b
    shape = b.shape(c.value(0))
    groups = int(c.attrs["num_groups"])
    if groups < 1 or shape[1] % groups:
        b.unsupported(f"{groups} groups of {shape[1]} channels")
    split = layout.reshape(b, c.value(0), (shape[0], groups, prod(shape[1:]) // groups))
    normal = normalise.layer_norm(
        b, split, (2,), float(c.attrs.get("epsilon", 1e-5)), centered=True
    )
    gain, offset = c.constant(1, "scale"), c.constant(2, "bias")
    if gain.size == groups != shape[1]:  # opset 18 had one pair per group
        gain, offset = (np.repeat(a, shape[1] // groups) for a in (gain, offset))
    result = layout.reshape(b, normal, shape)
    rank = len(shape)
    return _scaled(c, result, _per_channel(gain, rank), _per_channel(offset, rank))


@converter("MeanVarianceNormalization")
def _mean_variance(c: Context) -> Value:
    axes = tuple(sorted(c.wrap(int(a)) for a in c.attrs.get("axes", [0, 2, 3])))
    return normalise.layer_norm(c.b, c.value(0), axes, 1e-9, centered=True)


@converter("LpNormalization")
def _lp_norm(c: Context) -> Value:
    axis = c.axis(-1)
    if int(c.attrs.get("p", 2)) == 1:
        c.b.unsupported("p = 1; only p = 2 is supported")
    length = c.b.shape(c.value(0))[axis]
    unit = normalise.layer_norm(c.b, c.value(0), (axis,), _ZERO_NORM, centered=False)
    return c.b.apply(ex.X * float(length) ** -0.5, unit)
