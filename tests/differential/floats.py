"""Floats that are hard to round: ends of the formats, and exact halves of a scale."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridical.reference.graph import RealScale


def adversarial_floats(dtype: type, scale: RealScale) -> NDArray[Any]:
    """Return finite values: subnormals, both zeros, extremes, powers of two and near ties.

    A tie is where `x * mul / 2^shift` is half an odd number; its neighbours are one step of the
    float format away.
    """
    info = np.finfo(dtype)
    single = dtype is np.float32
    special: NDArray[Any] = np.array(
        [0.0, info.smallest_subnormal, info.tiny, info.max, 1.0, 0.5, 1.5, 1 / 3, np.pi],
        dtype,
    )
    exponents = np.arange(-149, 128) if single else np.arange(-1074, 1024)
    powers = np.ldexp(np.ones(len(exponents), dtype), exponents)
    halves = (np.arange(-40, 40, dtype=np.float64) + 0.5) / scale.mul
    with np.errstate(over="ignore", under="ignore"):
        ties: NDArray[Any] = np.ldexp(halves, scale.shift).astype(dtype)
    ties = ties[np.isfinite(ties)]
    largest = dtype(np.inf)
    near = [np.nextafter(ties, -largest), ties, np.nextafter(ties, largest)]
    values = np.concatenate([special, powers, *near])
    values = values[np.isfinite(values)]
    return np.concatenate([values, -values])
