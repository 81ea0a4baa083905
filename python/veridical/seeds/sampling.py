"""From logits and a seed to an index: exact, in integers.

Spec: spec/v1/seeds.md, section 6.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from veridical import _core
from veridical.errors import InputError, SeedError, UndecidedError
from veridical.receipt.statement import Parameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from veridical.receipt.program import Encoded, Program, Run, Tensors, Trace

__all__ = ["SampledRun", "Sampler", "noise"]

GUMBEL_MAX: Final = "gumbel-max/v1"
TEMPERATURE_LIMIT: Final = 65536
_WHERE: Final = "statement.parameters.decode"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampler:
    """Which output is sampled, and at which temperature, a reduced fraction."""

    tensor: str
    numerator: int = 1
    denominator: int = 1

    def __post_init__(self) -> None:
        """Refuse a second form of the same sampler, and what is out of range."""
        both = (self.numerator, self.denominator)
        if not all(1 <= number <= TEMPERATURE_LIMIT for number in both):
            raise InputError(f"a temperature is a fraction of 1 to {TEMPERATURE_LIMIT}, not {both}")
        if math.gcd(*both) != 1:
            raise InputError(f"the temperature {both[0]}/{both[1]} is not reduced")

    @classmethod
    def of(cls, parameters: Parameters) -> Self | None:
        """Return the sampler that a statement's parameters name, or None if they name none.

        Raises:
            SeedError: decode parameters that are no sampler of this version.
        """
        decode = dict(parameters.decode)
        if not decode:
            return None
        numerator, denominator = (decode.get(f"temperature_{part}") for part in _PARTS)
        tensor = decode.get("tensor")
        try:
            if isinstance(numerator, int) and isinstance(denominator, int):
                sampler = cls(tensor=str(tensor), numerator=numerator, denominator=denominator)
                if decode == dict(sampler.to_parameters().decode):
                    return sampler
        except InputError as error:
            raise SeedError(error.message, where=_WHERE, check="seed.format") from error
        raise SeedError("no sampler of this version", where=_WHERE, check="seed.format")

    def to_parameters(self) -> Parameters:
        """Return the parameters that state this sampler."""
        return Parameters(
            decode=(
                ("sampler", GUMBEL_MAX),
                ("temperature_denominator", self.denominator),
                ("temperature_numerator", self.numerator),
                ("tensor", self.tensor),
            )
        )

    def apply(
        self, program: Program, integer_outputs: Mapping[str, NDArray[np.int32]], seed: bytes
    ) -> dict[str, NDArray[Any]]:
        """Return the outputs with the sampled tensor as indices.

        Raises:
            InputError: the program has no such output, or its scale cannot be sampled.
            UndecidedError: the engine does not tell the scale of its outputs.
        """
        outputs = dict(program.decode(integer_outputs))
        mul, shift = self._scale(program)
        logits = integer_outputs[self.tensor]
        if logits.ndim < 2:  # noqa: PLR2004 - the batch and one axis
            raise InputError(f"output {self.tensor!r} has no axis to choose from")
        outputs[self.tensor] = sample(
            seed, logits, mul=mul, shift=shift, temperature=(self.numerator, self.denominator)
        )
        return outputs

    def _scale(self, program: Program) -> tuple[int, int]:
        specs = getattr(program, "outputs", None)
        if specs is None:
            raise UndecidedError(
                "this engine does not tell the scale of its outputs",
                check="tier",
                advice="Verify with the engine of `veridical.load`.",
            )
        for spec in specs:
            if spec.name == self.tensor:
                return int(spec.mul), int(spec.shift)
        raise InputError(f"the program has no output {self.tensor!r}", where=_WHERE)


_PARTS: Final = ("numerator", "denominator")


def sample(
    seed: bytes,
    logits: NDArray[np.int32],
    *,
    mul: int,
    shift: int,
    temperature: tuple[int, int],
) -> NDArray[np.int64]:
    """Return the index that each row of logits gives.

    Raises:
        InputError: a scale or temperature out of range; no logits.
    """
    rows = np.ascontiguousarray(logits).reshape(-1, logits.shape[-1])
    try:
        chosen = _core.gumbel_sample(seed, rows, mul=mul, shift=shift, temperature=temperature)
    except (SeedError, OverflowError) as error:
        raise InputError(f"the output cannot be sampled: {error}") from error
    return chosen.reshape(logits.shape[:-1])


def noise(seed: bytes, row: int, count: int) -> NDArray[np.int32]:
    """Return the noise of one row, in units of 2^-24; a public input of every verifier."""
    return _core.gumbel_noise(seed, row, count)


@dataclass(frozen=True)  # no slots: it stands for a run
class SampledRun:
    """A run whose outputs hold indices in place of the sampled logits."""

    run: Run
    sampler: Sampler
    seed: bytes

    @property
    def program(self) -> Program:
        """The program that ran."""
        return self.run.program

    @property
    def inputs(self) -> Tensors:
        """The inputs as they were received."""
        return self.run.inputs

    @property
    def encoded(self) -> Encoded:
        """What the program made of them."""
        return self.run.encoded

    @property
    def integer_outputs(self) -> Mapping[str, NDArray[np.int32]]:
        """What the program gave: the logits."""
        return self.run.integer_outputs

    @property
    def outputs(self) -> Tensors:
        """What the client gets: indices, and real values of other outputs."""
        return self.sampler.apply(self.run.program, self.run.integer_outputs, self.seed)

    @property
    def trace(self) -> Trace:
        """The trace of the program."""
        return self.run.trace
