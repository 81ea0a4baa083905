"""`veridical prove`: from a receipt to one with a succinct proof."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self

from cyclopts import Parameter

import veridical
from veridical import zk
from veridical.cli.console import emit, emit_json, terminal
from veridical.cli.exit_codes import ExitCode
from veridical.cli.samples import load_samples, named
from veridical.errors import InputError
from veridical.keys import PrivateKey
from veridical.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.status import Status

__all__ = ["Stages", "prove"]

_MILLI = 1000


class Stages:
    """Follows a proof stage by stage: on a terminal as it goes, and afterwards as a profile."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._entered: list[tuple[str, float]] = []
        self._status: Status | None = None

    def __enter__(self) -> Self:
        """Show the first stage."""
        console = terminal()
        if console is not None:
            self._status = console.status("weights")
            self._status.start()
        self("weights")
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        self("")
        if self._status is not None:
            self._status.stop()

    def __call__(self, stage: str) -> None:
        """Enter a stage."""
        self._entered.append((stage, time.perf_counter()))
        if self._status is not None:
            self._status.update(stage)

    def milliseconds(self) -> dict[str, float]:
        """Return how long each stage took."""
        spent: dict[str, float] = {}
        for (stage, begin), (_, end) in zip(self._entered, self._entered[1:], strict=False):
            spent[stage] = spent.get(stage, 0.0) + (end - begin) * _MILLI
        return spent


def prove(  # noqa: PLR0913 - the options of one command
    program: Path,
    *,
    receipt: Annotated[list[Path], Parameter(negative="")],
    input: Annotated[list[Path], Parameter(negative="")],  # noqa: A002 - the name of the option
    key: Path = Path("veridical.key"),
    output: Annotated[list[Path] | None, Parameter(name=["--output", "-o"], negative="")] = None,
    security: Literal["standard", "strong"] = "standard",
    threads: int = 0,
    profile: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Prove what receipts state, and add the proof to them; their ids stay the same.

    Several receipts of one program are proven together, which costs less than one by one; each
    then carries the integers of all.

    Parameters
    ----------
    program
        The program file.
    receipt
        A receipt to upgrade; may be repeated.
    input
        The question of each receipt, in the same order: .npz by input name, or .npy or .csv.
    key
        The signing key.
    output
        Where each upgraded receipt is written; in place of the old one if it is not given.
    security
        standard: at least 100 bits of soundness; strong: 128.
    threads
        Threads to use; 0 takes all cores.
    profile
        Say how long each stage took.
    json
        Print data only.
    """
    targets = receipt if output is None else output
    for name, files in (("--input", input), ("--output", targets)):
        if len(files) != len(receipt):
            raise InputError(f"{len(files)} of {name} for {len(receipt)} of --receipt")
    if threads < 0:
        raise InputError(f"--threads {threads}", advice="Give 1 or more, or 0 for all cores.")
    signer = PrivateKey.load(key)
    loaded = veridical.load(program)
    names = [entry.name for entry in loaded.inputs]
    receipts = [Receipt.load(path) for path in receipt]
    with Stages() as stages:
        zk.commit(loaded, profile=security, threads=threads)
        stages("inference")
        runs = [
            veridical.run(loaded, named(load_samples(path), names), threads=threads)
            for path in input
        ]
        proof = zk.prove(
            [(run, old.statement) for run, old in zip(runs, receipts, strict=True)],
            profile=security,
            threads=threads,
            progress=stages,
        )
    evidence = zk.Zk(proof=proof)
    for old, run, target in zip(receipts, runs, targets, strict=True):
        veridical.upgrade(old, run, signer=signer, evidence=evidence).save(target)
    _report(proof, targets, stages.milliseconds(), show_stages=profile, as_json=json)
    return ExitCode.ACCEPTED


def _report(
    proof: zk.ProofEvidence,
    targets: Sequence[Path],
    stages: dict[str, float],
    *,
    show_stages: bool,
    as_json: bool,
) -> None:
    if as_json:
        emit_json(
            {
                "proof_bytes": len(proof.proof),
                "receipts": [str(target) for target in targets],
                "soundness_bits": proof.soundness_bits,
                "stages_ms": stages,
                "weight_root": proof.weight_root.hex(),
            }
        )
        return
    emit(f"proof     {len(proof.proof)} bytes, {proof.soundness_bits} bits of soundness")
    emit(f"weights   {proof.weight_root.hex()}")
    for target in targets:
        emit(f"receipt   {target}")
    if show_stages:
        for stage, spent in stages.items():
            emit(f"  {stage:<24} {spent:10.2f} ms")
