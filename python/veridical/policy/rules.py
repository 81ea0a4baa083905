"""The rules: each asks one question of one envelope and its statement.

Spec: spec/v1/policy.md, section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from veridical.errors import InputError, KeyFormatError, PolicyFormatError, VerificationError
from veridical.keys import PublicKey
from veridical.policy.facts import Facts, Result, RuleResult
from veridical.receipt.members import DIGEST
from veridical.tlog import LogTrust, NoteKey

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "ExpectInput",
    "ExpectOutput",
    "MaxAge",
    "MaxSaturation",
    "MinSoundnessBits",
    "Nonce",
    "RequireLogged",
    "RequireTier",
    "Rule",
    "TrustedModels",
    "TrustedSigners",
]

#: How far a signer's clock may be ahead, unless a policy says otherwise.
CLOCK_SKEW_SECONDS: Final = 60
MAX_NONCE_LENGTH: Final = 256  # that of `request_id`


class Rule:
    """A rule that names no signer and needs a verified envelope."""

    __slots__ = ()

    def signers(self) -> Iterable[PublicKey]:
        """Yield the keys whose signatures count: none."""
        return ()

    @property
    def needs_signature(self) -> bool:
        """Whether an envelope with a verified signature is needed."""
        return True


@dataclass(frozen=True, slots=True, init=False)
class TrustedSigners(Rule):
    """The envelope is signed by one of these keys."""

    keys: tuple[PublicKey, ...]

    def __init__(self, *keys: PublicKey) -> None:
        for key in keys:
            if not isinstance(key, PublicKey):
                raise KeyFormatError(f"expected a PublicKey, not a {type(key).__name__}")
        _require_any("TrustedSigners", keys)
        object.__setattr__(self, "keys", keys)

    def signers(self) -> Iterable[PublicKey]:
        """Yield the keys whose signatures count."""
        return self.keys

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the signer."""
        if facts.envelope is None:
            return RuleResult(Result.REJECTED, "trusted_signers", "no envelope was verified")
        return RuleResult.of(
            "trusted_signers",
            f"signer {facts.envelope.signer.key_id[:16]}",
            holds=facts.envelope.signer in self.keys,
        )


@dataclass(frozen=True, slots=True, init=False)
class TrustedModels(Rule):
    """The program is one of these; a digest is `sha256:hex` or 32 bytes."""

    digests: tuple[str, ...]

    def __init__(self, *digests: str | bytes) -> None:
        texts = tuple(d if isinstance(d, str) else "sha256:" + bytes(d).hex() for d in digests)
        for text in texts:
            if DIGEST.fullmatch(text) is None:
                raise PolicyFormatError(f"not a model digest: {text[:90]!r}")
        _require_any("TrustedModels", texts)
        object.__setattr__(self, "digests", texts)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the model digest."""
        digest = facts.statement.model.digest
        return RuleResult.of("trusted_models", f"model {digest}", holds=digest in self.digests)


@dataclass(frozen=True, slots=True, init=False)
class RequireTier(Rule):
    """The envelope's tier is one of these. A weaker tier is a rejection, never a fallback."""

    tiers: tuple[str, ...]

    def __init__(self, *tiers: str) -> None:
        _require_any("RequireTier", tiers)
        for tier in tiers:
            name: object = tier
            if not isinstance(name, str) or not name:
                raise PolicyFormatError(f"a tier has a name, not {tier!r:.80}")
        object.__setattr__(self, "tiers", tiers)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the tier."""
        if facts.envelope is None:
            return RuleResult(Result.REJECTED, "require_tier", "no envelope was verified")
        return RuleResult.of(
            "require_tier",
            f"tier {facts.envelope.tier!r}, required: {', '.join(self.tiers)}",
            holds=facts.envelope.tier in self.tiers,
        )


@dataclass(frozen=True, slots=True, init=False)
class RequireLogged(Rule):
    """Intent and result are in one of these logs, under checkpoints with enough cosignatures.

    Without a cosigner nothing shows that others are shown the same log.
    """

    trust: LogTrust
    streams: tuple[str, ...]

    def __init__(
        self,
        *logs: NoteKey | str,
        cosigners: Iterable[NoteKey | str] = (),
        min_cosigners: int | None = None,
        allow_split_view: bool = False,
        streams: Iterable[str] = (),
    ) -> None:
        """Name logs and cosigners by their keys; all cosigners are needed unless it is said.

        More than half of them must be asked for, unless `allow_split_view` is said: of half, two
        can be honest and have signed two histories. With `streams` the intent is in one of these:
        a provider may keep another one that nobody looks at.
        """
        _require_any("RequireLogged", logs)
        named = _note_keys(cosigners)
        count = len(named) if min_cosigners is None else min_cosigners
        _require_count("RequireLogged", count)
        try:
            trust = LogTrust(
                logs=_note_keys(logs),
                cosigners=named,
                min_cosigners=count,
                allow_split_view=allow_split_view,
            )
        except InputError as error:
            raise PolicyFormatError(f"RequireLogged: {error.message}") from error
        named_streams: tuple[object, ...] = tuple(streams)
        if isinstance(streams, str) or not all(
            isinstance(name, str) and name for name in named_streams
        ):
            raise PolicyFormatError("RequireLogged: streams are names")
        object.__setattr__(self, "trust", trust)
        object.__setattr__(self, "streams", named_streams)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Take the result of check 16, and compare the stream."""
        stream = facts.statement.sequence.stream
        if self.streams and stream not in self.streams:
            return RuleResult(Result.REJECTED, "require_logged", f"stream {stream!r} is not named")
        shown = facts.logged(self.trust)
        if isinstance(shown, VerificationError):
            detail = f"{shown.check}: {shown.message}"
            return RuleResult(Result.REJECTED, "require_logged", detail, rejected_error=shown)
        return RuleResult(Result.ACCEPTED, "require_logged", shown[0].detail, logged=shown[:1])


