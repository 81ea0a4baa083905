"""What a consumer asks of hardware, and how claims are judged by it.

Spec: spec/v1/tee.md, section 5. The defaults reject what is known to be broken; everything that
loosens them is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from veridical.errors import PolicyFormatError
from veridical.tee.claims import Claims, Family, Finding, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from veridical.tee.quote import Genuine

__all__ = ["BROKEN_GENERATIONS", "GENERATIONS", "STATUSES", "TeePolicy", "judge"]

#: Every generation that a quote can name, with its family.
GENERATIONS: Final[Mapping[str, Family]] = MappingProxyType(
    {
        "sgx": Family.SGX,
        "tdx-1.0": Family.TDX,
        "tdx-1.5": Family.TDX,
        "milan": Family.SEV_SNP,
        "genoa": Family.SEV_SNP,
        "turin": Family.SEV_SNP,
        "nitro": Family.NITRO,
        "hopper": Family.NVIDIA_GPU,
        "blackwell": Family.NVIDIA_GPU,
        "ls10": Family.NVIDIA_SWITCH,
    }
)
#: Generations whose attestation keys can be extracted by software alone (arXiv 2605.12990).
BROKEN_GENERATIONS: Final = frozenset({"milan"})
#: How Intel rates firmware.
STATUSES: Final = frozenset(
    {
        "UpToDate",
        "SWHardeningNeeded",
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        "OutOfDate",
        "OutOfDateConfigurationNeeded",
    }
)
_SHA256_HEX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TeePolicy:
    """What is accepted. `TeePolicy()` is the default of every verification."""

    families: frozenset[str] = frozenset(Family)
    generations: frozenset[str] = frozenset(GENERATIONS) - BROKEN_GENERATIONS
    #: SHA-256 fingerprints of simulators' roots. What they vouch for is not hardware.
    simulators: frozenset[str] = frozenset()
    debug: bool = False
    migration: bool = False
    statuses: frozenset[str] = frozenset({"UpToDate"})
    advisories: frozenset[str] = frozenset()
    #: Least evaluation number of a maker's collateral.
    min_evaluation: int = 0
    #: By generation: TCB component to its least value.
    min_tcb: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    smt: bool = True
    dynamic_platform: bool = True
    cached_keys: bool = True
    max_vmpl: int = 0
    #: Sets of measurements, one of which a processor's quote must have. None: any code.
    measurements: tuple[Mapping[str, str], ...] = ()
    platforms: frozenset[str] = frozenset()
    #: The nonce that this verifier chose; the quote must be bound to it.
    nonce: bytes | None = None
    #: Least number of GPUs.
    gpus: int = 0
    require_model: bool = False
    require_revocation: bool = False

    def __post_init__(self) -> None:
        """Refuse names that no quote has: a typing error is no rule."""
        _require_known("family", self.families, frozenset(Family))
        _require_known("generation", self.generations, frozenset(GENERATIONS))
        _require_known("status", self.statuses, STATUSES)
        _require_known("generation", frozenset(self.min_tcb), frozenset(GENERATIONS))
        for root in self.simulators:
            if len(root) != _SHA256_HEX or set(root) - set("0123456789abcdef"):
                raise PolicyFormatError(f"not the SHA-256 of a root: {root[:80]!r}")
        for allowed in self.measurements:
            if not allowed:
                raise PolicyFormatError("an empty set of measurements would allow any code")
        for number in (self.min_evaluation, self.max_vmpl, self.gpus):
            if number < 0:
                raise PolicyFormatError(f"{number} is no least number")

    def __hash__(self) -> int:
        """Hash the members that have a hash; equality looks at all of them."""
        return hash((self.families, self.generations, self.simulators, self.nonce, self.debug))


def _require_known(what: str, named: frozenset[str], known: frozenset[str]) -> None:
    if not named <= known:
        raise PolicyFormatError(
            f"{min(named - known)[:64]!r} is no {what}; expected of {', '.join(sorted(known))}"
        )


def judge(genuine: Genuine, policy: TeePolicy) -> tuple[Finding, ...]:
    """Return every finding about one genuine quote."""
    return tuple(_findings(genuine, policy))


def _findings(genuine: Genuine, policy: TeePolicy) -> Iterator[Finding]:
    claims = genuine.claims
    if claims.is_simulated:
        yield _finding(
            "simulated",
            f"SIMULATED: no hardware stands behind root {claims.root}",
            holds=claims.root in policy.simulators,
        )
    yield _finding("family", claims.family.value, holds=claims.family in policy.families)
    broken = claims.generation in BROKEN_GENERATIONS
    yield _finding(
        "generation",
        claims.generation + (", whose keys can be extracted by software" if broken else ""),
        holds=claims.generation in policy.generations,
    )
    yield from _modes(claims, policy)
    yield from _firmware(genuine, policy)
    yield from _code(claims, policy)
    if policy.require_revocation and not genuine.is_revocation_checked:
        detail = "no list of revocations, or response about one, for every certificate"
        yield Finding("tee.collateral-missing", Outcome.UNDECIDED, detail)
    yield from genuine.findings


def _modes(claims: Claims, policy: TeePolicy) -> Iterator[Finding]:
    """Judge how the code was started, and what the platform allows beside it."""
    security = claims.security
    yield _absent("debug", "debug mode", security.get("debug", 0), allowed=policy.debug)
    migrates = security.get("migratable", 0) or security.get("migration_agent", 0)
    yield _absent("migration", "migration", migrates, allowed=policy.migration)
    options = {
        "smt": policy.smt,
        "smt_allowed": policy.smt,
        "dynamic_platform": policy.dynamic_platform,
        "cached_keys": policy.cached_keys,
    }
    for name, is_allowed in options.items():
        if name in security:
            yield _absent("platform-option", name, security[name], allowed=is_allowed)
    if "vmpl" in security:
        vmpl = security["vmpl"]
        detail = f"VMPL {vmpl}, at most {policy.max_vmpl}"
        yield _finding("vmpl", detail, holds=vmpl <= policy.max_vmpl)


def _firmware(genuine: Genuine, policy: TeePolicy) -> Iterator[Finding]:
    """Judge the TCB by the maker's rating and by the policy's own floor."""
    claims, tcb = genuine.claims, genuine.tcb
    if tcb is not None:
        yield _finding("status", f"TCB {tcb.status}", holds=tcb.status in policy.statuses)
        foreign = [name for name in tcb.advisories if name not in policy.advisories]
        listed = ", ".join(tcb.advisories) or "none"
        yield _finding("advisory", f"advisories: {listed}", holds=not foreign)
        detail = f"collateral of evaluation {tcb.evaluation}, at least {policy.min_evaluation}"
        yield _finding("rollback", detail, holds=tcb.evaluation >= policy.min_evaluation)
    for name, least in policy.min_tcb.get(claims.generation, {}).items():
        found = claims.security.get(name)
        yield _finding(
            "tcb", f"{name} {found}, at least {least}", holds=found is not None and found >= least
        )


def _code(claims: Claims, policy: TeePolicy) -> Iterator[Finding]:
    """Judge which code runs, and where. GPUs run the maker's code; their RIMs name it."""
    if policy.platforms and claims.family.is_processor:
        yield _finding("platform", claims.platform, holds=claims.platform in policy.platforms)
    if policy.measurements and claims.family.is_processor:
        found = claims.measurements
        fits = any(
            all(found.get(name) == value for name, value in allowed.items())
            for allowed in policy.measurements
        )
        detail = "the code is allowed" if fits else "the code is none of those allowed"
        yield _finding("measurement", detail, holds=fits)


def _absent(check: str, what: str, value: int, *, allowed: bool) -> Finding:
    if not value:
        return _finding(check, f"{what}: off", holds=True)
    return _finding(check, f"{what}: on" + (", allowed by name" if allowed else ""), holds=allowed)


def _finding(check: str, detail: str, *, holds: bool) -> Finding:
    return Finding(f"tee.{check}", Outcome.ACCEPTED if holds else Outcome.REJECTED, detail)
