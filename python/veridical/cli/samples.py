"""Inputs from files: `.npz` by name, `.npy` or `.csv` for models with one input."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridical.cli.loading import load_arrays
from veridical.errors import InputError

__all__ = ["load_samples", "named"]


def load_samples(path: Path) -> dict[str, NDArray[Any]] | NDArray[Any]:
    """Read samples; the first axis counts them.

    Raises:
        InputError: the file is none of the three kinds, or cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        arrays = load_arrays(path)
        assert arrays is not None  # noqa: S101 - a path was given
        return arrays
    try:
        if suffix == ".npy":
            return np.asarray(np.load(path, allow_pickle=False))
        if suffix == ".csv":
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                return np.loadtxt(path, delimiter=",", ndmin=2, dtype=np.float64)
    except (OSError, ValueError, EOFError, UserWarning) as error:
        raise InputError(f"cannot read samples: {error}", where=str(path)) from error
    raise InputError(
        f"samples in {suffix or 'a file without suffix'!r}",
        where=str(path),
        advice="Give .npz (arrays by input name), or .npy or .csv for a model with one input.",
    )


def named(samples: dict[str, NDArray[Any]] | NDArray[Any], names: list[str]) -> dict[str, Any]:
    """Return samples by input name.

    Raises:
        InputError: one bare array, but the model has several inputs.
    """
    if isinstance(samples, dict):
        return samples
    if len(names) != 1:
        raise InputError(
            f"one array for a model with inputs {', '.join(names)}",
            advice="Give an .npz file with one array per input.",
        )
    return {names[0]: samples}
