"""What an answer has to pass before anybody sees it.

Spec: spec/v1/serve.md, section 8.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.errors import StatementMismatchError
from veridical.verifier import Verified, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.policy.facts import Policy
    from veridical.receipt.program import Program

__all__ = ["Answer", "Trust"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Outputs that were verified, what was shown of them, and the receipt to keep."""

    outputs: Mapping[str, NDArray[Any]]
    verified: Verified
    receipt: bytes = field(repr=False)

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return an output."""
        return self.outputs[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The caller's policy, and the programs against which answers are checked."""

    policy: Policy
    #: By the name under which the gateway serves them.
    programs: Mapping[str, Program]
    clock: Callable[[], float] = time.time

    def check(
        self,
        receipt: bytes,
        *,
        model: str,
        question: Mapping[str, NDArray[Any]],
        outputs: Mapping[str, NDArray[Any]],
        nonce: str,
    ) -> Answer:
        """Return the answer if its receipt is acceptable, and about this very question.

        Raises:
            VerificationError, UndecidedError: it is not.
        """
        verified = verify(
            receipt,
            self.policy,
            now=self.clock(),
            input=question,
            output=outputs,
            program=self.programs.get(model),
        )
        if verified.statement.request_id != nonce:
            raise StatementMismatchError(
                f"the receipt answers request {verified.statement.request_id!r:.80}, not {nonce!r}",
                where="statement.request_id",
                check="nonce",
            )
        return Answer(outputs=dict(outputs), verified=verified, receipt=receipt)


def frozen(question: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return a copy of a question: what is sent is what is verified."""
    return {name: np.array(array, copy=True, order="C") for name, array in question.items()}


def new_nonce() -> str:
    """Return a request id that no receipt has yet."""
    return secrets.token_hex(16)
