"""Rationals where a function has rational values, multi-precision enclosures everywhere else.

A value is a `fractions.Fraction` (exact), the floats `inf`, `-inf` and `nan`, or a pair of `mpmath`
numbers that enclose the true value.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import mpmath

from veridical.compiler.interval import INCREASING, RATIONAL_AT

if TYPE_CHECKING:
    from collections.abc import Callable

Number: TypeAlias = Any
"""Fraction, a non-finite float, or a pair of mpf."""

_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "erf": mpmath.erf,
    "tanh": mpmath.tanh,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "atan": mpmath.atan,
    "sin": mpmath.sin,
    "cos": mpmath.cos,
}
_STEPS: dict[str, Callable[[Any], Any]] = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sign": lambda x: (x > 0) - (x < 0),
}
_MP_STEPS: dict[str, Callable[[Any], Any]] = {
    "floor": mpmath.floor,
    "ceil": mpmath.ceil,
    "round": mpmath.nint,
    "sign": mpmath.sign,
}
_AT_INFINITY: dict[str, tuple[float, float]] = {
    "exp": (0.0, math.inf),
    "log": (math.nan, math.inf),
    "sqrt": (math.nan, math.inf),
    "erf": (-1.0, 1.0),
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "softplus": (0.0, math.inf),
    "atan": (math.nan, math.nan),
    "sin": (math.nan, math.nan),
    "cos": (math.nan, math.nan),
    "floor": (-math.inf, math.inf),
    "ceil": (-math.inf, math.inf),
    "round": (-math.inf, math.inf),
    "sign": (-1.0, 1.0),
}


def from_float(value: float) -> Number:
    """Return the exact rational of a finite float."""
    return Fraction(value) if math.isfinite(value) else value


def ends(x: Number) -> tuple[Any, Any]:
    """Enclose a value by two mpmath numbers at the working precision."""
    if isinstance(x, tuple):
        return x
    if isinstance(x, float):
        return mpmath.mpf(x), mpmath.mpf(x)
    value = mpmath.mpf(x.numerator) / x.denominator
    pad = abs(value) * mpmath.ldexp(1, -mpmath.mp.prec + 4)
    return value - pad, value + pad


def _widen(low: Number, high: Number) -> Number:
    """Cover the rounding error of one mpmath call, which is below 16 units in the last place."""
    if mpmath.isnan(low) or mpmath.isnan(high):
        return math.nan
    if low == high and mpmath.isinf(low):
        return math.inf if low > 0 else -math.inf
    unit = mpmath.ldexp(1, -mpmath.mp.prec + 4)
    return low - abs(low) * unit, high + abs(high) * unit


def _less(a: Number, b: Number) -> bool | None:
    """Decide ``a < b``; None when the enclosures overlap."""
    if not isinstance(a, tuple) and not isinstance(b, tuple):
        return bool(a < b)
    (low_a, high_a), (low_b, high_b) = ends(a), ends(b)
    if high_a < low_b:
        return True
    return False if low_a >= high_b else None


def _truth(value: bool | None) -> Number:  # noqa: FBT001 - the operand, three-valued
    return (mpmath.mpf(0), mpmath.mpf(1)) if value is None else Fraction(int(value))


def _is_nan(x: Number) -> bool:
    return isinstance(x, float) and math.isnan(x)


def _at_rational(op: str, x: Fraction) -> Number | None:
    """Return the value of a function where it is rational, infinite or undefined."""
    if op in _STEPS:
        return Fraction(_STEPS[op](x))
    if op in RATIONAL_AT and x == RATIONAL_AT[op][0]:
        return RATIONAL_AT[op][1]
    if op in ("sqrt", "log") and x < 0:
        return math.nan
    if op == "log" and x == 0:
        return -math.inf
    if op == "sqrt":
        root = Fraction(math.isqrt(x.numerator), math.isqrt(x.denominator))
        if root * root == x:
            return root
    return None


class ExactIntervals:
    """Operators of an expression on numbers, at mpmath's working precision."""

    def constant(self, value: float) -> Number:
        """Enclose one number."""
        return from_float(value)

    def apply(self, op: str, args: list[Number]) -> Number:
        """Apply one operator."""
        if op != "where" and any(_is_nan(arg) for arg in args):
            return math.nan
        if op in INCREASING or op in _FUNCTIONS:
            return self._function(op, args[0])
        method: Callable[..., Number] = getattr(self, f"_{op}")
        return method(*args)

    def _function(self, op: str, x: Number) -> Number:
        if isinstance(x, float):
            return from_float(_AT_INFINITY[op][x > 0])
        if isinstance(x, Fraction):
            known = _at_rational(op, x)
            if known is not None:
                return known
        low, high = ends(x)
        if op in ("sin", "cos"):
            middle = _FUNCTIONS[op](low)
            return _widen(middle - (high - low), middle + (high - low))
        if op in _MP_STEPS:
            return _MP_STEPS[op](low), _MP_STEPS[op](high)
        if op in ("sqrt", "log") and low < 0:
            # Only doubt about the argument's last bits can get here; zero is its nearest bound.
            low = mpmath.mpf(0)
        return _widen(_FUNCTIONS[op](low), _FUNCTIONS[op](high))

    def _abs(self, x: Number) -> Number:
        if not isinstance(x, tuple):
            return abs(x)
        low, high = x
        least = mpmath.mpf(0) if low < 0 < high else min(abs(low), abs(high))
        return least, max(abs(low), abs(high))

    def _add(self, a: Number, b: Number) -> Number:
        if not isinstance(a, tuple) and not isinstance(b, tuple):
            return a + b
        (low_a, high_a), (low_b, high_b) = ends(a), ends(b)
        return _widen(low_a + low_b, high_a + high_b)

    def _sub(self, a: Number, b: Number) -> Number:
        return self._add(a, (-b[1], -b[0]) if isinstance(b, tuple) else -b)

    def _mul(self, a: Number, b: Number) -> Number:
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a * b
        if not isinstance(a, tuple) and not isinstance(b, tuple):
            return float(a > 0) * b if b in (math.inf, -math.inf) and a == 0 else _signed(a, b)
        corners = [left * right for left in ends(a) for right in ends(b)]
        return _widen(min(corners), max(corners))

    def _div(self, a: Number, b: Number) -> Number:
        if isinstance(b, Fraction) and b == 0:
            low, high = ends(a)
            if low > 0 or high < 0:
                return math.inf if low > 0 else -math.inf
            return math.nan
        if isinstance(a, Fraction) and isinstance(b, Fraction):
            return a / b
        if isinstance(b, float):
            return math.nan if isinstance(a, float) else Fraction(0)
        low, high = ends(b)
        if low <= 0 <= high:
            return mpmath.mpf("-inf"), mpmath.mpf("inf")
        corners = [left / right for left in ends(a) for right in (low, high)]
        return _widen(min(corners), max(corners))

    def _pow(self, a: Number, b: Number) -> Number:
        if isinstance(b, Fraction) and b.denominator == 1 and isinstance(a, Fraction) and a != 0:
            return a ** int(b)
        corners = []
        for left in ends(a):
            for right in ends(b):
                if left < 0 and not mpmath.isint(right):
                    return math.nan
                corners.append(mpmath.power(left, right) if left or right > 0 else mpmath.inf)
        return _widen(min(corners), max(corners))

    def _min(self, a: Number, b: Number) -> Number:
        if not isinstance(a, tuple) and not isinstance(b, tuple):
            return min(a, b)
        (low_a, high_a), (low_b, high_b) = ends(a), ends(b)
        if high_a <= low_b:
            return a
        return b if high_b <= low_a else (min(low_a, low_b), min(high_a, high_b))

    def _max(self, a: Number, b: Number) -> Number:
        if not isinstance(a, tuple) and not isinstance(b, tuple):
            return max(a, b)
        (low_a, high_a), (low_b, high_b) = ends(a), ends(b)
        if high_a <= low_b:
            return b
        return a if high_b <= low_a else (max(low_a, low_b), max(high_a, high_b))

    def _lt(self, a: Number, b: Number) -> Number:
        return _truth(_less(a, b))

    def _le(self, a: Number, b: Number) -> Number:
        more = _less(b, a)
        return _truth(None if more is None else not more)

    def _eq(self, a: Number, b: Number) -> Number:
        if not isinstance(a, tuple) and not isinstance(b, tuple):
            return _truth(a == b)
        return _truth(False if _less(a, b) or _less(b, a) else None)

    def _where(self, condition: Number, a: Number, b: Number) -> Number:
        if _is_nan(condition):
            return math.nan
        if not isinstance(condition, tuple):
            return a if condition else b
        if _is_nan(a) or _is_nan(b):
            return math.nan
        (low_a, high_a), (low_b, high_b) = ends(a), ends(b)
        return min(low_a, low_b), max(high_a, high_b)


def _signed(a: Number, b: Number) -> float:
    """Multiply where at least one operand is infinite."""
    if a == 0 or b == 0:
        return math.nan
    return math.inf if (a > 0) == (b > 0) else -math.inf
