"""Functions of one real variable, as data.

An `Expression` is an immutable tree over the variable ``x``. The frontend fuses every elementwise
part of a model into one of them; the quantiser rounds it once into a table. `key` is equal for
equal functions written alike, so that layers share tables.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from veridical.compiler.interval import NUMPY_FUNCTIONS, Float64Intervals
from veridical.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "ONE",
    "ZERO",
    "Expression",
    "X",
    "affine",
    "compose",
    "constant",
    "exponential",
    "hard_sigmoid",
    "identity",
    "round_table",
    "scaled",
]

Number: TypeAlias = Any
"""Whatever kind of number an arithmetic works on: array, Fraction, enclosure."""

_COMMUTATIVE = frozenset(["add", "mul", "min", "max", "eq"])
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "min": np.minimum,
    "max": np.maximum,
    "pow": np.power,
    "lt": lambda a, b: (a < b) * 1.0,
    "le": lambda a, b: (a <= b) * 1.0,
    "eq": lambda a, b: (a == b) * 1.0,
}
_HALF = 0.5
#: Precisions, in bits, at which a table entry that float64 cannot decide is tried.
_PRECISIONS = (80, 160, 400, 1200, 4000)


class _Arithmetic(Protocol):
    """Operators on some kind of number."""

    def constant(self, value: float) -> Number: ...

    def apply(self, op: str, args: list[Number]) -> Number: ...


class _FloatArithmetic:
    def constant(self, value: float) -> np.float64:
        return np.float64(value)

    def apply(self, op: str, args: list[Number]) -> Number:
        if op in NUMPY_FUNCTIONS:
            return NUMPY_FUNCTIONS[op](args[0])
        if op == "abs":
            return np.abs(args[0])
        if op == "where":
            return np.where(args[0] != 0, args[1], args[2])
        return _BINARY[op](args[0], args[1])


@dataclass(frozen=True, slots=True)
class Expression:
    """A node: the variable, a constant, or an operator over smaller expressions."""

    op: str
    args: tuple[Expression, ...] = ()
    value: float = 0.0
    size: int = field(default=1, compare=False)
    """Nodes of the tree, shared ones counted each time."""

    def _fold(self, arithmetic: _Arithmetic, variable: Number) -> Number:
        """Evaluate bottom-up; an operand that occurs twice is evaluated once."""
        known: dict[int, Any] = {}
        stack: list[tuple[Expression, bool]] = [(self, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in known:
                continue
            if node.op == "x":
                known[id(node)] = variable
            elif node.op == "const":
                known[id(node)] = arithmetic.constant(node.value)
            elif ready:
                known[id(node)] = arithmetic.apply(node.op, [known[id(a)] for a in node.args])
            else:
                stack.append((node, True))
                stack.extend((arg, False) for arg in node.args)
        return known[id(self)]

    def evaluate(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Evaluate in float64; NaN where undefined."""
        x = np.asarray(x, dtype=np.float64)
        with np.errstate(all="ignore"):
            result = self._fold(_FloatArithmetic(), x)
        return np.broadcast_to(np.asarray(result, dtype=np.float64), x.shape)

    def evaluate_exact(self, x: Fraction | int, precision: int) -> Number:
        """Evaluate to about ``precision`` bits, as an mpmath number."""
        import mpmath

        from veridical.compiler.exact import ExactIntervals, ends

        with mpmath.workprec(precision + 16):
            low, high = ends(self._fold(ExactIntervals(), Fraction(x)))
            return (low + high) / 2

    def enclose(self, low: Number, high: Number) -> tuple[Any, Any]:
        """Enclose the values over ``[low, high]`` by float64 ends."""
        ends: tuple[Any, Any] = self._fold(Float64Intervals(), (low, high))
        return ends

    def floor_exact(self, x: Fraction, scale: Fraction) -> int | float:
        """Return ``floor(f(x) * scale + 1/2)``, decided at rising precision.

        An infinity or NaN of ``f`` is returned as it is. A value that no precision separates from
        a tie is taken as the tie, which rounds up.
        """
        import mpmath

        from veridical.compiler.exact import ExactIntervals, ends

        arithmetic = ExactIntervals()
        high: Any = math.nan
        for precision in _PRECISIONS:
            with mpmath.workprec(precision):
                value = self._fold(arithmetic, x)
                if isinstance(value, float):
                    return value
                if isinstance(value, Fraction):
                    return math.floor(value * scale + Fraction(1, 2))
                shifted = arithmetic.apply(
                    "add", [arithmetic.apply("mul", [value, scale]), Fraction(1, 2)]
                )
                low, high = ends(shifted)
                if mpmath.isfinite(low) and mpmath.floor(low) == mpmath.floor(high):
                    return int(mpmath.floor(low))
        return int(mpmath.floor(high)) if mpmath.isfinite(high) else math.nan

    def key(self) -> str:
        """Return one line that is equal for equal trees."""
        if self.op == "x":
            return "x"
        if self.op == "const":
            return float(self.value).hex()
        return f"{self.op}({','.join(arg.key() for arg in self.args)})"

    def is_constant(self) -> bool:
        """Say whether the variable does not occur."""
        return self.op != "x" and all(arg.is_constant() for arg in self.args)

    def is_identity(self) -> bool:
        """Say whether this is ``x``."""
        return self.is_affine() == (1.0, 0.0)

    def is_affine(self) -> tuple[float, float] | None:
        """Return ``(a, b)`` if the tree is ``a x + b`` by its form, else None."""
        if self.op == "x":
            return 1.0, 0.0
        if self.op == "const":
            return (0.0, self.value) if math.isfinite(self.value) else None
        if self.op not in ("add", "sub", "mul", "div"):
            return None
        left, right = (arg.is_affine() for arg in self.args)
        if left is None or right is None:
            return None
        if self.op in ("add", "sub"):
            sign = 1.0 if self.op == "add" else -1.0
            return left[0] + sign * right[0], left[1] + sign * right[1]
        if self.op == "mul" and left[0] == 0.0:
            left, right = right, left
        if right[0] != 0.0 or (self.op == "div" and right[1] == 0.0):
            return None
        if self.op == "mul":
            return left[0] * right[1], left[1] * right[1]
        return left[0] / right[1], left[1] / right[1]

    def is_clip(self) -> tuple[float, float] | None:
        """Return ``(low, high)`` if the tree limits ``x`` to that interval, or to a half-line."""
        if self.op == "x":
            return -math.inf, math.inf
        if self.op not in ("min", "max") or self.args[1].op != "const":
            return None
        inner = self.args[0].is_clip()
        if inner is None:
            return None
        bound = self.args[1].value
        limit = min if self.op == "min" else max
        return limit(inner[0], bound), limit(inner[1], bound)

    def is_piecewise_linear(self) -> bool:
        """Say whether only sums, scalings, limits and choices by comparison occur."""
        if self.is_affine() is not None:
            return True
        if self.op in ("add", "sub", "min", "max", "abs", "lt", "le", "where"):
            return all(arg.is_piecewise_linear() for arg in self.args)
        if self.op in ("mul", "div") and self.args[1].op == "const":
            return self.args[0].is_piecewise_linear()
        return self.op == "const"

    def is_relu(self) -> bool:
        """Say whether this is ``max(x, 0)``."""
        return self.is_clip() == (0.0, math.inf)

    def __add__(self, other: Expression | float) -> Expression:
        return _make("add", self, other)

    def __radd__(self, other: float) -> Expression:
        return _make("add", self, other)

    def __sub__(self, other: Expression | float) -> Expression:
        return _make("sub", self, other)

    def __rsub__(self, other: float) -> Expression:
        return _make("sub", constant(other), self)

    def __mul__(self, other: Expression | float) -> Expression:
        return _make("mul", self, other)

    def __rmul__(self, other: float) -> Expression:
        return _make("mul", self, other)

    def __truediv__(self, other: Expression | float) -> Expression:
        return _make("div", self, other)

    def __rtruediv__(self, other: float) -> Expression:
        return _make("div", constant(other), self)

    def __neg__(self) -> Expression:
        return _make("mul", self, -1.0)

    def maximum(self, other: Expression | float) -> Expression:
        """Return the greater of the two."""
        return _make("max", self, other)

    def minimum(self, other: Expression | float) -> Expression:
        """Return the lesser of the two."""
        return _make("min", self, other)

    def clip(self, low: float, high: float) -> Expression:
        """Limit to ``[low, high]``; the upper limit wins, as in ONNX and NumPy."""
        return self.maximum(low).minimum(high)

    def relu(self) -> Expression:
        """Return ``max(self, 0)``."""
        return self.maximum(0.0)

    def power(self, other: Expression | float) -> Expression:
        """Raise to a power; small whole powers become products, which are exact and signed."""
        exponent = other if isinstance(other, Expression) else constant(other)
        if exponent.op == "const":
            if exponent.value == _HALF:
                return self.call("sqrt")
            if exponent.value == -_HALF:
                return 1.0 / self.call("sqrt")
            if exponent.value in range(1, 9):
                result = self
                for _ in range(int(exponent.value) - 1):
                    result = result * self
                return result
            if exponent.value in range(-8, 0):
                return 1.0 / self.power(-exponent.value)
        return _make("pow", self, exponent)

    def call(self, function: str) -> Expression:
        """Apply a named function: exp log sqrt erf tanh sigmoid softplus floor ceil round .."""
        return _make(function, self)

    def less(self, other: Expression | float) -> Expression:
        """Return 1 where self < other, else 0."""
        return _make("lt", self, other)

    def less_equal(self, other: Expression | float) -> Expression:
        """Return 1 where self <= other, else 0."""
        return _make("le", self, other)

    def equals(self, other: Expression | float) -> Expression:
        """Return 1 where both are equal, else 0."""
        return _make("eq", self, other)

    def where(self, a: Expression | float, b: Expression | float) -> Expression:
        """Return ``a`` where self is not zero, else ``b``."""
        return _make("where", self, a, b)


