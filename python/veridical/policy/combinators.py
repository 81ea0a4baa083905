"""Rules made of rules: the least or the greatest result, and no negation.

Spec: spec/v1/policy.md, section 3.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from veridical.errors import PolicyFormatError
from veridical.policy.facts import Facts, Policy, Result, RuleResult

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.keys import PublicKey

__all__ = ["AllOf", "AnyOf", "UnsafeAcceptAnything"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, init=False)
class AllOf:
    """Every rule must accept the same envelope."""

    rules: tuple[Policy, ...]

    def __init__(self, *rules: Policy) -> None:
        object.__setattr__(self, "rules", _require_rules("AllOf", rules))

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Return the least result; of equals, the first. What all of them rest on is kept."""
        results = [rule.evaluate(facts) for rule in self.rules]
        least = min(results, key=lambda r: r.result)
        if least.result is not Result.ACCEPTED:
            return least
        return replace(
            least,
            logged=tuple(dict.fromkeys(one for r in results for one in r.logged)),
            assumptions=tuple(dict.fromkeys(one for r in results for one in r.assumptions)),
            judged_hardware=any(r.judged_hardware for r in results),
        )

    def signers(self) -> Iterable[PublicKey]:
        """Yield the keys of every rule."""
        return (key for rule in self.rules for key in rule.signers())

    @property
    def needs_signature(self) -> bool:
        """Whether an envelope with a verified signature is needed."""
        return any(rule.needs_signature for rule in self.rules)


@dataclass(frozen=True, slots=True, init=False)
class AnyOf:
    """One rule must accept."""

    rules: tuple[Policy, ...]

    def __init__(self, *rules: Policy) -> None:
        object.__setattr__(self, "rules", _require_rules("AnyOf", rules))

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Return the greatest result; if none accepts, name them all."""
        results = [rule.evaluate(facts) for rule in self.rules]
        best = max(results, key=lambda r: (r.result, r.judged_hardware))
        if best.result is Result.ACCEPTED:
            return best
        detail = "; ".join(f"{result.rule}: {result.detail}" for result in results)
        return RuleResult(best.result, "any_of", detail, best.undecided_error)

    def signers(self) -> Iterable[PublicKey]:
        """Yield the keys of every rule."""
        return (key for rule in self.rules for key in rule.signers())

    @property
    def needs_signature(self) -> bool:
        """Whether an envelope with a verified signature is needed."""
        return all(rule.needs_signature for rule in self.rules)


@dataclass(frozen=True, slots=True)
class UnsafeAcceptAnything:
    """Accept any receipt that parses and contradicts nothing. For tests, never for use."""

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Accept, and say so in the log every time."""
        _logger.warning(
            "UnsafeAcceptAnything accepted receipt %s without looking at its signature",
            facts.statement.receipt_id,
        )
        return RuleResult(Result.ACCEPTED, "unsafe_accept_anything", "nothing was asked")

    def signers(self) -> Iterable[PublicKey]:
        """Yield the keys whose signatures count: none."""
        return ()

    @property
    def needs_signature(self) -> bool:
        """Whether an envelope with a verified signature is needed."""
        return False


def _require_rules(name: str, rules: tuple[Policy, ...]) -> tuple[Policy, ...]:
    if not rules:
        raise PolicyFormatError(f"{name} needs at least one rule: an empty policy accepts nothing")
    for rule in rules:
        if isinstance(rule, type) or not callable(getattr(rule, "evaluate", None)):
            raise PolicyFormatError(f"{name} takes rules, not {rule!r:.80}")
    return rules
