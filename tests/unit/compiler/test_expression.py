"""Expressions: evaluation, recognisers, and correctly rounded tables."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veridical.compiler import expression as ex
from veridical.compiler.expression import Expression, X, compose, constant, round_table
from veridical.compiler.interval import erf
from veridical.errors import CompileError

GELU = X * 0.5 * ((X / math.sqrt(2.0)).call("erf") + 1.0)
TANH_GELU = X * 0.5 * (((X + X.power(3.0) * 0.044715) * 0.79788456).call("tanh") + 1.0)
FUNCTIONS: dict[str, Expression] = {
    "identity": X,
    "relu": X.relu(),
    "affine": ex.affine(0.3, -0.7),
    "gelu": GELU,
    "tanh gelu": TANH_GELU,
    "silu": X * X.call("sigmoid"),
    "sigmoid": X.call("sigmoid"),
    "tanh": X.call("tanh"),
    "softplus": X.call("softplus"),
    "exp": X.call("exp"),
    "hard swish": X * ex.hard_sigmoid(1 / 6, 0.5),
    "square root": X.maximum(0.0).call("sqrt"),
    "reciprocal": 1.0 / X.maximum(2.0**-12),
    "leaky": X.less(0.0).where(X * 0.01, X),
    "quantised": ((X / 0.1).call("round").clip(-8.0, 7.0)) * 0.1,
    "sine": X.call("sin"),
    "power": X.call("abs").power(1.7),
}


def slow_entry(fn: Expression, x: Fraction, out: Fraction, lo: int, hi: int) -> int:
    """The rounding rule at 600 bits, without any interval."""
    with mpmath.workprec(600):
        value = fn.evaluate_exact(x, 580)
        if mpmath.isinf(value):
            return hi if value > 0 else lo
        scaled = value * out.denominator / out.numerator + mpmath.mpf(1) / 2
        near = mpmath.nint(scaled)
        if abs(scaled - near) < mpmath.mpf(2) ** -500:  # a tie, up to the noise of evaluate_exact
            return max(lo, min(hi, int(near)))
        return max(lo, min(hi, int(mpmath.floor(scaled))))


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize(
    ("step", "out"),
    [
        (Fraction(1, 1024), Fraction(1, 512)),
        (Fraction(1, 64), Fraction(1, 4096)),
        (Fraction(3, 10007), Fraction(7, 3331)),
    ],
)
def test_table_equals_a_slow_multi_precision_one(name: str, step: Fraction, out: Fraction) -> None:
    fn = FUNCTIONS[name]
    table = round_table(fn, step, -2048, 4096, out, -32768, 32767)
    for i in np.random.default_rng(0).integers(0, 4096, 60).tolist():
        assert table[i] == slow_entry(fn, (i - 2048) * step, out, -32768, 32767), (name, i)


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    numerator=st.integers(1, 2**20),
    shift=st.integers(0, 40),
    out_numerator=st.integers(1, 2**12),
    out_shift=st.integers(0, 24),
    first=st.integers(-40000, 40000),
)
def test_random_tables_equal_slow_ones(
    name: str, numerator: int, shift: int, out_numerator: int, out_shift: int, first: int
) -> None:
    step, out = Fraction(numerator, 2**shift), Fraction(out_numerator, 2**out_shift)
    fn = FUNCTIONS[name]
    table = round_table(fn, step, first, 5, out, -(2**15), 2**15 - 1)
    expected = [slow_entry(fn, (first + i) * step, out, -(2**15), 2**15 - 1) for i in range(5)]
    assert table.tolist() == expected


def test_ties_round_up() -> None:
    table = round_table(X, Fraction(1, 2), -4, 9, Fraction(1), -100, 100)
    assert table.tolist() == [-2, -1, -1, 0, 0, 1, 1, 2, 2]
    root = round_table(X.call("sqrt"), Fraction(1, 4), 0, 26, Fraction(1), 0, 100)
    assert root[25] == 3  # sqrt(6.25) = 2.5, a tie that only exact arithmetic sees
    half = round_table(X.call("sigmoid"), Fraction(1), 0, 1, Fraction(1), 0, 1)
    assert half.tolist() == [1]


def test_value_just_below_a_tie_rounds_down() -> None:
    # erf(x) < 1 for every x, although float64 says 1 from x = 5.93 on: 1/2 is never reached.
    table = round_table(X.call("erf"), Fraction(1), 6, 20, Fraction(2), 0, 5)
    assert table.tolist() == [0] * 20
    upper = round_table(X.call("tanh") * 2.5, Fraction(1), 30, 60, Fraction(1), 0, 9)
    assert upper.tolist() == [2] * 60


def test_table_clamps_infinities_and_names_undefined_arguments() -> None:
    table = round_table(1.0 / X, Fraction(1), 0, 3, Fraction(1), -7, 7)
    assert table.tolist() == [7, 1, 1]
    assert round_table(X.call("log"), Fraction(1), 0, 2, Fraction(1), -9, 9).tolist() == [-9, 0]
    assert round_table(X.call("exp"), Fraction(1), 800, 2, Fraction(1), 0, 99).tolist() == [99, 99]
    with pytest.raises(CompileError, match="log") as caught:
        round_table(X.call("log"), Fraction(1), -1, 3, Fraction(1), -9, 9)
    assert caught.value.check == "table"


def test_large_table_is_fast() -> None:
    started = time.perf_counter()
    round_table(
        X * X.call("sigmoid"), Fraction(1, 4096), -32768, 65536, Fraction(1, 1024), -9999, 9999
    )
    assert time.perf_counter() - started < 2  # 0.02 s on an idle core


def test_erf_is_within_four_ulp() -> None:
    points = np.concatenate([np.linspace(-7, 7, 20001), np.geomspace(1e-300, 6, 2000)])
    exact = np.array([math.erf(p) for p in points])
    assert np.all(np.abs(erf(points) - exact) <= 4 * np.spacing(np.abs(exact)))
    assert np.isnan(erf(np.array([np.nan]))).all()
    assert erf(np.array([np.inf, -np.inf])).tolist() == [1.0, -1.0]


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(sorted(FUNCTIONS)), x=st.floats(-30, 30))
def test_enclosure_holds_the_exact_value(name: str, x: float) -> None:
    fn = FUNCTIONS[name]
    point = np.array([x])
    low, high = fn.enclose(point, point)
    value = fn.evaluate_exact(Fraction(x), 300)
    assert float(np.ravel(low)[0]) <= value <= float(np.ravel(high)[0])


def test_key_is_equal_for_equal_functions_only() -> None:
    assert (2.0 * X + 1.0).key() == (1.0 + X * 2.0).key()
    assert (X * 2.0).key() != (X * 3.0).key()
    assert GELU.key() != TANH_GELU.key()
    assert (X * 2.0 * 3.0).key() == (X * 6.0).key()


def test_neutral_elements_vanish_and_constants_fold() -> None:
    assert ((X + 0.0) * 1.0 / 1.0 - 0.0).key() == "x"
    assert X.maximum(-math.inf).minimum(math.inf).key() == "x"
    assert (constant(2.0) * 3.0).value == 6.0


def test_recognisers() -> None:
    assert ((3.0 - X * 2.0) / 4.0).is_affine() == (-0.5, 0.75)
    assert (X * X).is_affine() is None
    assert (1.0 / X).is_affine() is None
    assert X.is_identity()
    assert not (X * 2.0).is_identity()
    assert X.relu().is_relu()
    assert X.clip(0.0, 6.0).is_clip() == (0.0, 6.0)
    assert (X * 2.0).clip(0.0, 6.0).is_clip() is None
    assert X.clip(0.0, 6.0).is_piecewise_linear()
    assert not GELU.is_piecewise_linear()


@given(a=st.floats(-4, 4), b=st.floats(-4, 4), x=st.floats(-4, 4))
def test_composition_evaluates_the_inner_function_first(a: float, b: float, x: float) -> None:
    point = np.array([x])
    composed = compose(X.call("tanh"), ex.affine(a, b)).evaluate(point)
    assert composed == pytest.approx(np.tanh(a * point + b))


def test_repeated_operands_are_evaluated_once() -> None:
    deep = X
    for _ in range(200):
        deep = deep * 0.5 + deep * 0.5
    assert deep.evaluate(np.array([1.5])).tolist() == [1.5]


@pytest.mark.parametrize("exponent", [1, 2, 3, 8, -1, -2, 0.5, -0.5, 1.3])
def test_powers(exponent: float) -> None:
    points = np.array([0.3, 1.0, 2.7])
    assert X.power(exponent).evaluate(points) == pytest.approx(points**exponent)
