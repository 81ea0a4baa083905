"""The member `seed.proof`: key, proof and round in one encoding.

Spec: spec/v1/seeds.md, section 2.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Final, Self

from veridical.errors import SeedError
from veridical.receipt.canonical import MAX_INTEGER
from veridical.receipt.statement import Seed
from veridical.seeds.beacon import CHAIN_BYTES, MAX_SIGNATURE_BYTES, Round
from veridical.seeds.keys import KEY_BYTES

__all__ = ["SeedProof"]

PI_BYTES: Final = 80
_PLAIN: Final = KEY_BYTES + PI_BYTES
_ROUND: Final = _PLAIN + CHAIN_BYTES
_SIGNATURE: Final = _ROUND + 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedProof:
    """What stands behind a seed: the key, its proof, and the beacon's round if there is one."""

    key: bytes
    pi: bytes
    chain: bytes = b""
    round: Round | None = None

    @classmethod
    def from_statement(cls, seed: Seed) -> Self:
        """Read the proof of a statement whose mode is not `none`.

        Raises:
            SeedError: it has not exactly the parts of its mode.
        """
        content = base64.b64decode(seed.proof)  # canonical: the statement was parsed
        has_round = seed.mode == "vrf+beacon"
        longest = _SIGNATURE + MAX_SIGNATURE_BYTES if has_round else _PLAIN
        shortest = _SIGNATURE + 1 if has_round else _PLAIN
        if not shortest <= len(content) <= longest:
            raise SeedError(
                f"a proof of mode {seed.mode!r} has {shortest} to {longest} bytes, "
                f"not {len(content)}",
                where="statement.seed.proof",
                check="seed.format",
            )
        key, pi = content[:KEY_BYTES], content[KEY_BYTES:_PLAIN]
        if not has_round:
            return cls(key=key, pi=pi)
        number = int.from_bytes(content[_ROUND:_SIGNATURE], "little")
        if not 1 <= number <= MAX_INTEGER:
            raise SeedError(
                f"{number} is no round", where="statement.seed.proof", check="seed.format"
            )
        one = Round(number=number, signature=content[_SIGNATURE:])
        return cls(key=key, pi=pi, chain=content[_PLAIN:_ROUND], round=one)

    def to_statement(self) -> Seed:
        """Return the member `seed` of a statement."""
        content = self.key + self.pi
        mode = "vrf"
        if self.round is not None:
            number = self.round.number.to_bytes(8, "little")
            content = b"".join((content, self.chain, number, self.round.signature))
            mode = "vrf+beacon"
        return Seed(mode=mode, proof=base64.b64encode(content).decode("ascii"))
