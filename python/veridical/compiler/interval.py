"""Enclosures of real functions by float64 arrays.

A table entry is correctly rounded when both ends of an enclosure round to the same integer.
`Float64Intervals` encloses a whole table at once; an operation without rounding error (a sum or a
product that float64 represents) widens nothing, so exact ties stay decidable. What float64 cannot
decide goes to `veridical.compiler.exact`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Float64Array: TypeAlias = NDArray[np.float64]

Ends: TypeAlias = Any
"""A float64 array or scalar; of flags, where exactness is meant."""
Enclosure: TypeAlias = tuple[Any, Any]
"""Lower and upper end, both arrays or both numbers; NaN in both ends means undefined."""

#: Functions that rise everywhere they are defined.
INCREASING = frozenset(
    [
        "exp",
        "log",
        "sqrt",
        "erf",
        "tanh",
        "sigmoid",
        "softplus",
        "floor",
        "ceil",
        "round",
        "sign",
        "atan",
    ]
)
#: Increasing functions whose float64 form has no rounding error.
EXACT = frozenset(["floor", "ceil", "round", "sign"])
#: Where a transcendental function takes a rational value.
RATIONAL_AT: dict[str, tuple[int, Fraction]] = {
    "exp": (0, Fraction(1)),
    "erf": (0, Fraction(0)),
    "tanh": (0, Fraction(0)),
    "sigmoid": (0, Fraction(1, 2)),
    "sin": (0, Fraction(0)),
    "cos": (0, Fraction(1)),
    "atan": (0, Fraction(0)),
    "log": (1, Fraction(0)),
}

#: Relative half-width that covers the error of NumPy's vector functions (at most 4 ulp) twice.
_WIDEN = 2.0**-49
_TINY = 2.0**-1070
_SPLIT = 134217729.0  # 2^27 + 1, Dekker's constant

_ERF_STEP = 1.0 / 256.0
_ERF_END = 6.0
_ERF_TERMS = 7
_ERF_BLOCK = 16384
"""Elements at a time, so that the working set stays in the cache."""


def _erf_coefficients() -> Float64Array:
    """Taylor coefficients of erf at each grid point; derivatives by the Hermite recurrence."""
    points = np.arange(0.0, _ERF_END + _ERF_STEP, _ERF_STEP)
    table = np.zeros((_ERF_TERMS, len(points)))
    table[0] = [math.erf(p) for p in points]
    slope = 2.0 / math.sqrt(math.pi) * np.exp(-points * points)
    hermite = [np.ones_like(points), 2.0 * points]
    for k in range(1, _ERF_TERMS):
        table[k] = slope * (-1.0) ** (k - 1) * hermite[k - 1] / math.factorial(k)
        hermite.append(2.0 * points * hermite[-1] - 2.0 * k * hermite[-2])
    return table


_ERF_TABLE = _erf_coefficients()


def erf(x: Float64Array) -> Float64Array:
    """Error function, within a few ulp of the true value, by expansion around a grid point."""
    x = np.asarray(x, dtype=np.float64)
    flat = x.reshape(-1)
    result = np.empty_like(flat)
    for start in range(0, len(flat), _ERF_BLOCK):
        block = flat[start : start + _ERF_BLOCK]
        delta = np.fmin(np.abs(block), _ERF_END)
        index = np.rint(delta * (1.0 / _ERF_STEP)).astype(np.intp)
        delta -= index * _ERF_STEP
        total = _ERF_TABLE[_ERF_TERMS - 1].take(index)
        for k in range(_ERF_TERMS - 2, -1, -1):
            total *= delta
            total += _ERF_TABLE[k].take(index)
        total[np.isnan(block)] = np.nan
        np.copysign(total, block, out=result[start : start + _ERF_BLOCK])
    return result.reshape(x.shape)


def _sigmoid(x: Float64Array) -> Float64Array:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, small) / (1.0 + small)


NUMPY_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "erf": erf,
    "tanh": np.tanh,
    "sigmoid": _sigmoid,
    "softplus": lambda x: np.logaddexp(0.0, x),
    "floor": np.floor,
    "ceil": np.ceil,
    "round": np.rint,
    "sign": np.sign,
    "sin": np.sin,
    "cos": np.cos,
    "atan": np.arctan,
}


def _two_product_error(a: Float64Array, b: Float64Array, product: Float64Array) -> Float64Array:
    """Return the exact rounding error of ``product``; NaN where the splitting overflows."""
    high_a = _SPLIT * a - (_SPLIT * a - a)
    high_b = _SPLIT * b - (_SPLIT * b - b)
    low_a, low_b = a - high_a, b - high_b
    error = low_a * low_b - (((product - high_a * high_b) - low_a * high_b) - high_a * low_b)
    return np.asarray(error)


def _round_trip(x: Ends, exact: Ends) -> Enclosure:
    """Widen ``x`` by its rounding error bound wherever ``exact`` is false."""
    # An infinity that came from an overflow has a finite true value: keep the largest float as
    # its near end. A true infinity rounds to the same end of the table.
    pad = np.where(exact, 0.0, np.abs(x) * _WIDEN + _TINY)
    low = np.where(np.isposinf(x) & ~exact, np.finfo(np.float64).max, x - pad)
    high = np.where(np.isneginf(x) & ~exact, -np.finfo(np.float64).max, x + pad)
    return low, high


class Float64Intervals:
    """Enclosures whose ends are float64 arrays."""

    def constant(self, value: Fraction | float) -> Enclosure:
        """Enclose one number."""
        if isinstance(value, float):
            return np.float64(value), np.float64(value)
        near = float(value)
        exact = math.isfinite(near) and Fraction(near) == value
        return _round_trip(np.float64(near), np.bool_(exact))

    def apply(self, op: str, args: list[Enclosure]) -> Enclosure:
        """Apply one operator of an expression to enclosures."""
        with np.errstate(all="ignore"):
            if op in INCREASING:
                return self._increasing(op, args[0])
            method: Callable[..., Enclosure] = getattr(self, f"_{op}")
            low, high = method(*args)
            return low, high

    def _increasing(self, op: str, x: Enclosure) -> Enclosure:
        function = NUMPY_FUNCTIONS[op]
        ends = []
        for side, end in enumerate(x):
            value = function(end)
            if op in EXACT:
                ends.append(value)
                continue
            exact = np.isinf(end)
            if op in RATIONAL_AT:
                exact = exact | (end == RATIONAL_AT[op][0])
            elif op == "sqrt":
                error = _two_product_error(value, value, value * value)
                exact = exact | ((value * value == end) & (error == 0))
            ends.append(_round_trip(value, exact)[side])
        return ends[0], ends[1]

    def _abs(self, x: Enclosure) -> Enclosure:
        low, high = x
        crosses = (low < 0) & (high > 0)
        least = np.where(crosses, 0.0, np.minimum(np.abs(low), np.abs(high)))
        return least, np.maximum(np.abs(low), np.abs(high))

    def _add(self, a: Enclosure, b: Enclosure) -> Enclosure:
        ends = []
        for side in (0, 1):
            total = a[side] + b[side]
            back = total - a[side]
            error = (a[side] - (total - back)) + (b[side] - back)
            exact = (error == 0) | np.isinf(a[side]) | np.isinf(b[side])
            ends.append(_round_trip(total, exact)[side])
        return ends[0], ends[1]

    def _sub(self, a: Enclosure, b: Enclosure) -> Enclosure:
        return self._add(a, (-b[1], -b[0]))

    def _corners(
        self, a: Enclosure, b: Enclosure, op: Callable[[Any, Any], tuple[Any, Any]]
    ) -> Enclosure:
        """Hull of ``op`` at the four corners; ``op`` returns the value and whether it is exact."""
        point_a = a[0] is a[1] or np.array_equal(a[0], a[1], equal_nan=True)
        point_b = b[0] is b[1] or np.array_equal(b[0], b[1], equal_nan=True)
        lows, highs = [], []
        for left in a[:1] if point_a else a:
            for right in b[:1] if point_b else b:
                low, high = _round_trip(*op(left, right))
                lows.append(low)
                highs.append(high)
        low, high = lows[0], highs[0]
        for other_low, other_high in zip(lows[1:], highs[1:], strict=True):
            low, high = np.minimum(low, other_low), np.maximum(high, other_high)
        return low, high

    def _mul(self, a: Enclosure, b: Enclosure) -> Enclosure:
        def multiply(left: Ends, right: Ends) -> Enclosure:
            product = left * right
            error = _two_product_error(left, right, product)
            safe = (np.abs(product) > 2.0**-900) | (left == 0) | (right == 0)
            return product, ((error == 0) & safe) | np.isinf(left) | np.isinf(right)

        return self._corners(a, b, multiply)

    def _div(self, a: Enclosure, b: Enclosure) -> Enclosure:
        def divide(left: Ends, right: Ends) -> Enclosure:
            quotient = left / (right + 0.0)
            error = _two_product_error(quotient, right, quotient * right)
            safe = np.abs(quotient) > 2.0**-900
            exact = (quotient * right == left) & (error == 0) & safe
            return quotient, exact | (left == 0) | (right == 0) | np.isinf(right)

        low, high = self._corners(a, b, divide)
        crosses = (b[0] <= 0) & (b[1] >= 0) & (b[0] != b[1])
        return np.where(crosses, -np.inf, low), np.where(crosses, np.inf, high)

    def _pow(self, a: Enclosure, b: Enclosure) -> Enclosure:
        return self._corners(
            a, b, lambda left, right: (np.power(left, right), (left == 1) | (right == 0))
        )

    def _min(self, a: Enclosure, b: Enclosure) -> Enclosure:
        return np.minimum(a[0], b[0]), np.minimum(a[1], b[1])

    def _max(self, a: Enclosure, b: Enclosure) -> Enclosure:
        return np.maximum(a[0], b[0]), np.maximum(a[1], b[1])

    def _lt(self, a: Enclosure, b: Enclosure) -> Enclosure:
        return (a[1] < b[0]) * 1.0, (a[0] < b[1]) * 1.0

    def _le(self, a: Enclosure, b: Enclosure) -> Enclosure:
        return (a[1] <= b[0]) * 1.0, (a[0] <= b[1]) * 1.0

    def _eq(self, a: Enclosure, b: Enclosure) -> Enclosure:
        same = (a[0] == b[0]) & (a[1] == b[1]) & (a[0] == a[1])
        apart = (a[1] < b[0]) | (b[1] < a[0])
        return same * 1.0, ~apart * 1.0

    def _where(self, condition: Enclosure, a: Enclosure, b: Enclosure) -> Enclosure:
        never = condition[1] == 0
        always = condition[0] != 0
        low = np.where(always, a[0], np.where(never, b[0], np.minimum(a[0], b[0])))
        high = np.where(always, a[1], np.where(never, b[1], np.maximum(a[1], b[1])))
        return low, high

    def _near(self, x: Enclosure, op: str) -> Enclosure:
        """Sine and cosine: they move at most as far as their argument does."""
        value = NUMPY_FUNCTIONS[op](x[0])
        low, high = _round_trip(value, x[0] == RATIONAL_AT[op][0])
        return low - (x[1] - x[0]), high + (x[1] - x[0])

    def _sin(self, x: Enclosure) -> Enclosure:
        return self._near(x, "sin")

    def _cos(self, x: Enclosure) -> Enclosure:
        return self._near(x, "cos")
