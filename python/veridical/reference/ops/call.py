"""What an op gets: arrays with the batch axis first, consts and attributes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

Integers: TypeAlias = NDArray[np.signedinteger]

#: The float64 mantissa: integers below this, and their sums below this, are exact.
EXACT_FLOAT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One application of an op."""

    where: str
    operands: tuple[Integers, ...]
    consts: tuple[Integers, ...]
    integers: Mapping[str, int]
    lists: Mapping[str, tuple[int, ...]]


def exact_matmul(a: Integers, b: Integers) -> Integers:
    """Return the exact matrix product over the last two axes, as int64.

    Every product and every partial sum, in any order and with or without fused multiply-add, is an
    integer of magnitude at most `K * max|a| * max|b|`. Below 2^53 float64 holds all of them
    exactly, so BLAS may be used. Otherwise int64 is: operands are narrow and K <= 2^24, so sums
    stay below 2^54.
    """
    depth = a.shape[-1]
    if depth * _magnitude(a) * _magnitude(b) < EXACT_FLOAT:
        product: NDArray[np.float64] = np.matmul(a.astype(np.float64), b.astype(np.float64))
        return product.astype(np.int64)
    wide: Integers = np.matmul(a.astype(np.int64), b.astype(np.int64))
    return wide


def rounded_division(numerator: Integers, total: Integers, where: str) -> Integers:
    """Return `floor((numerator + floor(total / 2)) / total)` in int64.

    Raises:
        InputError: a total is 0.
    """
    if not total.all():
        row = tuple(int(i) for i in np.argwhere(total == 0)[0])
        raise InputError(
            "empty row: the weights of a row sum to 0", f"{where}, row {row}", "empty_row"
        )
    return (numerator + total // 2) // total


def _magnitude(values: Integers) -> int:
    return max(abs(int(values.min())), abs(int(values.max())))
