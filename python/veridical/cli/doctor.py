"""`veridical doctor`: what is installed, which kernels run, and why something is missing."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from typing import Annotated, Final

from cyclopts import Parameter

from veridical import _core, builds
from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode

__all__ = ["doctor"]

_BASE: Final = ("numpy", "cryptography", "securesystemslib", "safetensors", "rich", "cyclopts")
_COMPILE: Final = ("onnx", "onnxruntime", "mpmath", "matplotlib")
_ISAS: Final = ("avx512", "avx2", "portable")


def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> ExitCode:
    """Say what works here, and why something does not.

    Parameters
    ----------
    json
        Print data only.
    """
    facts = inspect()
    if json:
        emit_json(facts)
        return ExitCode.ACCEPTED
    for section, rows in facts.items():
        emit(section)
        if isinstance(rows, dict):
            for name, text in rows.items():
                emit(f"  {name:<18} {text}")
    return ExitCode.ACCEPTED


def inspect() -> dict[str, object]:
    """Return the facts by section."""
    available = set(_core.available_isas())
    best = next(isa for isa in _ISAS if isa in available)
    kernels = {}
    for isa in _ISAS:
        if isa == best:
            kernels[isa] = "in use"
        elif isa in available:
            kernels[isa] = "available"
        else:
            kernels[isa] = "not available: this processor lacks its instructions"
    packages = {name: _version(name, "base") for name in _BASE}
    packages.update({name: _version(name, "compile") for name in _COMPILE})
    compile_missing = [name for name in _COMPILE if "not installed" in packages[name]]
    return {
        "system": {
            "veridical": _version("veridical", "base"),
            "extension": f"build {builds.BUILD}",
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        },
        "executor": kernels,
        "packages": packages,
        "abilities": {
            "verify": "yes",
            "run": "yes",
            "compile": "yes"
            if not compile_missing
            else f"no: {', '.join(compile_missing)} not installed; "
            "what to do: install the extra `veridical[compile]`",
            "tier reexecution": "yes",
        },
    }


def _version(name: str, extra: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return f"not installed (part of the {extra} installation)"
