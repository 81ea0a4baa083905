"""The rule about hardware: what the platform, its firmware and its code have to be.

Spec: spec/v1/tee.md, section 5. Quotes are verified and bound to the statement in check 14; this
rule judges what they say.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from veridical.errors import CollateralError, PolicyFormatError, QuoteError
from veridical.policy.facts import Facts, Result, RuleResult
from veridical.policy.rules import Rule
from veridical.tee.claims import Outcome
from veridical.tee.policy import TeePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RequireTee", "read_tee_policy"]

_TIER: Final = "tee"
_NONCE_BYTES: Final = 32


@dataclass(frozen=True, slots=True, init=False)
class RequireTee(Rule):
    """The envelope is of tier `tee`, and its hardware is what a policy asks for.

    Without an argument the defaults of `TeePolicy` are asked: no simulator, no debug mode, no
    generation whose keys are known to leak, firmware that is up to date.
    """

    policy: TeePolicy

    def __init__(self, policy: TeePolicy | None = None) -> None:
        asked: object = TeePolicy() if policy is None else policy
        if not isinstance(asked, TeePolicy):
            raise PolicyFormatError(f"RequireTee takes a TeePolicy, not a {type(asked).__name__}")
        object.__setattr__(self, "policy", asked)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Judge what the quotes say."""
        envelope = facts.envelope
        if envelope is None:
            return RuleResult(Result.REJECTED, "require_tee", "no envelope was verified")
        if envelope.tier != _TIER:
            detail = f"tier {envelope.tier!r}, required: {_TIER}"
            return RuleResult(Result.REJECTED, "require_tee", detail)
        attested = envelope.attested
        if attested is None:  # check 14 says whether the quotes failed or could not be checked
            detail = "no quote was verified"
            return RuleResult(Result.UNDECIDED, "require_tee", detail, CollateralError)
        worst = min(attested.judge(self.policy), key=lambda finding: finding.outcome)
        detail = f"{worst.check}: {worst.detail}"
        if worst.outcome is Outcome.REJECTED:
            error = QuoteError(worst.detail, check=worst.check)
            return RuleResult(Result.REJECTED, "require_tee", detail, rejected_error=error)
        if worst.outcome is Outcome.UNDECIDED:
            return RuleResult(Result.UNDECIDED, "require_tee", detail, CollateralError)
        families = ", ".join(quote.claims.generation for quote in attested.quotes)
        not_covered = (f"not covered: {line}" for line in attested.not_covered(self.policy))
        return RuleResult(
            Result.ACCEPTED,
            "require_tee",
            f"hardware: {families}",
            assumptions=tuple(not_covered),
            judged_hardware=True,
        )


def read_tee_policy(content: Mapping[str, Any]) -> TeePolicy:
    """Read the members of a rule `require_tee`.

    Raises:
        PolicyFormatError: one is unknown, or of another type; the message names it.
    """
    kinds = {field.name: field.type for field in fields(TeePolicy)}
    members: dict[str, Any] = {}
    for name, value in content.items():
        if name not in kinds:
            raise PolicyFormatError(f"unknown key {name[:64]!r}")
        members[name] = _member(name, str(kinds[name]), value)
    return TeePolicy(**members)


def _member(name: str, kind: str, value: object) -> object:
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "frozenset[str]" and isinstance(value, list) and _are_texts(value):
        return frozenset(value)
    if name == "nonce" and isinstance(value, str):
        return _nonce(value)
    if name == "measurements" and isinstance(value, list) and value:
        return tuple(_texts(name, one) for one in value)
    if name == "min_tcb" and isinstance(value, dict):
        return {generation: _numbers(name, least) for generation, least in value.items()}
    raise PolicyFormatError(f"key {name!r} is of another type, or empty")


def _are_texts(values: list[object]) -> bool:
    return bool(values) and all(isinstance(value, str) for value in values)


def _nonce(text: str) -> bytes:
    try:
        nonce = bytes.fromhex(text)
    except ValueError as error:
        raise PolicyFormatError("key 'nonce' is not hexadecimal") from error
    if len(nonce) != _NONCE_BYTES:
        raise PolicyFormatError(f"key 'nonce' has {len(nonce)} bytes, not {_NONCE_BYTES}")
    return nonce


def _texts(name: str, value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not _are_texts(list(value.values())):
        raise PolicyFormatError(f"key {name!r} is a list of tables of strings")
    return value


def _numbers(name: str, value: object) -> dict[str, int]:
    is_table = isinstance(value, dict) and bool(value)
    if not is_table or not all(type(number) is int for number in value.values()):  # type: ignore[attr-defined] # a table, by the line above
        raise PolicyFormatError(f"key {name!r} is a table of tables of integers")
    return value  # type: ignore[return-value] # every member was compared
