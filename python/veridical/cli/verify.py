"""`veridical verify`: accept or reject one receipt."""

from __future__ import annotations

from pathlib import Path

from veridical.cli.console import emit, emit_json, print_error
from veridical.cli.exit_codes import ExitCode, exit_code_of
from veridical.cli.judgement import NO_OPTIONS, Options, judge
from veridical.verifier import Report, Verified
from veridical.verifier.report import error_value

__all__ = ["verify"]


def verify(receipt: Path, options: Options = NO_OPTIONS) -> ExitCode:
    """Accept a receipt, or say why not.

    Parameters
    ----------
    receipt
        The receipt file.
    """
    report = judge(receipt, options)
    if options.json:
        emit_json(_value(report))
    elif report.verified is not None:
        _print_accepted(report.verified)
    else:
        emit(report.verdict)
    if report.error is None:
        return ExitCode.ACCEPTED
    if not options.json:
        print_error(report.error, is_json=False)
    return exit_code_of(report.error)


def _value(report: Report) -> dict[str, object]:
    if report.verified is not None:
        return report.verified.to_value()
    error = None if report.error is None else error_value(report.error)
    return {"error": error, "verdict": report.verdict}


def _print_accepted(verified: Verified) -> None:
    emit("accepted")
    emit(f"receipt   {verified.receipt_id}")
    emit(f"model     {verified.statement.model.digest}")
    emit(f"request   {verified.statement.request_id or 'none'}")
    emit(f"tier      {verified.tier or 'none'}")
    emit(f"signer    {verified.signer.key_id if verified.signer else 'nobody'}")
    for name, standing in verified.properties.items():
        emit(f"  {name:<7} {standing.value}")
    emit(f"saturated {verified.statement.input.saturated}")
    for assumption in verified.assumptions:
        emit(f"assumes   {assumption}")
