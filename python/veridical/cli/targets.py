"""Where a command writes: never two things into one file, and never over what it reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from veridical.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["require_distinct"]


def require_distinct(*files: Path | None) -> None:
    """Refuse files of which two are one; those that are None are not used.

    Raises:
        InputError: two of them are the same file.
    """
    seen: set[Path] = set()
    for path in files:
        if path is None:
            continue
        resolved = path.resolve()
        if resolved in seen:
            raise InputError(
                "one file for two things; one of them would be lost",
                where=str(path),
                advice="Name another file.",
            )
        seen.add(resolved)
