"""Draws from logits for `veridical run`: a seed that follows from the question."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from veridical import seeds
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    import veridical

__all__ = ["draw_from"]

_TEMPERATURE: Final = re.compile(r"([1-9][0-9]{0,5})(?:/([1-9][0-9]{0,5}))?")


def draw_from(
    run: veridical.Run,
    *,
    key: Path | None,
    tensor: str | None,
    temperature: str,
    nonce: str,
    private: bool,
) -> tuple[veridical.Run | seeds.SampledRun, dict[str, Any]]:
    """Return the run as it is answered, drawn if that is asked for, and what `issue` says of it.

    Raises:
        InputError: only one of key and tensor, a salt of our own, or no temperature.
    """
    if key is None and tensor is None:
        return run, {}
    if private:
        raise InputError("--sample with --private", advice="Salts that count are the client's own.")
    if key is None or tensor is None:
        raise InputError("--sample and --seed-key belong together")
    match = _TEMPERATURE.fullmatch(temperature)
    if match is None:
        raise InputError(f"--temperature {temperature!r}", advice="Give a fraction, such as 7/10.")
    sampler = seeds.Sampler(
        tensor=tensor, numerator=int(match[1]), denominator=int(match[2] or "1")
    )
    question = seeds.Question(
        model="sha256:" + run.program.digest.hex(),
        input=Commitment.commit("input.received", tensors_to_bytes(run.inputs)),
        parameters=sampler.to_parameters(),
        request_id=nonce,
    )
    seed = seeds.draw(seeds.SeedKey.load(key), question)
    options = {"parameters": question.parameters, "seed": seed.stated}
    return seeds.SampledRun(run, sampler, seed.value), options
