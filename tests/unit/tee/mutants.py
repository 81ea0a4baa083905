"""Single-bit mutants of evidence, and what becomes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.unit.tee.vectors import Vector
from veridical.errors import Error
from veridical.tee import Outcome, TeePolicy, appraise
from veridical.tee.files import read_quote

#: Accepts whatever is genuine, so that nothing hides behind a rule of policy.
GENUINE = TeePolicy(
    generations=TeePolicy().generations | {"milan"},
    statuses=frozenset({"UpToDate", "ConfigurationAndSWHardeningNeeded"}),
    advisories=frozenset({"INTEL-SA-00289", "INTEL-SA-00615"}),
)


@dataclass(slots=True)
class Tally:
    """How mutants of one vector ended."""

    tried: int = 0
    rejected: int = 0
    undecided: int = 0
    same_claims: list[int] = field(default_factory=list)
    other_claims: list[int] = field(default_factory=list)
    checks: Counter[str] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        self.tried += other.tried
        self.rejected += other.rejected
        self.undecided += other.undecided
        self.same_claims += other.same_claims
        self.other_claims += other.other_claims
        self.checks += other.checks


def flip(content: bytes, bit: int) -> bytes:
    mutant = bytearray(content)
    mutant[bit // 8] ^= 1 << bit % 8
    return bytes(mutant)


def binary(vector: Vector) -> bytes:
    """Return the bytes that are mutated: those of the evidence, not those of a hex file."""
    if vector.name.endswith((".hex", "report.txt")):
        return bytes.fromhex(vector.content.decode())
    return vector.content


def tally(vector: Vector, bits: range) -> Tally:
    """Judge the mutants of these bits."""
    honest = appraise(vector.quote, policy=GENUINE, collateral=vector.collateral, time=vector.time)
    assert honest.outcome is Outcome.ACCEPTED
    assert honest.claims is not None
    content, result = binary(vector), Tally()
    for bit in bits:
        result.tried += 1
        try:
            quote = read_quote(flip(content, bit), certificates=vector.certificates)
        except Error as error:
            result.rejected += 1
            result.checks[error.check or type(error).__name__] += 1
            continue
        appraisal = appraise(quote, policy=GENUINE, collateral=vector.collateral, time=vector.time)
        if appraisal.outcome is Outcome.REJECTED:
            result.rejected += 1
            result.checks[appraisal.deciding.check] += 1
        elif appraisal.outcome is Outcome.UNDECIDED:
            result.undecided += 1
            result.checks[appraisal.deciding.check] += 1
        elif appraisal.claims is not None and appraisal.claims.digest == honest.claims.digest:
            result.same_claims.append(bit)
        else:
            result.other_claims.append(bit)
    return result
