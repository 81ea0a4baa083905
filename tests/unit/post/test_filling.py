"""Numbers in a text are exact, whatever they are."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veridical.errors import PostError
from veridical.post import Template
from veridical.post.filling import fill

HEAD = "veridical-template/v1\ntext\n"


def written(value: np.generic, kind: str, decimals: int) -> str:
    template = Template.parse(f"{HEAD}{{{kind} x 0 {decimals}}}".encode())
    filled = fill(template, {"x": np.array([value])}, receipt_id="", model="")
    assert filled.values == ((0, len(filled.text)),)
    return filled.text.decode()


def by_decimal(value: Fraction, decimals: int) -> str:
    with localcontext(prec=2000):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        rounded = exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_EVEN)
        return f"{rounded:f}" if rounded else f"{abs(rounded):f}"


@given(
    value=st.floats(min_value=-(2.0**62), max_value=2.0**62),
    kind=st.sampled_from(["number", "percent"]),
    decimals=st.integers(0, 9),
)
def test_a_float_is_written_as_decimal_arithmetic_writes_it(
    value: float, kind: str, decimals: int
) -> None:
    exact = Fraction(value) * (100 if kind == "percent" else 1)
    assert written(np.float64(value), kind, decimals) == by_decimal(exact, decimals)


@given(value=st.integers(-(2**63) + 1, 2**63 - 1), decimals=st.integers(0, 9))
def test_an_integer_is_written_in_full(value: int, decimals: int) -> None:
    assert written(np.int64(value), "number", decimals) == by_decimal(Fraction(value), decimals)


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_template_or_a_refusal(content: bytes) -> None:
    for untrusted in (content, HEAD.encode() + content):
        try:
            template = Template.parse(untrusted)
            filled = fill(template, {"x": np.zeros((1, 2))}, receipt_id="r", model="m")
        except PostError as error:
            assert error.check in {"post.template", "post.fill"}  # noqa: PT017 - either is right
        else:
            filled.text.decode()


@pytest.mark.parametrize("body", ["{largest k x 0,*}", "{number x 0,* 1}"])
def test_the_largest_needs_a_row_of_numbers(body: str) -> None:
    template = Template.parse(f"veridical-template/v1\nlabels k 2\na\nb\ntext\n{body}".encode())
    with pytest.raises(PostError, match="not a number"):
        fill(template, {"x": np.array([[1.0, np.nan]])}, receipt_id="", model="")
