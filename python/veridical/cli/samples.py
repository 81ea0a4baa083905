"""Inputs from files: `.npz` by name, `.npy` or `.csv` for models with one input."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veridical.cli.loading import load_arrays
from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["load_samples", "named", "save_arrays"]


def load_samples(path: Path) -> dict[str, NDArray[Any]] | NDArray[Any]:
    """Read samples; the first axis counts them.

    Raises:
        InputError: the file is none of the three kinds, or cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        return load_arrays(path)
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


def save_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays by name (.npz); any name will do, as `numpy.savez` would not have it.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with zipfile.ZipFile(path, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
    except OSError as error:
        raise InputError(f"cannot write arrays: {error.strerror}", where=str(path)) from error


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
