"""Rules about seeds, and about the parameters that a seed depends on.

Spec: spec/v1/policy.md, section 2; spec/v1/seeds.md, sections 4, 5 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical.errors import PolicyFormatError, UnsupportedKeyError, VerificationError
from veridical.policy.facts import Facts, Result, RuleResult
from veridical.policy.rules import RequireLogged, Rule
from veridical.seeds.beacon import MARGIN_SECONDS, QUICKNET, Beacon, Round
from veridical.seeds.keys import public_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from veridical.keys import PublicKey
    from veridical.tlog import Logged

__all__ = ["ExpectDecode", "RequireSeed", "named_beacon"]

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


@dataclass(frozen=True, slots=True, init=False)
class RequireSeed(Rule):
    """The seed is the one output of a key that is named, for a question that is the client's.

    With mode `vrf+beacon` the intent was cosigned before the beacon's round was known, too. A
    salted commitment to the input counts only if it is the `input_commitment` of the caller: a
    salt of the provider's choice would be a seed of the provider's choice.
    """

    mode: str
    keys: frozenset[bytes]
    beacon: Beacon
    logged: RequireLogged | None
    input_commitment: str | None = field(default=None)

    def __init__(
        self,
        mode: str,
        *keys: PublicKey,
        beacon: Beacon = QUICKNET,
        logged: RequireLogged | None = None,
        input_commitment: str | None = None,
    ) -> None:
        """Name the mode and the keys; for `vrf+beacon` logs and cosigners besides."""
        if mode not in MODES:
            raise PolicyFormatError(f"mode {mode!r:.40} is none of {', '.join(MODES)}")
        if not keys:
            raise PolicyFormatError("RequireSeed needs at least one key")
        needs_log = mode == "vrf+beacon"
        if needs_log != (logged is not None):
            raise PolicyFormatError("RequireSeed takes a log for mode 'vrf+beacon' and no other")
        if logged is not None and logged.trust.min_cosigners < 1:
            raise PolicyFormatError(
                "RequireSeed needs a cosigner: nobody else says that the intent was there before "
                "the round"
            )
        try:
            raw = frozenset(public_bytes(key) for key in keys)
        except UnsupportedKeyError as error:
            raise PolicyFormatError(f"RequireSeed: {error.message}") from error
        for name, value in (
            ("mode", mode),
            ("keys", raw),
            ("beacon", beacon),
            ("logged", logged),
            ("input_commitment", input_commitment),
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
        received = facts.statement.input.received
        own = self.input_commitment
        if received.is_salted if own is None else str(received) != own:
            return _rejected("the commitment to the input is neither plain nor stated as one's own")
        if self.logged is None:
            return RuleResult(Result.ACCEPTED, "require_seed", seed.detail)
        if seed.round is None or seed.beacon is None or seed.beacon.chain != self.beacon.chain:
            return _rejected(f"the round is not of beacon {self.beacon.name!r}")
        shown = facts.logged(self.logged.trust)
        if isinstance(shown, VerificationError):
            return _rejected(f"{shown.check}: {shown.message}", shown)
        return self._timed(shown, seed.round, self.logged.trust.min_cosigners)

    def _timed(self, logged: Logged, one: Round, needed: int) -> RuleResult:
        """The round is the intent's, and cosigners had seen the intent before it was due."""
        expected = self.beacon.first_after(logged.intent_time + MARGIN_SECONDS)
        if one.number != expected:
            return _rejected(f"round {one.number}, the intent's round is {expected}")
        due = self.beacon.due(expected)
        early = [seen for seen in logged.intent_seen if seen.timestamp < due]
        if len(early) < needed:
            return _rejected(
                f"{len(early)} cosigners had seen the intent before round {expected} was due, "
                f"required: {needed}"
            )
        return RuleResult(
            Result.ACCEPTED,
            "require_seed",
            f"round {expected} of {self.beacon.name}, and {len(early)} cosigners had seen the "
            "intent before it was due",
        )


def _rejected(detail: str, error: VerificationError | None = None) -> RuleResult:
    return RuleResult(Result.REJECTED, "require_seed", detail, rejected_error=error)
