"""`veridical compile`: an ONNX model becomes an integer program."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from veridical.cli.console import emit, emit_json, terminal
from veridical.cli.exit_codes import ExitCode
from veridical.cli.progress import Stages
from veridical.cli.samples import load_samples
from veridical.cli.targets import require_distinct
from veridical.errors import InputError

if TYPE_CHECKING:
    from veridical.program import Program

__all__ = ["compile_"]


def compile_(  # noqa: PLR0913 - the options of one command
    model: Path,
    *,
    calibration: Path,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    test: Path | None = None,
    precision: Literal["auto", "int8", "int16"] = "auto",
    dim: Annotated[list[str] | None, Parameter(negative="")] = None,
    input_range: Annotated[list[str] | None, Parameter(negative="")] = None,
    closed: Annotated[bool, Parameter(negative="")] = False,
    picture: Path | None = None,
    layers: Annotated[bool, Parameter(negative="")] = False,
    commit: Annotated[bool, Parameter(negative="")] = False,
    security: Literal["standard", "strong"] = "standard",
    cache: bool = True,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Compile an ONNX model into the canonical integer program, and measure what that costs.

    Writes the program, its verification key (the same without weights) and the report beside it.

    Parameters
    ----------
    model
        The ONNX file, opset 11 to 23.
    calibration
        Representative inputs: .npz by input name, or .npy or .csv for one input; first axis counts.
    out
        The program file; MODEL.vprog where it is not given.
    test
        Inputs for the accuracy figures; the calibration samples where it is not given.
    precision
        auto takes the finest widths that cannot wrap.
    dim
        Size of a symbolic dimension, NAME=SIZE; batch dimensions are 1 by themselves.
    input_range
        Declared range of an input in place of the calibrated one, NAME=LOW:HIGH.
    closed
        Salt the weight commitment, so that publishing it reveals nothing about the weights.
    picture
        Draw the error of every layer into this PNG file.
    layers
        Show every layer, not only the outputs.
    commit
        Commit to the weights as succinct proofs do, and print the root.
    security
        What the commitment is for: standard, at least 100 bits of soundness; strong, 128.
    cache
        Keep the root for `verify`, in a folder of this user.
    json
        Print the report as data.
    """
    from veridical.compiler import compile_model, show

    target = out or model.with_suffix(".vprog")
    key, report_file = target.with_suffix(".vkey"), target.with_suffix(".report.json")
    require_distinct(model, calibration, target, key, report_file, picture)

    compiled = compile_model(
        model,
        calibration=load_samples(calibration),
        test=None if test is None else load_samples(test),
        precision=precision,
        dims=_sizes(dim or []),
        input_ranges=_ranges(input_range or []),
        closed=closed,
    )
    program, report = compiled.program, compiled.report
    program.save(target)
    program.save(key, vkey=True)
    report.save(report_file)
    if picture is not None:
        show.draw(report, picture)
    root = _root(program, security, keep=cache) if commit else None
    if json:
        value = report.to_value()
        emit_json(value if root is None else {**value, "weight_root": root})
        return ExitCode.ACCEPTED
    emit(f"program   {target}")
    emit(f"model     {report.digest}")
    if root is not None:
        emit(f"weights   {root}")
    for line in show.summary(report):
        emit(line)
    console = terminal()
    if console is not None:
        if layers:
            console.print(show.layer_table(report))
        console.print(show.output_table(report))
    return ExitCode.ACCEPTED


def _root(program: Program, security: str, *, keep: bool) -> str:
    """Commit to the weights; the root as text."""
    from veridical import zk

    program.weight_cache = zk.RootCache.default() if keep else None
    with Stages(zk.STAGES[:1]) as stages:
        stages(zk.STAGES[0])
        return zk.commit(program, profile=security).root_hex


def _sizes(settings: list[str]) -> dict[str, int]:
    sizes = {}
    for setting in settings:
        name, _, size = setting.rpartition("=")
        if not name or not size.isdecimal() or int(size) < 1:
            raise InputError(f"--dim {setting!r}", advice="Write --dim NAME=SIZE, SIZE from 1 on.")
        sizes[name] = int(size)
    return sizes


def _ranges(settings: list[str]) -> dict[str, tuple[float, float]]:
    ranges = {}
    for setting in settings:
        name, _, ends = setting.rpartition("=")
        try:
            low, high = (float(end) for end in ends.split(":"))
        except ValueError:
            low, high = 1.0, 0.0
        if not name or not low < high:
            raise InputError(
                f"--input-range {setting!r}", advice="Write --input-range NAME=LOW:HIGH."
            )
        ranges[name] = (low, high)
    return ranges
