"""The float graph under construction: values, nodes, shapes, integer ranges.

A value is a NumPy array (known now) or a `Lazy`: a function of one tensor, not yet computed.
Chains of elementwise operators grow the function and no node; `materialise` turns it into one
Unary. Layout operators move to the tensor and keep the function, so that equal subgraphs stay
equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np

from veridical.compiler import expression as ex
from veridical.compiler.ir import FloatNode
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from veridical.compiler.expression import Expression

Array: TypeAlias = "NDArray[Any]"
Range: TypeAlias = tuple[int, int]

#: Largest tensor and rank of a program (spec/v1/program.md, section 3).
MAX_ELEMENTS = 2**28
MAX_RANK = 8
#: Operands of one node of a program.
MAX_OPERANDS = 64
#: Functions larger than this start a new tensor, so that no chain grows without end.
_MAX_EXPRESSION = 400
#: Integer tensors with at most this many values are evaluated value by value.
_MAX_DOMAIN = 2**16


@dataclass(frozen=True, slots=True)
class Lazy:
    """The value ``fn(base)``, element by element."""

    base: str
    fn: Expression = ex.X


@dataclass(frozen=True, slots=True)
class OneHot:
    """``ids == codes`` along a last axis that is not materialised: half of an embedding."""

    ids: Lazy
    codes: Array
    shape: tuple[int, ...]


Value: TypeAlias = "Array | Lazy | OneHot"


class GraphBuilder:
    """Collects nodes; equal nodes are made once."""

    def __init__(self) -> None:
        self.nodes: list[FloatNode] = []
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.ranges: dict[str, Range | None] = {}
        """Integer tensors and their inclusive range; None while it is not known."""
        self.producer: dict[str, FloatNode] = {}
        self.node_name = ""
        self.node_op = ""
        self._known: dict[tuple[Any, ...], str] = {}

    # -- errors ---------------------------------------------------------------------------------

    def unsupported(self, reason: str, advice: str | None = None) -> NoReturn:
        """Reject the ONNX node that is being converted."""
        raise UnsupportedOpError(reason, self.node_name, self.node_op, advice)

    # -- tensors --------------------------------------------------------------------------------

    def add_input(self, name: str, shape: tuple[int, ...], *, integer: bool) -> Lazy:
        """Declare a graph input."""
        self._check_size(name, shape)
        self.shapes[name] = shape
        if integer:
            self.ranges[name] = None
        return Lazy(name)

    def _check_size(self, name: str, shape: tuple[int, ...]) -> None:
        if len(shape) > MAX_RANK or prod(shape) > MAX_ELEMENTS or min(shape, default=1) < 1:
            raise CompileError(
                f"tensor {name!r} has shape {shape}; a program holds rank 1 to {MAX_RANK}, "
                f"no empty axis, at most {MAX_ELEMENTS} elements",
                where=f"node {self.node_name!r}, op {self.node_op}" if self.node_name else name,
                check="tensor size",
            )

    def emit(
        self,
        op: str,
        inputs: tuple[str, ...],
        shape: tuple[int, ...],
        /,
        *,
        params: dict[str, Array] | None = None,
        integers: Range | None = None,
        **attrs: Any,  # noqa: ANN401 - attributes of any operator
    ) -> str:
        """Append a node, or return the tensor of an equal one."""
        params = {key: np.asarray(array, np.float64) for key, array in (params or {}).items()}
        # Large parameters (weights) are compared by identity, small ones by content.
        content = tuple(
            (key, array.shape, array.tobytes() if array.size <= MAX_RANK * 1024 else id(array))
            for key, array in params.items()
        )
        mark = (op, inputs, shape, content, tuple(sorted((k, repr(v)) for k, v in attrs.items())))
        if mark in self._known:
            return self._known[mark]
        name = f"t{len(self.nodes)}"
        while name in self.shapes:
            name = f"_{name}"
        self._check_size(name, shape)
        node = FloatNode(
            op=op, inputs=inputs, output=name, params=params, attrs=attrs, source=self.node_name
        )
        self.nodes.append(node)
        self.shapes[name] = shape
        self.producer[name] = node
        self._known[mark] = name
        if integers is not None:
            self.ranges[name] = integers
        return name

    def made_by(self, name: str, op: str) -> FloatNode | None:
        """Return the node that defines a tensor if it has this operator."""
        node = self.producer.get(name)
        return node if node is not None and node.op == op else None

    def shape(self, value: Value) -> tuple[int, ...]:
        """Return the shape of a value."""
        if isinstance(value, Lazy):
            return self.shapes[value.base]
        return tuple(value.shape)

    # -- integers -------------------------------------------------------------------------------

    def domain(self, value: Value) -> Array | None:
        """Return every value an integer tensor can take, through the function; else None."""
        if not isinstance(value, Lazy) or value.base not in self.ranges:
            return None
        bounds = self.ranges[value.base]
        if bounds is None or bounds[1] - bounds[0] >= _MAX_DOMAIN:
            return None
        points = np.arange(bounds[0], bounds[1] + 1, dtype=np.float64)
        return value.fn.evaluate(points)

    def require_domain(self, value: Lazy) -> Array:
        """Return the values of a function of an integer tensor, or say how to declare its range."""
        domain = self.domain(value)
        if domain is not None:
            return domain
        if self.ranges.get(value.base) is None:
            name = self.root_input(value.base)
            raise CompileError(
                f"the range of integer input {name!r} is not known and cannot be derived",
                where=f"node {self.node_name!r}, op {self.node_op}",
                check="integer range",
                advice=f"Declare it, for instance integer_ranges={{{name!r}: (0, 1)}}.",
            )
        return self.unsupported(
            f"a function of integers in {self.ranges[value.base]}, more than {_MAX_DOMAIN} values"
        )

    def root_input(self, name: str) -> str:
        """Follow first operands back to the graph input."""
        while name in self.producer:
            name = self.producer[name].inputs[0]
        return name

    def infer_range(self, name: str, bounds: Range) -> None:
        """Set the range of an integer tensor that only moves values of its source."""
        while self.ranges.get(name, bounds) is None:
            self.ranges[name] = bounds
            node = self.producer.get(name)
            if node is None or len(node.inputs) != 1:
                return
            name = node.inputs[0]

    # -- materialisation ------------------------------------------------------------------------

    def lazy(self, value: Value) -> Lazy:
        """Return a value that must be an activation."""
        if isinstance(value, Lazy):
            return value
        if isinstance(value, OneHot):
            self.unsupported("a one-hot comparison is supported only as an operand of MatMul")
        return self.unsupported("an operand that must be computed from the inputs is a constant")

    def materialise(self, value: Value) -> str:
        """Return a tensor that holds the value."""
        value = self.lazy(value)
        if value.fn.is_identity():
            return value.base
        shape = self.shapes[value.base]
        if value.base in self.ranges:
            domain = self.require_domain(value)
            if np.isnan(domain).any():
                self.unsupported("an integer function is undefined at a value of its operand")
            if np.array_equal(domain, np.rint(domain)) and np.abs(domain).max() < 2**31:
                bounds = int(domain.min()), int(domain.max())
                return self.emit("Unary", (value.base,), shape, integers=bounds, fn=value.fn)
        form = value.fn.is_affine()
        if form is not None and form[0] != 0.0:
            ones = (1,) * len(shape)
            factors = {"gain": np.full(ones, form[0]), "offset": np.full(ones, form[1])}
            return self.emit("Affine", (value.base,), shape, params=factors)
        return self.emit("Unary", (value.base,), shape, fn=value.fn)

    def apply(self, fn: Expression, value: Value) -> Lazy:
        """Return ``fn(value)``."""
        value = self.lazy(value)
        composed = ex.compose(fn, value.fn)
        if composed.size > _MAX_EXPRESSION:
            return Lazy(self.materialise(value), fn)
        return Lazy(value.base, composed)

    def settle(self, value: Lazy) -> Lazy:
        """Start a new tensor if the function has grown too large to go on."""
        return value if value.fn.size <= _MAX_EXPRESSION else Lazy(self.materialise(value))

    def scaled_base(self, value: Value) -> tuple[str, float]:
        """Return ``(tensor, a)`` with value = a * tensor."""
        value = self.lazy(value)
        form = value.fn.is_affine()
        if form is not None and form[1] == 0.0 and form[0] != 0.0:
            return value.base, form[0]
        return self.materialise(value), 1.0
