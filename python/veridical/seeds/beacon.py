"""Beacons: chains of rounds that nobody knows before their time.

Spec: spec/v1/seeds.md, section 5. A beacon is a value; nothing here reaches for the network.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self, runtime_checkable

from veridical import _core
from veridical.errors import InputError, SeedError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CHAIN_BYTES",
    "CLOCK_SLACK_SECONDS",
    "MARGIN_SECONDS",
    "MAX_SIGNATURE_BYTES",
    "QUICKNET",
    "Beacon",
    "DrandChain",
    "RecordedRounds",
    "Round",
    "RoundSource",
]

CHAIN_BYTES: Final = 32
MAX_SIGNATURE_BYTES: Final = 128
#: Between the time of an intent and its round: what logging and cosigning take, and the slack.
MARGIN_SECONDS: Final = 6
#: By how much a clock may be behind: a cosignature that close to a round may be later than it.
CLOCK_SLACK_SECONDS: Final = 2
ROUNDS_MAX_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round with what shows that it is the chain's."""

    number: int
    signature: bytes


@runtime_checkable
class Beacon(Protocol):
    """A chain of rounds, each with one valid value."""

    @property
    def name(self) -> str:
        """A short name, for policies and messages."""

    @property
    def chain(self) -> bytes:
        """The 32 bytes that stand for the chain and all its parameters."""

    def due(self, number: int, /) -> int:
        """Return the time at which a round is due, in seconds since 1970."""

    def first_after(self, time: int, /) -> int:
        """Return the first round that is due strictly after a time."""

    def verify(self, one: Round, /) -> bytes:
        """Return the randomness of a round; raises `SeedError` if it is not the chain's."""


class RoundSource(Protocol):
    """Where an issuer gets rounds: a relay, a file. What it gives is verified before use."""

    def get(self, number: int, /) -> Round | None:
        """Return a round, or None if it is not there; then the intent is void."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrandChain:
    """A drand chain of the scheme `bls-unchained-g1-rfc9380`."""

    name: str
    chain: bytes
    key: bytes
    genesis: int
    period: int
    group_hash: bytes

    def __post_init__(self) -> None:
        """Refuse parameters that are not those which the chain's name is the hash of."""
        fields = (
            self.period.to_bytes(4, "big"),
            self.genesis.to_bytes(8, "big"),
            self.key,
            self.group_hash,
            self.name.encode("ascii"),
        )
        if hashlib.sha256(b"".join(fields)).digest() != self.chain:
            raise InputError("the chain hash is not that of these parameters", where=self.name)

    def due(self, number: int, /) -> int:
        """Return the time at which a round is due, in seconds since 1970."""
        return self.genesis + (number - 1) * self.period

    def first_after(self, time: int, /) -> int:
        """Return the first round that is due strictly after a time."""
        return max(1, (time - self.genesis) // self.period + 2)

    def verify(self, one: Round, /) -> bytes:
        """Return the randomness of a round.

        Raises:
            SeedError: the signature is not this chain's for this round.
        """
        try:
            return _core.beacon_verify(self.key, one.number, one.signature)
        except (InputError, SeedError) as error:  # InputError: another length
            raise SeedError(
                error.message, where="statement.seed.proof", check="seed.beacon"
            ) from error


#: The League of Entropy's chain with a round every three seconds.
QUICKNET: Final = DrandChain(
    name="quicknet",
    chain=bytes.fromhex("52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"),
    key=bytes.fromhex(
        "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
        "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
        "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
    ),
    genesis=1692803367,
    period=3,
    group_hash=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
)


class RecordedRounds:
    """Rounds that somebody wrote down, each verified when it is loaded."""

    def __init__(self, beacon: Beacon, signatures: Mapping[int, bytes]) -> None:
        self._rounds = {
            number: Round(number=number, signature=signature)
            for number, signature in signatures.items()
        }
        for one in self._rounds.values():
            beacon.verify(one)

    @classmethod
    def load(cls, beacon: Beacon, path: str | Path) -> Self:
        """Read a file of rounds, a JSON list as relays give it: `{"round": ..., "signature": hex}`.

        Raises:
            InputError: the file cannot be read or has another form.
            SeedError: a round is not the beacon's.
        """
        try:
            with Path(path).open("rb") as file:
                rounds = json.loads(file.read(ROUNDS_MAX_BYTES))
            recorded = {int(one["round"]): bytes.fromhex(one["signature"]) for one in rounds}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"not a file of rounds: {error}", where=str(path)) from error
        return cls(beacon, recorded)

    def get(self, number: int, /) -> Round | None:
        """Return a recorded round."""
        return self._rounds.get(number)
