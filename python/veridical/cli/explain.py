"""`veridical explain`: every check of one receipt, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich.table import Table
from rich.text import Text

from veridical.cli.console import emit, emit_json, print_error, terminal
from veridical.cli.exit_codes import ExitCode, exit_code_of
from veridical.cli.judgement import NO_OPTIONS, Options, judge
from veridical.verifier import Report, Status

__all__ = ["explain"]

_STYLES: Final = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.UNDECIDED: "yellow",
    Status.SKIPPED: "dim",
}


def explain(receipt: Path, options: Options = NO_OPTIONS) -> ExitCode:
    """List every check of a receipt: passed, failed, undecided or skipped.

    Parameters
    ----------
    receipt
        The receipt file.
    """
    report = judge(receipt, options)
    if options.json:
        emit_json(report.to_value())
    else:
        _print_checks(report)
    if report.error is None:
        return ExitCode.ACCEPTED
    if not options.json:
        print_error(report.error, is_json=False)
    return exit_code_of(report.error)


def _print_checks(report: Report) -> None:
    console = terminal()
    if console is not None:
        table = Table(title=report.verdict, title_style="bold")
        for heading in ("", "check", "envelope", "ended", "detail"):
            table.add_column(heading)
        for check in report.checks:
            envelope = "" if check.envelope is None else str(check.envelope)
            ended = Text(check.status.value, style=_STYLES[check.status])
            table.add_row(str(check.number), check.name, envelope, ended, Text(check.detail))
        console.print(table)
        emit(report.verdict)
        return
    for check in report.checks:
        name = check.name if check.envelope is None else f"{check.name}[{check.envelope}]"
        emit(f"{check.number:>2} {name:<14} {check.status.value:<9} {check.detail}")
    emit(report.verdict)