def constant(value: float) -> Expression:
    """Return a constant; negative zero is zero."""
    return Expression("const", value=float(value) + 0.0)


X = Expression("x")
ZERO = constant(0.0)
ONE = constant(1.0)


def _make(op: str, *operands: Expression | float) -> Expression:
    """Build an operator node, without the neutral elements and with constants folded."""
    args = [a if isinstance(a, Expression) else constant(a) for a in operands]
    if all(a.op == "const" for a in args):
        with np.errstate(all="ignore"):
            return constant(_FloatArithmetic().apply(op, [np.float64(a.value) for a in args]))
    if op in _COMMUTATIVE and args[0].op == "const":
        args.reverse()
    last = args[-1]
    if last.op == "const" and op in _BINARY:
        neutral = {
            "add": 0.0,
            "sub": 0.0,
            "mul": 1.0,
            "div": 1.0,
            "max": -math.inf,
            "min": math.inf,
        }
        if op in neutral and last.value == neutral[op]:
            return args[0]
        inner = args[0]
        if op == "mul" and inner.op == "mul" and inner.args[1].op == "const":
            return _make("mul", inner.args[0], inner.args[1].value * last.value)
    return Expression(op, tuple(args), size=1 + sum(a.size for a in args))


def compose(outer: Expression, inner: Expression) -> Expression:
    """Return ``outer(inner(x))``."""
    known: dict[int, Expression] = {}

    def visit(node: Expression) -> Expression:
        if node.op == "x":
            return inner
        if node.op == "const":
            return node
        if id(node) not in known:
            known[id(node)] = _make(node.op, *(visit(arg) for arg in node.args))
        return known[id(node)]

    return visit(outer)


