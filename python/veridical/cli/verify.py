"""`veridical verify`: accept or reject one receipt."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from veridical import verifier
from veridical.cli.console import emit, emit_json, print_error
from veridical.cli.exit_codes import ExitCode, exit_code_of
from veridical.cli.loading import load_arrays, load_policy, load_program, seconds_now
from veridical.verifier.report import error_value

__all__ = ["verify"]


def verify(
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
    """Accept a receipt, or say why not.

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
        emit_json(_value(report))
    elif report.verified is not None:
        _print_accepted(report.verified)
    else:
        emit(report.verdict)
    if report.error is not None:
        if not json:
            print_error(report.error, is_json=False)
        return exit_code_of(report.error)
    return ExitCode.ACCEPTED


def _value(report: verifier.Report) -> dict[str, object]:
    if report.verified is not None:
        return report.verified.to_value()
    error = None if report.error is None else error_value(report.error)
    return {"error": error, "verdict": report.verdict}


def _print_accepted(verified: verifier.Verified) -> None:
    emit("accepted")
    emit(f"receipt   {verified.receipt_id}")
    emit(f"tier      {verified.tier or 'none'}")
    emit(f"signer    {verified.signer.key_id if verified.signer else 'nobody'}")
    for name, standing in verified.properties.items():
        emit(f"{name:<9} {standing.value}")
    emit(f"saturated {verified.statement.input.saturated}")
    for assumption in verified.assumptions:
        emit(f"assumes   {assumption}")
