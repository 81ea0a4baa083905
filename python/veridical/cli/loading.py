"""Arrays from `.npz` files; never anything pickled."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veridical.errors import InputError

__all__ = ["load_arrays"]


def load_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read named arrays from an `.npz` file.

    Raises:
        InputError: the file cannot be read as arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise InputError(
                    "one array without a name",
                    where=str(path),
                    advice="Save it as `numpy.savez(path, NAME=array)`, with the input's name.",
                )
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(f"cannot read arrays: {error}", where=str(path)) from error
