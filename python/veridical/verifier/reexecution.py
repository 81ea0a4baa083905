"""Tier `reexecution`: run the program again and compare every integer.

Spec: spec/v1/receipt.md, section 7 and check 14.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import (
    Error,
    InternalError,
    ProgramMissingError,
    ReexecutionError,
    RevealMissingError,
    UndecidedError,
)
from veridical.receipt.bundle import Receipt, Reveal
from veridical.receipt.evidence import TRACE_ROOT_BYTES, TRACE_ROOT_TYPE
from veridical.verifier.report import Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from veridical.receipt.envelope import Predicate
    from veridical.receipt.program import Encoded, Program, Tensors, Trace
    from veridical.verifier.given import Given

__all__ = ["ReexecutionVerifier"]

T = TypeVar("T")


@runtime_checkable
class TracingProgram(Protocol):
    """A program that can give the trace of a run, not only its outputs."""

    def trace(self, tensors: Mapping[str, NDArray[np.int32]], /) -> Trace:
        """Run and keep every integer."""


class ReexecutionVerifier:
    """Runs the stated program on the stated input, once for all envelopes of a receipt."""

    evidence_types: Mapping[str, int] = MappingProxyType({TRACE_ROOT_TYPE: 1})
    establishes: Mapping[str, Standing] = MappingProxyType(
        {
            "model": Standing.REEXECUTED,
            "input": Standing.REVEALED,  # unless it is the caller's own, which check 12 says
            "output": Standing.REEXECUTED,
        }
    )
    assumptions: tuple[str, ...] = (
        "re-execution: every output integer was computed again by this verifier",
        "log: none; answers that the signer withheld cannot be seen",
        "time of issue: the signer's word",
    )

    def __init__(self, receipt: Receipt, evidence: Mapping[str, bytes], given: Given) -> None:
        self._receipt = receipt
        self._evidence = evidence
        self._statement = receipt.statement
        self._given = given
        self._outcome: str | Error | None = None
        self._encoded: Encoded | None = None

    def verify(self, predicate: Predicate) -> str:
        """Return what was shown; see `TierVerifier`."""
        if self._outcome is None:
            try:
                self._outcome = self._run_again()
            except (ReexecutionError, UndecidedError) as error:
                self._outcome = error
        if isinstance(self._outcome, Error):
            raise self._outcome
        return self._outcome + "".join(
            self._compare_trace_root(self._evidence[descriptor.digest])
            for descriptor in predicate.evidence
        )

    def _run_again(self) -> str:
        program = self._program()
        if not self._statement.parameters.is_empty:
            raise UndecidedError(
                "a template, tokenizer or decode parameters stand between input and output, and "
                "this version cannot apply them",
                where="statement.parameters",
                check="tier",
            )
        inputs = self._inputs()
        self._require_opens("input.received", inputs)
        self._require_opens("input.forwarded", inputs)
        encoded = _guarded("encoding the input", lambda: program.encode(inputs))
        if encoded.saturated != self._statement.input.saturated:
            raise ReexecutionError(
                f"{encoded.saturated} elements saturate, the statement says "
                f"{self._statement.input.saturated}",
                where="input.saturated",
                check="tier",
            )
        self._require_opens("input.integers", encoded.tensors)
        outputs = _guarded("executing the program", lambda: program.execute(encoded.tensors))
        self._require_opens("output.integers", outputs)
        count = sum(array.size for array in outputs.values())
        if count != self._statement.output.count:
            raise ReexecutionError(
                f"{count} output elements, the statement says {self._statement.output.count}",
                where="output.count",
                check="tier",
            )
        decoded = _guarded("decoding the output", lambda: program.decode(outputs))
        self._require_opens("output.decoded", decoded)
        self._encoded = encoded
        return f"the program was run again and gave the same {count} output integers"

    def _program(self) -> Program:
        if self._given.program is None:
            raise ProgramMissingError(
                f"re-execution needs program {self._statement.model.digest}", check="tier"
            )
        if "sha256:" + self._given.program.digest.hex() != self._statement.model.digest:
            raise ReexecutionError("the program is another one", where="model.digest", check="tier")
        return self._given.program

    def _inputs(self) -> Tensors:
        if self._given.input is not None:
            return self._given.input
        content = self._receipt.reveals.get("input.received", Reveal()).content
        if not content:
            raise RevealMissingError(
                "re-execution needs the input: the receipt does not reveal it and none was given",
                where="input.received",
                check="tier",
            )
        return _guarded("reading the revealed input", lambda: tensors_from_bytes(content))

    def _require_opens(self, field: str, tensors: Mapping[str, NDArray[Any]]) -> None:
        commitment = self._statement.commitments()[field]
        salt = self._receipt.reveals.get(field, Reveal()).salt
        if commitment.is_salted and not salt:
            raise RevealMissingError(
                "the commitment is salted and its salt was not revealed", where=field, check="tier"
            )
        content = _guarded(f"encoding {field}", lambda: tensors_to_bytes(tensors))
        if not commitment.opens_to(field, content, salt=salt or None):
            raise ReexecutionError(
                "running the program again gives another value", where=field, check="tier"
            )

    def _compare_trace_root(self, root: bytes) -> str:
        program = self._program()
        if len(root) != TRACE_ROOT_BYTES:
            raise ReexecutionError(
                f"a trace root has {TRACE_ROOT_BYTES} bytes, not {len(root)}", check="tier"
            )
        if not isinstance(program, TracingProgram) or self._encoded is None:
            raise UndecidedError(
                "this engine gives no trace to compare the trace root with",
                check="tier",
                advice="Verify with the engine of `veridical.load`.",
            )
        tensors = self._encoded.tensors
        trace = _guarded("tracing the program", lambda: program.trace(tensors))
        if trace.root != root:
            raise ReexecutionError("the trace root is another one", where="evidence", check="tier")
        return ", with the same trace root"


def _guarded(action: str, function: Callable[[], T]) -> T:
    """Run one step on values that the receipt brought; its failure is a rejection."""
    try:
        return function()
    except (UndecidedError, InternalError):  # a key that cannot be run; a defect: no verdicts
        raise
    except Error as error:
        raise ReexecutionError(f"{action} failed: {error}", check="tier") from error
