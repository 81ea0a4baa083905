"""Which build of the extension runs.

The field arithmetic of proofs uses the vector instructions that it was compiled for. A wheel
therefore carries several builds of one extension, and the fastest that this processor runs is taken
when the package is imported. All give the same results, proof bytes included. An extension that was
built from source is compiled for its machine and stands alone.
"""

from __future__ import annotations

import os
import sys
from importlib import util
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Final

import veridical
from veridical import _core
from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["BUILD", "FEATURES", "choose"]

# Levels of the psABI of x86-64. A virtual machine may hide any one of these from its guest.
_V3: Final = frozenset({"avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe"})
_V4: Final = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
#: Builds of a wheel, fastest first, and what a processor needs for each.
FEATURES: Final = {"x86-64-v4": _V4, "x86-64-v3": _V3}
#: Names the build to take, for tests: one of the above, or `default`.
VARIABLE: Final = "VERIDICAL_BUILD"
DEFAULT: Final = "default"
FOLDER: Final = Path(__file__).parent / "_builds"


def choose(features: Collection[str], folder: Path, asked: str | None) -> str:
    """Return the name of the build to run: the one asked for, or the fastest that can run.

    Raises:
        InputError: the build that is asked for is not here, or does not run on this processor.
    """
    able = [
        name
        for name, needed in FEATURES.items()
        if needed <= set(features) and _file(folder, name).exists()
    ]
    if asked is None:
        return next(iter(able), DEFAULT)
    if asked not in (*able, DEFAULT):
        raise InputError(
            f"the build {asked!r:.40} is not here, or does not run on this processor",
            where=VARIABLE,
            advice=f"Take one of {', '.join((*able, DEFAULT))}, or unset the variable.",
        )
    return asked


def _file(folder: Path, name: str) -> Path:
    return folder / name / "_core.abi3.so"


def _load(path: Path) -> None:
    """Put another build in the place of the one that the package was imported with."""
    name = _core.__name__
    loader = ExtensionFileLoader(name, str(path))
    spec = util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None  # noqa: S101 - a loader was given
    module = util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[name] = module
    veridical._core = module  # noqa: SLF001 - the same module again


#: The build in use.
BUILD: Final = choose(_core.cpu_features(), FOLDER, os.environ.get(VARIABLE))
if BUILD != DEFAULT:
    _load(_file(FOLDER, BUILD))
