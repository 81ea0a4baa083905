"""Rules about seeds, and about the parameters that a seed depends on.

Spec: spec/v1/policy.md, section 2; spec/v1/seeds.md, sections 4, 5 and 7.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from veridical.errors import PolicyFormatError, UnsupportedKeyError, VerificationError
from veridical.policy.facts import Facts, Result, RuleResult
from veridical.policy.rules import MAX_NONCE_LENGTH, RequireLogged, Rule, TrustedModels
from veridical.receipt.canonical import MAX_INTEGER
from veridical.receipt.statement import Parameters
from veridical.seeds.beacon import (
    CLOCK_SLACK_SECONDS,
    MARGIN_SECONDS,
    QUICKNET,
    Beacon,
    Round,
)
from veridical.seeds.keys import public_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.keys import PublicKey
    from veridical.receipt.statement import Statement
    from veridical.tlog import Logged

__all__ = ["ANY", "AnyPart", "ExpectDecode", "RequireSeed", "named_beacon"]

MODES: Final = ("vrf", "vrf+beacon")


def named_beacon(name: str) -> Beacon:
    """Return the pinned chain of this name.

    Raises:
        PolicyFormatError: there is none.
    """
    if name != QUICKNET.name:
        raise PolicyFormatError(f"unknown beacon {name[:64]!r}; expected {QUICKNET.name!r}")
    return QUICKNET


@dataclass(frozen=True, slots=True)
class ExpectDecode(Rule):
    """The decode parameters are exactly those that the client asked for."""

    decode: Mapping[str, str | int]

    def __post_init__(self) -> None:
        """Refuse what no statement could hold."""
        decode: object = self.decode
        if not isinstance(decode, dict) or not all(
            isinstance(key, str) and isinstance(value, str | int) and not isinstance(value, bool)
            for key, value in decode.items()
        ):
            raise PolicyFormatError("ExpectDecode needs a table of strings and integers")

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the parameters."""
        found = dict(facts.statement.parameters.decode)
        return RuleResult.of(
            "expect_decode",
            f"decode parameters {found!r:.200}, expected {dict(self.decode)!r:.200}",
            holds=found == self.decode,
        )


class AnyPart(Enum):
    """Says, instead of a value, that a part of the question is not compared."""

    ANY = "any"


ANY: Final = AnyPart.ANY


