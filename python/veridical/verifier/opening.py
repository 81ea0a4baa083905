"""From a statement's commitments to the integers that a tier speaks of, and back.

Spec: spec/v1/receipt.md, check 14. What tiers share: the program, the input that the caller or the
receipt gives, and the comparison of every value with its commitment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import (
    Error,
    EvidenceError,
    InternalError,
    ProgramMissingError,
    RevealMissingError,
    UndecidedError,
)
from veridical.receipt.bundle import Receipt, Reveal
from veridical.seeds import Sampler, drawn_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from veridical.receipt.program import Encoded, Program, Tensors
    from veridical.verifier.given import Given

__all__ = ["Opening"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opening:
    """One receipt with what the caller gave; failures are raised as the tier's own error."""

    receipt: Receipt
    given: Given
    #: What the tier does, for messages: "re-execution".
    action: str
    error: type[EvidenceError]

    def program(self) -> Program:
        """Return the caller's program, which is the stated one."""
        model = self.receipt.statement.model.digest
        if self.given.program is None:
            raise ProgramMissingError(f"{self.action} needs program {model}", check="tier")
        if "sha256:" + self.given.program.digest.hex() != model:
            raise self.error("the program is another one", where="model.digest", check="tier")
        return self.given.program

    def encoded_input(self) -> Encoded:
        """Return the integers of the input, checked against every commitment to it."""
        statement = self.receipt.statement
        program = self.program()
        if statement.parameters.template or statement.parameters.tokenizer:
            raise UndecidedError(
                "a template or tokenizer stands between input and output, and this version cannot "
                "apply them",
                where="statement.parameters",
                check="tier",
            )
        inputs = self._input()
        self.require_opens("input.received", inputs)
        self.require_opens("input.forwarded", inputs)
        encoded = self.guarded("encoding the input", lambda: program.encode(inputs))
        if encoded.saturated != statement.input.saturated:
            raise self.error(
                f"{encoded.saturated} elements saturate, the statement says "
                f"{statement.input.saturated}",
                where="input.saturated",
                check="tier",
            )
        self.require_opens("input.integers", encoded.tensors)
        return encoded

    def require_outputs(self, outputs: Mapping[str, NDArray[np.int32]]) -> int:
        """Compare integer outputs with every commitment to them; return how many there are."""
        statement = self.receipt.statement
        program = self.program()
        self.require_opens("output.integers", outputs)
        count = sum(array.size for array in outputs.values())
        if count != statement.output.count:
            raise self.error(
                f"{count} output elements, the statement says {statement.output.count}",
                where="output.count",
                check="tier",
            )
        decoded = self.guarded("decoding the output", lambda: self._decoded(program, outputs))
        self.require_opens("output.decoded", decoded)
        return count

    def require_opens(self, field: str, tensors: Mapping[str, NDArray[Any]]) -> None:
        """Raise unless the tensors open the commitment of a field."""
        commitment = self.receipt.statement.commitments()[field]
        salt = self.receipt.reveals.get(field, Reveal()).salt
        if commitment.is_salted and not salt:
            raise RevealMissingError(
                "the commitment is salted and its salt was not revealed", where=field, check="tier"
            )
        content = self.guarded(f"encoding {field}", lambda: tensors_to_bytes(tensors))
        if not commitment.opens_to(field, content, salt=salt or None):
            raise self.error(f"{self.action} gives another value", where=field, check="tier")

    def guarded(self, action: str, function: Callable[[], T]) -> T:
        """Run one step on values that the receipt brought; its failure is a rejection."""
        try:
            return function()
        except (UndecidedError, InternalError, EvidenceError):  # verdicts, or a defect: none
            raise
        except Error as error:
            raise self.error(f"{action} failed: {error}", check="tier") from error

    def _decoded(self, program: Program, outputs: Mapping[str, NDArray[np.int32]]) -> Tensors:
        """Return the answer: real values, or what the seed draws from them."""
        sampler = Sampler.of(self.receipt.statement.parameters)
        drawn = drawn_of(self.receipt.statement, self.given.beacons)
        if sampler is None or drawn is None:
            return program.decode(outputs)
        return sampler.apply(program, outputs, drawn.value)

    def _input(self) -> Tensors:
        if self.given.input is not None:
            return self.given.input
        content = self.receipt.reveals.get("input.received", Reveal()).content
        if not content:
            raise RevealMissingError(
                f"{self.action} needs the input: the receipt does not reveal it and none was given",
                where="input.received",
                check="tier",
            )
        return self.guarded("reading the revealed input", lambda: tensors_from_bytes(content))
