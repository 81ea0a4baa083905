"""`veridical prove`: from a receipt to one with a succinct proof."""

from __future__ import annotations

import json as json_format
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import veridical
from veridical import zk
from veridical.cli.console import emit, emit_json
from veridical.cli.exit_codes import ExitCode
from veridical.cli.progress import Stages, print_spans
from veridical.cli.samples import load_samples, named
from veridical.cli.targets import require_distinct
from veridical.errors import InputError
from veridical.keys import PrivateKey
from veridical.receipt import Receipt
from veridical.zk.weights import DEFAULT_PROFILE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["prove", "require_memory", "save_trace"]


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
    profile_output: Path | None = None,
    cache: bool = True,
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
        Say where the time went.
    profile_output
        Write every span into this file, in the format of trace viewers (Chrome's, Perfetto).
    cache
        Keep the root of the weights for `verify`, in a folder of this user.
    json
        Print data only.
    """
    targets = receipt if output is None else output
    for name, files in (("--input", input), ("--output", targets)):
        if len(files) != len(receipt):
            raise InputError(f"{len(files)} of {name} for {len(receipt)} of --receipt")
    if threads < 0:
        raise InputError(f"--threads {threads}", advice="Give 1 or more, or 0 for all cores.")
    require_distinct(program, key, profile_output, *dict.fromkeys(input), *targets)
    signer = PrivateKey.load(key)
    loaded = veridical.load(program)
    loaded.weight_cache = zk.RootCache.default() if cache else None
    names = [entry.name for entry in loaded.inputs]
    receipts = [Receipt.load(path) for path in receipt]
    questions = [named(load_samples(path), names) for path in input]
    require_memory(loaded, questions, security)
    timeline = zk.Timeline() if profile or profile_output is not None else None
    with Stages(zk.STAGES) as stages:
        stages("inference")
        runs = [veridical.run(loaded, question, threads=threads) for question in questions]
        proof = zk.prove(
            [(run, old.statement) for run, old in zip(runs, receipts, strict=True)],
            profile=security,
            threads=threads,
            progress=stages,
            timeline=timeline,
        )
    evidence = zk.Zk(proof=proof)
    for old, run, target in zip(receipts, runs, targets, strict=True):
        veridical.upgrade(old, run, signer=signer, evidence=evidence).save(target)
    if timeline is not None and profile_output is not None:
        save_trace(timeline, profile_output)
    spans = timeline if profile else None
    if json:
        emit_json(_value(proof, targets, spans))
    else:
        _print(proof, targets, spans)
    return ExitCode.ACCEPTED


def save_trace(timeline: zk.Timeline, path: Path) -> None:
    """Write every span for a trace viewer.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        path.write_text(json_format.dumps(timeline.trace_events()), encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write the spans: {error.strerror}", where=str(path)) from error


def require_memory(
    program: veridical.Program,
    questions: Sequence[Mapping[str, NDArray[Any]]],
    profile: str = DEFAULT_PROFILE,
) -> None:
    """Refuse a proof for which there is not enough memory, before anything is run."""
    # A question without a first axis is refused when it is run.
    sizes = (
        next((array.shape[0] for array in question.values() if array.ndim), 1)
        for question in questions
    )
    zk.require_memory(program, batch=max(1, sum(sizes)), profile=profile)


def _value(
    proof: zk.ProofEvidence, targets: Sequence[Path], timeline: zk.Timeline | None
) -> dict[str, object]:
    value: dict[str, object] = {
        "proof_bytes": len(proof.proof),
        "receipts": [str(target) for target in targets],
        "soundness_bits": proof.soundness_bits,
        "weight_root": proof.weight_root.hex(),
    }
    if timeline is not None:
        value["spans"] = timeline.to_value()
    return value


def _print(proof: zk.ProofEvidence, targets: Sequence[Path], timeline: zk.Timeline | None) -> None:
    emit(f"proof     {len(proof.proof)} bytes, {proof.soundness_bits} bits of soundness")
    emit(f"weights   {proof.weight_root.hex()}")
    for target in targets:
        emit(f"receipt   {target}")
    if timeline is not None:
        print_spans(timeline.tree())
