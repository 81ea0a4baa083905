"""Tier `reexecution`: run the program again and compare every integer.

Spec: spec/v1/receipt.md, section 7 and check 14.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from veridical.errors import Error, ReexecutionError, UndecidedError
from veridical.receipt.evidence import TRACE_ROOT_BYTES, TRACE_ROOT_TYPE
from veridical.verifier.opening import Opening
from veridical.verifier.report import Shown, Standing

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from veridical.keys import PublicKey
    from veridical.receipt.bundle import Receipt
    from veridical.receipt.envelope import Predicate
    from veridical.receipt.program import Encoded, Trace
    from veridical.verifier.given import Given

__all__ = ["ReexecutionVerifier"]

_PROPERTIES: Final[Mapping[str, Standing]] = MappingProxyType(
    {
        "model": Standing.REEXECUTED,
        "input": Standing.REVEALED,  # unless it is the caller's own, which check 12 says
        "output": Standing.REEXECUTED,
    }
)
_ASSUMPTIONS: Final = (
    "re-execution: every output integer was computed again by this verifier",
    "log: none; answers that the signer withheld cannot be seen",
    "time of issue: the signer's word",
)


@runtime_checkable
class TracingProgram(Protocol):
    """A program that can give the trace of a run, not only its outputs."""

    def trace(self, tensors: Mapping[str, NDArray[np.int32]], /) -> Trace:
        """Run and keep every integer."""


class ReexecutionVerifier:
    """Runs the stated program on the stated input, once for all envelopes of a receipt."""

    evidence_types: Mapping[str, int] = MappingProxyType({TRACE_ROOT_TYPE: 1})

    def __init__(self, receipt: Receipt, evidence: Mapping[str, bytes], given: Given) -> None:
        self._evidence = evidence
        self._opening = Opening(receipt, given, "running the program again", ReexecutionError)
        self._outcome: str | Error | None = None
        self._encoded: Encoded | None = None

    def verify(self, predicate: Predicate, signer: PublicKey) -> Shown:  # noqa: ARG002 - protocol
        """Return what was shown; see `TierVerifier`."""
        if self._outcome is None:
            try:
                self._outcome = self._run_again()
            except (ReexecutionError, UndecidedError) as error:
                self._outcome = error
        if isinstance(self._outcome, Error):
            raise self._outcome
        roots = (self._evidence[descriptor.digest] for descriptor in predicate.evidence)
        return Shown(
            detail=self._outcome + "".join(self._compare_trace_root(root) for root in roots),
            properties=_PROPERTIES,
            assumptions=_ASSUMPTIONS,
            soundness_bits=math.inf,
        )

    def _run_again(self) -> str:
        encoded = self._opening.encoded_input()
        program = self._opening.program()
        outputs = self._opening.guarded(
            "executing the program", lambda: program.execute(encoded.tensors)
        )
        count = self._opening.require_outputs(outputs)
        self._encoded = encoded
        return f"the program was run again and gave the same {count} output integers"

    def _compare_trace_root(self, root: bytes) -> str:
        program = self._opening.program()
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
        trace = self._opening.guarded("tracing the program", lambda: program.trace(tensors))
        if trace.root != root:
            raise ReexecutionError("the trace root is another one", where="evidence", check="tier")
        return ", with the same trace root"
