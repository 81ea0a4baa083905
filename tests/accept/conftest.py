"""Compiled once, used by all acceptance tests: the programs of the zoo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

import veridical
from examples.zoo import zoo

if TYPE_CHECKING:
    from pathlib import Path

CompiledPath = Callable[[str], "Path"]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> CompiledPath:
    """Return where the program of a model lies, compiled at the default precision when asked."""
    folder = tmp_path_factory.mktemp("programs")
    done: dict[str, Path] = {}

    def path(name: str) -> Path:
        if name not in done:
            case = zoo()[name]
            dims = {
                f"{key}[{axis}]": size
                for key, shape in case.shapes().items()
                for axis, size in enumerate(shape)
                if axis > 0
            }
            program = veridical.compile(
                case.path(), calibration=case.calibration(), dims=dims, progress=False
            )
            done[name] = folder / f"{name}.vprog"
            program.save(done[name])
        return done[name]

    return path
