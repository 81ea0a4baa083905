"""Output of all commands: results on stdout, everything for people on stderr.

Tables and colours appear only on a terminal; `--json` prints one JSON document and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from veridical.errors import Error
from veridical.verifier.report import error_value

__all__ = ["emit", "emit_json", "print_error", "terminal"]


def terminal() -> Console | None:
    """Return a console on stderr, or None where nobody watches it."""
    return Console(stderr=True, highlight=False) if sys.stderr.isatty() else None


def emit(line: str) -> None:
    """Write one line of a result to stdout, at once: a command that serves does not end."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def emit_json(value: Mapping[str, object]) -> None:
    """Write one JSON document to stdout."""
    sys.stdout.write(json.dumps(value, indent=2, sort_keys=True) + "\n")


def print_error(error: Error, *, is_json: bool) -> None:
    """Say what failed, where, and what to do; on stdout if data was asked for."""
    if is_json:
        emit_json({"error": error_value(error), "verdict": None})
        return
    console = terminal()
    if console is None:
        sys.stderr.write(error.diagnostics() + "\n")
        return
    first, *rest = error.diagnostics().split("\n")
    console.print(f"[bold red]{escape(first)}[/]", emoji=False)
    for line in rest:
        console.print(escape(line), emoji=False)
