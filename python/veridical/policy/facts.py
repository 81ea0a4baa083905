"""What a rule may look at, and what it may answer.

Spec: spec/v1/policy.md, sections 2 and 3. Results form a chain, rejected < undecided < accepted,
and a rule is a function of one envelope and the statement. So whoever drops an envelope can only
lower a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Protocol

from veridical.errors import LogError, RevealMissingError, UndecidedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from veridical.errors import VerificationError
    from veridical.keys import PublicKey
    from veridical.receipt.statement import Statement
    from veridical.seeds import Drawn
    from veridical.tee.attested import Attested
    from veridical.tlog import Logged, LogTrust

__all__ = ["EnvelopeFacts", "Facts", "Policy", "Result", "RuleResult"]


class Result(IntEnum):
    """A verdict, or one step towards it. The order carries the meaning: `min` is *and*."""

    REJECTED = 0
    UNDECIDED = 1
    ACCEPTED = 2


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a rule answers, and why."""

    result: Result
    rule: str
    detail: str
    #: Which error an undecided result is raised as.
    undecided_error: type[UndecidedError] = RevealMissingError
    #: What a rejected result is raised as, where there is something more exact than `PolicyError`.
    rejected_error: VerificationError | None = None
    #: What an accepted result rests on: a binding in a log, and what was not compared.
    logged: tuple[Logged, ...] = ()
    assumptions: tuple[str, ...] = ()
    #: Whether an accepted result rests on a judgement of what hardware says.
    judged_hardware: bool = False

    @classmethod
    def of(cls, rule: str, detail: str, *, holds: bool) -> RuleResult:
        """Return accepted or rejected."""
        return cls(Result.ACCEPTED if holds else Result.REJECTED, rule, detail)


def _nothing_logged(_trust: LogTrust) -> VerificationError:
    return LogError("no log proof was given", check="log")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvelopeFacts:
    """What was verified about one envelope."""

    signer: PublicKey
    tier: str
    issued_at: int
    #: Bits of soundness that the evidence was checked to have: infinite if everything was computed
    #: again, None if the evidence did not hold or could not be checked.
    soundness_bits: float | None
    #: Tier `tee`: quotes that are genuine and about this statement; a rule judges what they say.
    attested: Attested | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was verified, for one envelope, when a policy is asked."""

    statement: Statement
    #: Absent only for a policy that needs no signature.
    envelope: EnvelopeFacts | None
    #: Results of checks 12 and 13; undecided when the caller gave nothing to compare with.
    input_match: Result
    output_match: Result
    now: int
    #: Makes check 16 for the logs and cosigners that a rule names.
    logged: Callable[[LogTrust], tuple[Logged, ...] | VerificationError] = _nothing_logged
    #: What check 17 showed: the seed, None if the statement has none, or why it is none.
    seed: Drawn | VerificationError | None = None


class Policy(Protocol):
    """A predicate over verified facts."""

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Judge one envelope."""

    def signers(self) -> Iterable[PublicKey]:
        """Yield the keys whose signatures count."""

    @property
    def needs_signature(self) -> bool:
        """Whether an envelope with a verified signature is needed. True for all but one rule."""