def round_table(
    expression: Expression,
    index_step: Fraction,
    first: int,
    count: int,
    out_step: Fraction,
    lo: int,
    hi: int,
) -> NDArray[np.int64]:
    """Return ``t[i] = clamp(floor(f((first + i) * index_step) / out_step + 1/2), lo, hi)``.

    Correctly rounded: an entry that float64 enclosures do not decide is decided exactly or in
    multi-precision. Infinite values clamp.

    Raises:
        CompileError: the function is undefined at some index.
    """
    index = np.arange(first, first + count, dtype=np.int64)
    low, high = _points(index, Fraction(index_step))
    ends = expression.enclose(low, high)
    arithmetic = Float64Intervals()
    scaled = arithmetic.apply("mul", [ends, arithmetic.constant(1 / Fraction(out_step))])
    scaled = arithmetic.apply("add", [scaled, arithmetic.constant(0.5)])
    lower, upper = (np.broadcast_to(np.floor(end), index.shape) for end in scaled)
    lower, upper = np.clip(lower, lo, hi), np.clip(upper, lo, hi)
    undecided = np.flatnonzero(~(lower == upper))
    table = np.where(lower == upper, lower, 0.0).astype(np.int64)
    scale = 1 / Fraction(out_step)
    for i in undecided.tolist():
        x = int(index[i]) * Fraction(index_step)
        value = expression.floor_exact(x, scale)
        if isinstance(value, float) and math.isnan(value):
            raise CompileError(
                f"the function {_shorten(expression.key())} is undefined at {float(x)!r}",
                where=f"table index {int(index[i])}",
                check="table",
                advice="Limit its argument (Clip) in the model to where the function is defined.",
            )
        table[i] = max(lo, min(hi, value))
    return table


def _points(index: NDArray[np.int64], step: Fraction) -> tuple[Any, Any]:
    """Enclose ``index * step``; both ends are the same array when float64 holds it exactly."""
    reach = max(abs(int(index[0])), abs(int(index[-1])), 1)
    if reach * step.numerator < 2**53 and step.denominator & (step.denominator - 1) == 0:
        points = index.astype(np.float64) * step.numerator / float(step.denominator)
        return points, points
    arithmetic = Float64Intervals()
    points = index.astype(np.float64)
    ends: tuple[Any, Any] = arithmetic.apply("mul", [(points, points), arithmetic.constant(step)])
    return ends


def _shorten(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."


def identity() -> Expression:
    """Return ``x``."""
    return X


def scaled(factor: Fraction | float) -> Expression:
    """Return ``factor * x``."""
    return X * float(factor)


def affine(gain: float, offset: float) -> Expression:
    """Return ``gain * x + offset``."""
    return X * gain + offset


def exponential(scale: Fraction | float = 1.0) -> Expression:
    """Return ``exp(scale * x)``."""
    return scaled(scale).call("exp")


def hard_sigmoid(alpha: float, beta: float) -> Expression:
    """Return ``clip(alpha * x + beta, 0, 1)``."""
    return affine(alpha, beta).clip(0.0, 1.0)
