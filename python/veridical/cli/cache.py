"""`veridical cache`: what is kept between commands."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from veridical import zk
from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode

__all__ = ["app"]

app = App(name="cache", help="Show or clear the roots of weights that are kept on disk.")


@app.command
def show(*, json: Annotated[bool, Parameter(negative="")] = False) -> ExitCode:
    """Say where the roots of weight commitments are kept, and how many there are.

    Parameters
    ----------
    json
        Print data only.
    """
    cache = zk.RootCache.default()
    folder = None if cache is None else str(cache.folder)
    count = 0 if cache is None else len(cache.entries())
    if json:
        emit_json({"entries": count, "folder": folder})
    else:
        emit(f"folder    {folder or 'none'}")
        emit(f"entries   {count}")
    return ExitCode.ACCEPTED


@app.command
def clear(*, json: Annotated[bool, Parameter(negative="")] = False) -> ExitCode:
    """Remove all roots; the next `verify` with a program commits to its weights again.

    Parameters
    ----------
    json
        Print data only.
    """
    cache = zk.RootCache.default()
    removed = 0 if cache is None else cache.clear()
    if json:
        emit_json({"removed": removed})
    else:
        emit(f"removed   {removed}")
    return ExitCode.ACCEPTED
