"""`veridical explain`: every check of one receipt, whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from rich.table import Table
from rich.text import Text

from veridical import verifier
from veridical.cli.console import emit, emit_json, print_error, terminal
from veridical.cli.exit_codes import ExitCode, exit_code_of
from veridical.cli.loading import load_arrays, load_policy, load_program, seconds_now
from veridical.verifier import Report, Status

__all__ = ["explain"]

_STYLES: Final = {
    Status.PASSED: "green",
    Status.FAILED: "bold red",
    Status.UNDECIDED: "yellow",
    Status.SKIPPED: "dim",
}


def explain(
    receipt: Path,
    *,
    policy: Path | None = None,
    signer: Annotated[list[Path] | None, Parameter(negative="")] = None,
    program: Path | None = None,
    input: Path | None = None,  # noqa: A002 - the name of the option
    output: Path | None = None,
    now: int | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """List every check of a receipt: passed, failed, undecided or skipped.

    Parameters
    ----------
    receipt
        The receipt file.
    policy
        What you accept, as TOML. There is no default.
    signer
        A public key whose signature you accept; may be repeated. Alone it is the whole policy.
    program
        The program, to be run again.
    input
        The question that you asked: arrays by name (.npz). It must match.
    output
        The answer that you got, likewise.
    now
        The time to judge by, in seconds since 1970.
    json
        Print data only.
    """
    rules = load_policy(policy, signer, has_input=input is not None, has_output=output is not None)
    report = verifier.explain(
        receipt,
        rules,
        now=seconds_now(now),
        input=load_arrays(input),
        output=load_arrays(output),
        program=load_program(program),
    )
    if json:
        emit_json(report.to_value())
    else:
        _print_checks(report)
    if report.error is None:
        return ExitCode.ACCEPTED
    if not json:
        print_error(report.error, is_json=False)
    return exit_code_of(report.error)


def _print_checks(report: Report) -> None:
    console = terminal()
    if console is not None:
        table = Table(title=f"{report.verdict}", title_style="bold")
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
