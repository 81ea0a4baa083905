"""The evidence of tier `zk`: a proof with what it is about, in one blob.

Spec: spec/v1/receipt.md, section 7.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from veridical.commitment import frame
from veridical.errors import ProofError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_MEMBERS", "PROOF_TYPE", "FrameReader", "Member", "ProofEvidence"]

PROOF_TYPE: Final = "urn:veridical:evidence:succinct-proof:v1"
#: Runs that one proof may cover; each costs a verifier its public integers.
MAX_MEMBERS: Final = 4096

_TAG: Final = b"veridical.succinct-proof.v1"
_U64: Final = 8
_DIGEST_BYTES: Final = 32
_MAX_PROFILE: Final = 64
_MAX_BITS: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One run of a proof: its statement, and its integers as canonical tensor bytes."""

    statement: bytes
    outputs: bytes = field(repr=False)
    #: Empty only in a proof of one run, whose input the verifier has.
    inputs: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofEvidence:
    """A proof, the weight commitment and profile it was made under, and the runs it covers."""

    profile: str
    weight_root: bytes
    soundness_bits: int
    members: tuple[Member, ...]
    proof: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return the one encoding of this evidence."""
        members = b"".join(
            frame(member.statement, member.inputs, member.outputs) for member in self.members
        )
        return b"".join(
            (
                frame(_TAG, self.profile.encode("ascii"), self.weight_root),
                self.soundness_bits.to_bytes(_U64, "little"),
                len(self.members).to_bytes(_U64, "little"),
                members,
                frame(self.proof),
            )
        )

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse evidence. Whatever it returns encodes to the same bytes again.

        Raises:
            ProofError: the bytes are not such evidence.
        """
        reader = FrameReader(untrusted)
        if reader.frame(len(_TAG)) != _TAG:
            raise _malformed("it does not begin as a succinct proof of this version")
        profile = reader.frame(_MAX_PROFILE)
        if not profile.isascii() or not profile.decode("ascii").isprintable():
            raise _malformed("the name of the profile is not printable ASCII")
        weight_root = reader.digest()
        soundness_bits = reader.count(_MAX_BITS, "bits of soundness")
        num_members = reader.count(MAX_MEMBERS, "runs")
        members = tuple(reader.members(num_members))
        proof = reader.frame(len(untrusted))
        reader.require_end()
        if not members:
            raise _malformed("it covers no run")
        if len({member.statement for member in members}) != num_members:
            raise _malformed("one statement stands twice")
        has_inputs = [bool(member.inputs) for member in members]
        if num_members > 1 and not all(has_inputs):
            raise _malformed("a proof of several runs carries the inputs of all")
        return cls(
            profile=profile.decode("ascii"),
            weight_root=weight_root,
            soundness_bits=soundness_bits,
            members=members,
            proof=proof,
        )


class FrameReader:
    """Reads framed fields; every length is checked against what is left before it is used."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._position = 0

    def _take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._content):
            raise _malformed("it ends too early")
        taken = self._content[self._position : end]
        self._position = end
        return taken

    def count(self, limit: int, what: str) -> int:
        """Read a number that is at most `limit`."""
        number = int.from_bytes(self._take(_U64), "little")
        if number > limit:
            raise _malformed(f"{number} {what}; at most {limit}")
        return number

    def frame(self, limit: int) -> bytes:
        """Read one framed field of at most `limit` bytes."""
        return self._take(self.count(limit, "bytes in one field"))

    def digest(self) -> bytes:
        """Read 32 framed bytes."""
        content = self.frame(_DIGEST_BYTES)
        if len(content) != _DIGEST_BYTES:
            raise _malformed(f"a digest has {_DIGEST_BYTES} bytes, not {len(content)}")
        return content

    def members(self, count: int) -> Iterator[Member]:
        """Read runs one by one."""
        for _ in range(count):
            statement = self.digest()
            inputs = self.frame(len(self._content))
            outputs = self.frame(len(self._content))
            yield Member(statement=statement, inputs=inputs, outputs=outputs)

    def require_end(self) -> None:
        """Refuse what follows."""
        if self._position != len(self._content):
            raise _malformed("there are bytes after the proof")


def _malformed(problem: str) -> ProofError:
    return ProofError(f"malformed evidence: {problem}", where="evidence", check="tier")
