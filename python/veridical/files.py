"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from veridical.errors import InputError

if TYPE_CHECKING:
    import os

__all__ = ["write_whole"]


def write_whole(path: str | os.PathLike[str], content: bytes, *, what: str) -> None:
    """Write a file in one step: a reader finds the old content or the new, never half of it.

    A target that exists and is no regular file, such as a pipe, is written to as it is.

    Raises:
        InputError: the file cannot be written; `what` names it in the message.
    """
    target = Path(path)
    try:
        if target.exists() and not target.is_file():
            target.write_bytes(content)
            return
        # A link keeps pointing to what it points to.
        target = target.resolve()
        temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(8)}")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise InputError(f"cannot write {what}: {error}", where=str(path)) from error
    try:
        with temporary.open("xb") as file:
            file.write(content)
        temporary.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        reason = error.strerror or str(error)
        raise InputError(f"cannot write {what}: {reason}", where=str(path)) from error