def _note_keys(keys: Iterable[NoteKey | str]) -> tuple[NoteKey, ...]:
    return tuple(NoteKey.from_vkey(key) if isinstance(key, str) else key for key in keys)


@dataclass(frozen=True, slots=True)
class ExpectInput(Rule):
    """The input is the one that the caller passed to `verify`."""

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Take the result of check 12."""
        return RuleResult(facts.input_match, "expect_input", _MATCH[facts.input_match])


@dataclass(frozen=True, slots=True)
class ExpectOutput(Rule):
    """The output is the one that the caller passed to `verify`."""

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Take the result of check 13."""
        return RuleResult(facts.output_match, "expect_output", _MATCH[facts.output_match])


_MATCH: Final = {
    Result.ACCEPTED: "it is the caller's own",
    Result.UNDECIDED: "the caller gave nothing to compare with, or no salt was revealed",
    Result.REJECTED: "it is not the caller's own",
}


@dataclass(frozen=True, slots=True)
class Nonce(Rule):
    """The request id is the nonce that the client sent."""

    value: str

    def __post_init__(self) -> None:
        """Refuse a nonce that no receipt could carry."""
        value: object = self.value
        if not isinstance(value, str) or not 1 <= len(value) <= MAX_NONCE_LENGTH:
            raise PolicyFormatError(f"a nonce has 1 to {MAX_NONCE_LENGTH} characters")

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the request id."""
        found = facts.statement.request_id
        return RuleResult.of(
            "nonce", f"request id {found!r}, expected {self.value!r}", holds=found == self.value
        )


@dataclass(frozen=True, slots=True)
class MaxAge(Rule):
    """The envelope was issued at most so many seconds ago, as its signer says."""

    seconds: int
    clock_skew_seconds: int = CLOCK_SKEW_SECONDS

    def __post_init__(self) -> None:
        """Refuse what is not a number of seconds."""
        _require_count("MaxAge", self.seconds)
        _require_count("MaxAge", self.clock_skew_seconds)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the time of issue with `now`."""
        if facts.envelope is None:
            return RuleResult(Result.REJECTED, "max_age", "no envelope was verified")
        age = facts.now - facts.envelope.issued_at
        return RuleResult.of(
            "max_age",
            f"issued {age} s ago, allowed: {self.seconds} s"
            if age >= 0
            else f"issued {-age} s in the future, allowed: {self.clock_skew_seconds} s",
            holds=-self.clock_skew_seconds <= age <= self.seconds,
        )


@dataclass(frozen=True, slots=True)
class MaxSaturation(Rule):
    """At most so many input elements were clamped to the program's declared range."""

    count: int

    def __post_init__(self) -> None:
        """Refuse what is not a count."""
        _require_count("MaxSaturation", self.count)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the saturation count."""
        saturated = facts.statement.input.saturated
        return RuleResult.of(
            "max_saturation",
            f"{saturated} elements saturated, allowed: {self.count}",
            holds=saturated <= self.count,
        )


@dataclass(frozen=True, slots=True)
class MinSoundnessBits(Rule):
    """A false statement would pass the evidence with probability at most `2**-bits`.

    Re-execution has no such error and satisfies any number.
    """

    bits: int

    def __post_init__(self) -> None:
        """Refuse what is not a number of bits."""
        _require_count("MinSoundnessBits", self.bits)

    def evaluate(self, facts: Facts, /) -> RuleResult:
        """Compare the bits that the verifier computed, never those that are stated."""
        if facts.envelope is None:
            return RuleResult(Result.REJECTED, "min_soundness_bits", "no envelope was verified")
        bits = facts.envelope.soundness_bits
        if bits is None:  # check 14 says whether the evidence failed or could not be checked
            return RuleResult(Result.UNDECIDED, "min_soundness_bits", "no evidence was verified")
        return RuleResult.of(
            "min_soundness_bits",
            f"soundness of {bits:g} bits, required: {self.bits}",
            holds=bits >= self.bits,
        )


def _require_any(rule: str, members: tuple[object, ...]) -> None:
    if not members:
        raise PolicyFormatError(f"{rule} needs at least one member")


def _require_count(rule: str, value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise PolicyFormatError(f"{rule} needs an integer of at least 0, not {value!r}")
