"""From a question to a seed.

Spec: spec/v1/seeds.md, sections 2 and 3.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from veridical.commitment import frame, sha256_digest
from veridical.errors import InputError
from veridical.receipt import canonical
from veridical.seeds.beacon import MARGIN_SECONDS, Beacon, Round, RoundSource
from veridical.seeds.keys import SeedKey, public_bytes
from veridical.seeds.proof import SeedProof

if TYPE_CHECKING:
    from veridical.commitment import Commitment
    from veridical.receipt.statement import Parameters, Seed, Statement

__all__ = ["NewSeed", "Question", "draw", "draw_with_beacon", "seed_of"]

_ALPHA_TAG: Final = b"veridical.seed.alpha.v1"
_VRF_TAG: Final = b"veridical.seed.vrf.v1"
_BEACON_TAG: Final = b"veridical.seed.vrf+beacon.v1"
_PARAMETERS_TAG: Final = "veridical.parameters.v1"  # spec/v1/log.md, section 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the client decides, and all that a seed depends on beside the provider's key."""

    model: str
    #: Commitment of field `input.received`; if it is salted, with the client's salt.
    input: Commitment
    parameters: Parameters
    request_id: str

    @classmethod
    def of(cls, statement: Statement) -> Self:
        """Return the question that a statement answers."""
        return cls(
            model=statement.model.digest,
            input=statement.input.received,
            parameters=statement.parameters,
            request_id=statement.request_id,
        )

    @property
    def alpha(self) -> bytes:
        """The input of the verifiable random function."""
        parameters = sha256_digest(_PARAMETERS_TAG, canonical.encode(self.parameters.to_value()))
        texts = (self.model, str(self.input), parameters, self.request_id)
        return frame(_ALPHA_TAG, *(text.encode("ascii") for text in texts))


@dataclass(frozen=True, slots=True)
class NewSeed:
    """A seed as the issuer gets it: what it states, and the 32 bytes."""

    stated: Seed
    value: bytes


def draw(key: SeedKey, question: Question) -> NewSeed:
    """Return the one seed of mode `vrf` that the key has for a question."""
    pi, beta = key.prove(question.alpha)
    proof = SeedProof(key=public_bytes(key.public_key), pi=pi)
    return NewSeed(proof.to_statement(), seed_of(beta))


def draw_with_beacon(
    key: SeedKey, question: Question, *, intent_time: int, beacon: Beacon, rounds: RoundSource
) -> NewSeed | None:
    """Return the one seed of mode `vrf+beacon`, or None: then the intent is void.

    Raises:
        SeedError: the source gave a round that is not the beacon's.
        InputError: the source gave another round.
    """
    number = beacon.first_after(intent_time + MARGIN_SECONDS)
    one = rounds.get(number)
    if one is None:
        return None
    if one.number != number:
        raise InputError(f"the source gave round {one.number}, not {number}")
    pi, beta = key.prove(question.alpha)
    proof = SeedProof(key=public_bytes(key.public_key), pi=pi, chain=beacon.chain, round=one)
    return NewSeed(proof.to_statement(), seed_of(beta, beacon.chain, one, beacon.verify(one)))


def seed_of(
    beta: bytes, chain: bytes = b"", one: Round | None = None, randomness: bytes = b""
) -> bytes:
    """Return the 32 bytes of a seed."""
    if one is None:
        return hashlib.sha256(frame(_VRF_TAG, beta)).digest()
    number = one.number.to_bytes(8, "little")
    return hashlib.sha256(frame(_BEACON_TAG, beta, chain, number, randomness)).digest()
