"""Policies: what a consumer asks of a receipt. There is no default.

Spec: spec/v1/policy.md.

| Module        | Purpose                                          |
|---------------|--------------------------------------------------|
| `facts`       | what rules may look at, and their three results   |
| `rules`       | one rule, one question                            |
| `combinators` | `AllOf`, `AnyOf`, `UnsafeAcceptAnything`          |
| `document`    | policies from TOML                                |
"""

from __future__ import annotations

from veridical.policy.combinators import AllOf, AnyOf, UnsafeAcceptAnything
from veridical.policy.document import load, loads
from veridical.policy.facts import EnvelopeFacts, Facts, Policy, Result, RuleResult
from veridical.policy.hardware import RequireTee
from veridical.policy.rules import (
    ExpectInput,
    ExpectOutput,
    MaxAge,
    MaxSaturation,
    MinSoundnessBits,
    Nonce,
    RequireLogged,
    RequireTier,
    TrustedModels,
    TrustedSigners,
)
from veridical.policy.seeds import ANY, AnyPart, ExpectDecode, RequireSeed

__all__ = [
    "ANY",
    "AllOf",
    "AnyOf",
    "AnyPart",
    "EnvelopeFacts",
    "ExpectDecode",
    "ExpectInput",
    "ExpectOutput",
    "Facts",
    "MaxAge",
    "MaxSaturation",
    "MinSoundnessBits",
    "Nonce",
    "Policy",
    "RequireLogged",
    "RequireSeed",
    "RequireTee",
    "RequireTier",
    "Result",
    "RuleResult",
    "TrustedModels",
    "TrustedSigners",
    "UnsafeAcceptAnything",
    "load",
    "loads",
]
