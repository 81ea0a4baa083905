"""The steps of check `seed`.

Spec: spec/v1/seeds.md, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from veridical import _core
from veridical.errors import InputError, SeedError
from veridical.keys import edwards
from veridical.seeds.beacon import QUICKNET, Beacon, Round
from veridical.seeds.proof import SeedProof
from veridical.seeds.recipe import Question, seed_of
from veridical.seeds.sampling import Sampler

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.receipt.statement import Statement

__all__ = ["Drawn", "drawn_of"]

_WHERE = "statement.seed.proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A seed that follows from the question, the key that it follows from, and its round."""

    mode: str
    key: bytes
    value: bytes
    beacon: Beacon | None = None
    round: Round | None = None

    @property
    def detail(self) -> str:
        """What was shown, in one line."""
        end = ""
        if self.beacon is not None and self.round is not None:
            end = f" and round {self.round.number} of {self.beacon.name}"
        return f"mode {self.mode!r}: the one output of key {self.key.hex()[:16]}{end}"


def drawn_of(statement: Statement, beacons: Iterable[Beacon] = (QUICKNET,)) -> Drawn | None:
    """Return the seed of a statement, or None if it has none and needs none.

    Raises:
        SeedError: it is not the one that follows; `check` names the step of the spec.
    """
    sampler = Sampler.of(statement.parameters)  # 1
    if statement.seed.mode == "none":
        if sampler is not None:
            raise SeedError(
                "a sampler needs a seed, and the mode is 'none'",
                where="statement.seed.mode",
                check="seed.format",
            )
        return None
    proof = SeedProof.from_statement(statement.seed)
    try:
        edwards.require_prime_order(proof.key)  # 2
    except InputError as error:
        raise SeedError(error.message, where=_WHERE, check="seed.key") from error
    try:
        beta = _core.vrf_verify(proof.key, Question.of(statement).alpha, proof.pi)  # 3
    except SeedError as error:
        raise SeedError(error.message, where=_WHERE, check="seed.vrf") from error
    if proof.round is None:
        return Drawn(mode=statement.seed.mode, key=proof.key, value=seed_of(beta))
    beacon = next((one for one in beacons if one.chain == proof.chain), None)  # 4
    if beacon is None:
        raise SeedError(
            f"the beacon {proof.chain.hex()[:16]} is unknown", where=_WHERE, check="seed.beacon"
        )
    randomness = beacon.verify(proof.round)
    return Drawn(
        mode=statement.seed.mode,
        key=proof.key,
        value=seed_of(beta, proof.chain, proof.round, randomness),
        beacon=beacon,
        round=proof.round,
    )
