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
from typing import Final

import veridical
from veridical import _core
from veridical.errors import InputError

__all__ = ["BUILD", "FEATURES", "choose"]

#: Builds of a wheel, fastest first, and what a processor needs for each.
FEATURES: Final = {
    "x86-64-v4": {"avx2", "bmi2", "fma", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
    "x86-64-v3": {"avx2", "bmi2", "fma"},
}
#: Names the build to take, for tests: one of the above, or `default`.
VARIABLE: Final = "VERIDICAL_BUILD"
DEFAULT: Final = "default"
FOLDER: Final = Path(__file__).parent / "_builds"


def choose() -> str:
    """Load the fastest build that is here and that this processor runs; return its name.

    Raises:
        InputError: the environment names a build that is not here, or does not run here.
    """
    asked = os.environ.get(VARIABLE)
    features = set(_core.cpu_features())
    for name, needed in FEATURES.items():
        path = FOLDER / name / "_core.abi3.so"
        if asked in (None, name) and needed <= features and path.exists():
            _load(path)
            return name
    if asked not in (None, DEFAULT):
        raise InputError(
            f"the build {asked!r:.40} is not here, or does not run on this processor",
            where=VARIABLE,
            advice=f"Take one of {', '.join((*FEATURES, DEFAULT))}, or unset the variable.",
        )
    return DEFAULT


def _load(path: Path) -> None:
    name = _core.__name__
    loader = ExtensionFileLoader(name, str(path))
    spec = util.spec_from_file_location(name, path, loader=loader)
    assert spec is not None  # noqa: S101 - a loader was given
    module = util.module_from_spec(spec)
    loader.exec_module(module)
    sys.modules[name] = module
    veridical._core = module  # noqa: SLF001 - the same module again


#: The build in use.
BUILD: Final = choose()
