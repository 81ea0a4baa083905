"""`veridical run`: answer a question, and give a receipt for the answer."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from cyclopts import Parameter

import veridical
from veridical import keys, zk
from veridical.cli.console import emit, emit_json, terminal
from veridical.cli.exit_codes import ExitCode
from veridical.cli.progress import Stages, print_spans
from veridical.cli.prove import require_memory, save_trace
from veridical.cli.samples import load_samples, named, save_arrays
from veridical.cli.sampling import draw_from
from veridical.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["run"]

_SHOWN_VALUES = 10
_LINE = 1000


def run(  # noqa: PLR0913 - the options of one command
    program: Path,
    *,
    input: Path,  # noqa: A002 - the name of the option
    output: Path | None = None,
    receipt: Path | None = None,
    key: Path = Path("veridical.key"),
    nonce: str | None = None,
    private: Annotated[bool, Parameter(negative="")] = False,
    sample: str | None = None,
    seed_key: Path | None = None,
    temperature: str = "1",
    tier: Literal["reexecution", "zk"] = "reexecution",
    threads: int = 0,
    profile: Annotated[bool, Parameter(negative="")] = False,
    profile_output: Path | None = None,
    cache: bool = True,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> ExitCode:
    """Run a program on an input; with --receipt, sign what was done.

    Parameters
    ----------
    program
        The program file.
    input
        The question: .npz by input name, or .npy or .csv for one input; the first axis counts.
    output
        Write the answer here, arrays by output name (.npz).
    receipt
        Write a receipt here.
    key
        The signing key; made, with its public half beside it, if there is none.
    nonce
        The request id that the client chose; drawn at random where it is not given.
    private
        Salt the commitments: the receipt reveals nothing about question and answer by itself.
    sample
        Draw from this output, whose last axis are logits; the answer has the indices.
    seed_key
        The key that the seed follows from, together with model, input, parameters and nonce. It
        signs nothing else.
    temperature
        Of the draw, a reduced fraction such as 7/10.
    tier
        What the receipt carries: nothing but the signature, for those who can run the program
        again; or a succinct proof. Any receipt can be upgraded later with `prove`.
    threads
        Threads to use; 0 takes all cores.
    profile
        Say where the time of the proof went.
    profile_output
        Write every span into this file, in the format of trace viewers (Chrome's, Perfetto).
    cache
        Keep the root of the weights for `verify`, in a folder of this user.
    json
        Print the answer as data.
    """
    if threads < 0:
        raise InputError(f"--threads {threads}", advice="Give 1 or more, or 0 for all cores.")
    if nonce == "":
        raise InputError("--nonce is empty", advice="Give the request id that the client chose.")
    is_timed = profile or profile_output is not None
    if is_timed and (tier != "zk" or receipt is None):
        raise InputError("--profile is about a proof", advice="Pass --tier zk and --receipt FILE.")
    loaded = veridical.load(program)
    loaded.weight_cache = zk.RootCache.default() if cache else None
    question = named(load_samples(input), [entry.name for entry in loaded.inputs])
    timeline = zk.Timeline() if is_timed else None
    if receipt is not None and tier == "zk":
        require_memory(loaded, [question])
    nonce = secrets.token_hex(16) if nonce is None else nonce
    plain = veridical.run(loaded, question, threads=threads)
    result, options = draw_from(
        plain, key=seed_key, tensor=sample, temperature=temperature, nonce=nonce, private=private
    )
    outputs = result.outputs
    if output is not None:
        named_file = output if output.suffix == ".npz" else Path(f"{output}.npz")
        save_arrays(named_file, outputs)
    written = None
    if receipt is not None:
        signer = _signer(key)
        with Stages(zk.STAGES if tier == "zk" else ()) as stages:
            proof = zk.Zk(threads=threads, progress=stages, timeline=timeline)
            written = veridical.issue(
                result,
                signer=signer,
                nonce=nonce,
                private=private,
                **options,
                evidence=proof if tier == "zk" else None,
            )
        written.save(receipt)
    if timeline is not None and profile_output is not None:
        save_trace(timeline, profile_output)
    if json:
        value: dict[str, object] = {
            "model": loaded.digest_hex,
            "outputs": {name: array.tolist() for name, array in outputs.items()},
            "receipt_id": None if written is None else written.receipt_id,
            "saturated": plain.saturated,
        }
        if timeline is not None and profile:
            value["spans"] = timeline.to_value()
        emit_json(value)
        return ExitCode.ACCEPTED
    _print_answer(outputs, plain.saturated)
    if written is not None:
        emit(f"receipt   {receipt}  {written.receipt_id}")
    if timeline is not None and profile:
        print_spans(timeline.tree())
    return ExitCode.ACCEPTED


def _print_answer(outputs: Mapping[str, NDArray[Any]], saturated: int) -> None:
    for name, array in outputs.items():
        values = np.array2string(
            array.ravel()[:_SHOWN_VALUES], precision=5, separator=", ", max_line_width=_LINE
        )
        more = f" of {array.size}" if array.size > _SHOWN_VALUES else ""
        emit(f"{name} {array.shape}: {values}{more}")
    if saturated:
        emit(f"saturated {saturated} input elements lie outside the declared range")


def _signer(path: Path) -> keys.PrivateKey:
    """Load the key, or make one and say so."""
    if path.exists():
        return keys.PrivateKey.load(path)
    public = path.with_suffix(".pub")
    if public.exists():
        raise InputError(
            "the public key is there, the private one is not",
            where=str(public),
            advice=f"Pass its private half, or a path other than {path}; nothing was overwritten.",
        )
    private = keys.generate()
    private.save(path)
    private.public_key.save(public)
    console = terminal()
    if console is not None:
        console.print(f"made the signing key {path}; give {public} to those who verify")
    return private
