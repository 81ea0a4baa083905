"""What the repository's own tests know about its tree."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "python" / "veridical"

# Built, fetched or cached, never written by hand.
GENERATED = frozenset(
    {".cache", ".git", ".venv", "target", "out", "build", "dist", "__pycache__"}
    | {".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache", "node_modules"}
)


@cache
def tree_files() -> tuple[Path, ...]:
    """Return every hand-written file of the checkout, in order."""
    found: list[Path] = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = sorted(name for name in subfolders if name not in GENERATED)
        found += [Path(folder, name) for name in sorted(names)]
    return tuple(found)


def files_ending(*suffixes: str, under: str = "") -> list[Path]:
    """Return the files with one of these suffixes, below a folder of the repository."""
    top = ROOT / under
    return [path for path in tree_files() if path.suffix in suffixes and path.is_relative_to(top)]


def label(path: Path) -> str:
    """Return the path as a reader of a failure wants it."""
    return path.relative_to(ROOT).as_posix()