@dataclass(frozen=True, slots=True, init=False)
class RequireSeed(Rule):
    """The seed is the one output of a key that is named, for a question that is the client's.

    Nonce, parameters and models are compared, or `ANY` says that they are not: each part that is
    free is a draw for whoever fills it in. A salted commitment to the input counts only if it is
    the `input_commitment` of the caller: a salt of the provider's choice would be a seed of the
    provider's choice. With mode `vrf+beacon` the intent was cosigned before the beacon's round was
    known, too, and, with `asked_at`, was logged at most `within` seconds after the question.
    """

    mode: str
    keys: frozenset[bytes]
    nonce: str | AnyPart
    parameters: Parameters | AnyPart
    models: frozenset[str] | AnyPart
    beacon: Beacon
    logged: RequireLogged | None
    input_commitment: str | None
    asked_at: int | None
    within: int | None

    def __init__(  # noqa: PLR0913 - one argument for each part of a question
        self,
        mode: str,
        *keys: PublicKey,
        nonce: str | AnyPart,
        parameters: Parameters | AnyPart,
        models: Iterable[str | bytes] | AnyPart,
        beacon: Beacon = QUICKNET,
        logged: RequireLogged | None = None,
        input_commitment: str | None = None,
        asked_at: int | None = None,
        within: int | None = None,
    ) -> None:
        """Name the mode, the keys and the question; for `vrf+beacon` logs and cosigners besides."""
        if mode not in MODES:
            raise PolicyFormatError(f"mode {mode!r:.40} is none of {', '.join(MODES)}")
        if not keys:
            raise PolicyFormatError("RequireSeed needs at least one key")
        _require_log(mode, logged, asked_at, within)
        try:
            raw = frozenset(public_bytes(key) for key in keys)
        except UnsupportedKeyError as error:
            raise PolicyFormatError(f"RequireSeed: {error.message}") from error
        _require_parts(nonce, parameters)
        for name, value in (
            ("mode", mode),
            ("keys", raw),
            ("nonce", nonce),
            ("parameters", parameters),
            ("models", models if models is ANY else _digests(models)),
            ("beacon", beacon),
            ("logged", logged),
            ("input_commitment", input_commitment),
            ("asked_at", asked_at),
            ("within", within),
        ):
            object.__setattr__(self, name, value)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Take the result of check 17, and compare what only the policy knows."""
        seed = facts.seed
        if isinstance(seed, VerificationError):
            return _rejected(f"{seed.check}: {seed.message}", seed)
        stated = facts.statement.seed.mode
        if seed is None or stated != self.mode:
            return _rejected(f"mode {stated!r}, required: {self.mode!r}")
        if seed.key not in self.keys:
            return _rejected(f"the seed is of key {seed.key.hex()[:16]}, which is not named")
        differs = self._difference(facts.statement)
        if differs is not None:
            return _rejected(differs)
        if self.logged is None:
            return self._accepted(seed.detail)
        if seed.round is None or seed.beacon is None or seed.beacon.chain != self.beacon.chain:
            return _rejected(f"the round is not of beacon {self.beacon.name!r}")
        asked, shown = self.logged.evaluate(facts), facts.logged(self.logged.trust)
        if asked.result is not Result.ACCEPTED or isinstance(shown, VerificationError):
            return _rejected(asked.detail, asked.rejected_error)
        needed = self.logged.trust.min_cosigners
        results = [self._timed(one, seed.round, needed) for one in shown]
        return max(results, key=lambda one: one.result)

    def _difference(self, statement: Statement) -> str | None:
        """Return how the statement's question differs from the client's, or None."""
        if self.nonce not in (ANY, statement.request_id):
            return f"request id {statement.request_id!r:.90}, expected {self.nonce!r:.90}"
        if self.models is not ANY and statement.model.digest not in self.models:
            return f"model {statement.model.digest} is not named"
        stated, wanted = statement.parameters.to_value(), self.parameters
        if isinstance(wanted, Parameters) and wanted.to_value() != stated:
            return f"parameters {stated!r:.200}, expected {wanted.to_value()!r:.200}"
        received, own = statement.input.received, self.input_commitment
        if received.is_salted if own is None else str(received) != own:
            return "the commitment to the input is neither plain nor stated as one's own"
        return None

    def _timed(self, logged: Logged, one: Round, needed: int) -> RuleResult:
        """The round is the intent's, and cosigners had seen the intent before it was due."""
        if self.asked_at is not None and self.within is not None:
            earliest, latest = self.asked_at - CLOCK_SLACK_SECONDS, self.asked_at + self.within
            if not earliest <= logged.intent_time <= latest:
                return _rejected(
                    f"the intent is of {logged.intent_time}, the question of {self.asked_at}; "
                    f"at most {self.within} s may lie between them"
                )
        expected = self.beacon.first_after(logged.intent_time + MARGIN_SECONDS)
        if one.number != expected:
            return _rejected(f"round {one.number}, the intent's round is {expected}")
        due = self.beacon.due(expected)
        in_time = due - CLOCK_SLACK_SECONDS
        early = [seen for seen in logged.intent_seen if seen.timestamp <= in_time]
        if len(early) < needed:
            return _rejected(
                f"{len(early)} cosigners had seen the intent {CLOCK_SLACK_SECONDS} s before round "
                f"{expected} was due, required: {needed}"
            )
        detail = (
            f"round {expected} of {self.beacon.name}, and {len(early)} cosigners had seen the "
            "intent before it was due"
        )
        return self._accepted(detail, logged)

    def _accepted(self, detail: str, *logged: Logged) -> RuleResult:
        assumptions = [
            f"seed: the {part} was not compared; whoever chose it may have chosen the draw"
            for part, value in (
                ("nonce", self.nonce),
                ("model", self.models),
                ("set of parameters", self.parameters),
            )
            if value is ANY
        ]
        if logged and self.asked_at is None:
            assumptions.append(_UNTIMED)
        return RuleResult(
            Result.ACCEPTED,
            "require_seed",
            detail,
            logged=logged,
            assumptions=tuple(assumptions),
        )


_UNTIMED: Final = (
    "seed: nobody compared the time of asking with the intent's; each intent of the question in "
    "the log was one more draw"
)


def _require_log(
    mode: str, logged: RequireLogged | None, asked_at: int | None, within: int | None
) -> None:
    if (mode == "vrf+beacon") != (logged is not None):
        raise PolicyFormatError("RequireSeed takes a log for mode 'vrf+beacon' and no other")
    if logged is not None and logged.trust.min_cosigners < 1:
        raise PolicyFormatError(
            "RequireSeed needs a cosigner: nobody else says that the intent was there before "
            "the round"
        )
    if (asked_at is None) != (within is None) or (asked_at is not None and logged is None):
        raise PolicyFormatError(
            "RequireSeed takes `asked_at` and `within` together, for mode 'vrf+beacon'"
        )
    if any(value is not None and not 0 <= value <= MAX_INTEGER for value in (asked_at, within)):
        raise PolicyFormatError("`asked_at` and `within` are seconds, at least 0")


def _require_parts(nonce: object, parameters: object) -> None:
    """Refuse parts that no statement could have, which would look like a comparison."""
    if nonce is not ANY and not (isinstance(nonce, str) and len(nonce) <= MAX_NONCE_LENGTH):
        raise PolicyFormatError("the nonce is the one that was sent, '' if none was, or ANY")
    if parameters is not ANY and not isinstance(parameters, Parameters):
        raise PolicyFormatError("parameters are `Parameters`, or ANY")


def _digests(models: object) -> frozenset[str]:
    if isinstance(models, str | bytes) or not isinstance(models, Iterable):
        raise PolicyFormatError("models are digests, at least one, or ANY")
    return frozenset(TrustedModels(*models).digests)


def _rejected(detail: str, error: VerificationError | None = None) -> RuleResult:
    return RuleResult(Result.REJECTED, "require_seed", detail, rejected_error=error)
