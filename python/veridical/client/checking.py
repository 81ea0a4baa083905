"""What an answer has to pass before anybody sees it.

Spec: spec/v1/serve.md, section 8.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from veridical.commitment import SALT_BYTES, Commitment, tensors_to_bytes
from veridical.errors import InputError, StatementMismatchError
from veridical.policy import AllOf, RequireTier
from veridical.policy.rules import MAX_NONCE_LENGTH
from veridical.verifier import Verified, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.policy.facts import Policy
    from veridical.receipt.program import Program
    from veridical.tee.context import TeeContext

__all__ = ["Answer", "Question", "Trust"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was sent, as its answer is compared with it."""

    model: str
    inputs: Mapping[str, NDArray[Any]] = field(repr=False)
    nonce: str
    salt: bytes | None = field(default=None, repr=False)
    #: Seconds since 1970, before the question left.
    asked_at: int = 0

    @property
    def commitment(self) -> Commitment:
        """What `input.received` of the answer's statement is, if the salt that was sent is used."""
        content = tensors_to_bytes(self.inputs)
        return Commitment.commit("input.received", content, salt=self.salt)

    @classmethod
    def ask(
        cls,
        model: str,
        inputs: Mapping[str, NDArray[Any]],
        *,
        salt: bytes | None = None,
        nonce: str | None = None,
    ) -> Question:
        """Return a question of its own: a copy of the inputs, and a nonce that no receipt has yet.

        Raises:
            InputError: the salt or the nonce is none.
        """
        if nonce is not None and not 1 <= len(nonce) <= MAX_NONCE_LENGTH:
            raise InputError(f"a nonce has 1 to {MAX_NONCE_LENGTH} characters")
        if salt is not None and len(salt) != SALT_BYTES:
            raise InputError(f"a salt has {SALT_BYTES} bytes, not {len(salt)}")
        return cls(
            model=model,
            inputs={name: np.array(array, copy=True, order="C") for name, array in inputs.items()},
            nonce=secrets.token_hex(16) if nonce is None else nonce,
            salt=salt,
            asked_at=int(time.time()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Outputs that were verified, what was shown of them, and the receipt to keep."""

    outputs: Mapping[str, NDArray[Any]]
    verified: Verified
    receipt: bytes = field(repr=False)
    question: Question

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return an output."""
        return self.outputs[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The caller's policy, and the programs against which answers are checked."""

    #: What is asked of receipts; of each one by itself, where its question decides: a policy with
    #: `RequireSeed` names the nonce and the caller's own commitment.
    policy: Policy | Callable[[Question], Policy]
    #: By the name under which the gateway serves them; a verification key will do for proofs.
    programs: Mapping[str, Program]
    clock: Callable[[], float] = time.time
    #: A trusted time and collateral, without which no quote of hardware is accepted.
    tee: TeeContext | None = None

    def _policy_for(self, question: Question) -> Policy:
        if hasattr(self.policy, "evaluate"):
            return cast("Policy", self.policy)
        return self.policy(question)

    def check(
        self,
        receipt: bytes,
        *,
        question: Question,
        outputs: Mapping[str, NDArray[Any]],
        tier: str | None = None,
    ) -> Answer:
        """Return the answer if its receipt is acceptable, and about this very question.

        `tier` has to be shown besides what the policy asks for.

        Raises:
            VerificationError, UndecidedError: it is not.
        """
        policy = self._policy_for(question)
        verified = verify(
            receipt,
            policy if tier is None else AllOf(policy, RequireTier(tier)),
            now=self.clock(),
            input=question.inputs,
            output=outputs,
            program=self.programs.get(question.model),
            tee=self.tee,
        )
        statement = verified.statement
        if statement.request_id != question.nonce:
            raise StatementMismatchError(
                f"the receipt answers {statement.request_id!r:.80}, not {question.nonce!r:.80}",
                where="statement.request_id",
                check="nonce",
            )
        # A salt of the gateway's own choice would let it say later that it was asked otherwise, and
        # a plain commitment would show the question to whoever can guess it.
        if question.salt is not None and statement.input.received != question.commitment:
            raise StatementMismatchError(
                "the commitment to the input is not made with the salt that was sent",
                where="statement.input.received",
                check="salt",
            )
        return Answer(outputs=dict(outputs), verified=verified, receipt=receipt, question=question)
