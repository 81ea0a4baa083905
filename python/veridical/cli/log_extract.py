"""`veridical log extract`: the whole log in one file, for the page and others without the log."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from veridical import tlog
from veridical.cli.console import emit
from veridical.cli.exit_codes import ExitCode
from veridical.errors import InputError
from veridical.tlog.extract import extract as extract_of

__all__ = ["extract"]


def extract(folder: Path, *, out: Annotated[Path, Parameter(name=["--out", "-o"])]) -> ExitCode:
    """Write a checkpoint and every entry below it into one file, which the page takes.

    Parameters
    ----------
    folder
        The log.
    out
        Where to write it.
    """
    content = extract_of(tlog.Log.open(folder))
    try:
        out.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", where=str(out)) from error
    emit(f"{out} {len(content)} bytes")
    return ExitCode.ACCEPTED
