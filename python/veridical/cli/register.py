"""`veridical register`: prove that hidden weights keep what their program declares."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

import veridical
from veridical import zk
from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode
from veridical.cli.progress import Stages
from veridical.cli.targets import require_distinct
from veridical.errors import InputError

__all__ = ["register"]


def register(
    program: Path,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    key: Path | None = None,
    security: Literal["standard", "strong"] = "standard",
    threads: int = 0,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Prove, once, that the weights keep every range that the program declares.

    Whoever then verifies succinct proofs with the verification key and this file takes the ranges
    of nobody's word; that the weights are those of the model is still that of whoever names them.

    Parameters
    ----------
    program
        The program file.
    output
        Where the registration is written; beside the program as .vreg if it is not given.
    key
        Where to write the verification key too.
    security
        standard: at least 100 bits of soundness; strong: 128. It serves proofs of the same.
    threads
        Threads to use; 0 takes all cores.
    json
        Print data only.
    """
    if threads < 0:
        raise InputError(f"--threads {threads}", advice="Give 1 or more, or 0 for all cores.")
    target = program.with_suffix(".vreg") if output is None else output
    require_distinct(program, target, key)
    loaded = veridical.load(program)
    with Stages(zk.REGISTRATION_STAGES) as stages:
        registration = zk.register(loaded, profile=security, threads=threads, progress=stages)
    registration.save(target)
    if key is not None:
        loaded.save(key, vkey=True)
    value: dict[str, object] = {
        "key": None if key is None else str(key),
        "model": loaded.digest_hex,
        "registration": str(target),
        "registration_bytes": len(registration.to_bytes()),
        "soundness_bits": registration.soundness_bits,
        "weight_root": registration.weight_root.hex(),
    }
    if json:
        emit_json(value)
        return ExitCode.ACCEPTED
    emit(f"registration  {target}, {value['registration_bytes']} bytes")
    emit(f"soundness     {registration.soundness_bits} bits")
    emit(f"model         {loaded.digest_hex}")
    emit(f"weights       {registration.weight_root.hex()}")
    if key is not None:
        emit(f"key           {key}")
    return ExitCode.ACCEPTED
