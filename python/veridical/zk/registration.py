"""The registration proof: hidden weights keep what a loader checks with the true ones.

Spec: spec/v1/zk.md, section 12. Made once for each program and profile, by whoever has the weights;
a verifier who holds only the verification key then takes the ranges of nobody's word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from veridical import _core
from veridical.commitment import frame
from veridical.errors import InputError, ProofError
from veridical.files import write_whole
from veridical.zk.evidence import FrameReader
from veridical.zk.proving import Costs, require_free
from veridical.zk.weights import (
    DEFAULT_PROFILE,
    PROFILES,
    WeightCommitment,
    commit,
    require_profile,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.program import Program

__all__ = ["REGISTRATION_STAGES", "RegistrationProof", "register", "registration_costs"]

_TAG: Final = b"veridical.registration.v1"
_MAX_BYTES: Final = 64 << 20
_MAX_PROFILE: Final = 64
_MAX_BITS: Final = 256
_U64: Final = 8
#: What `progress` of `register` is told, in order.
REGISTRATION_STAGES: Final = (
    "weight commitment",
    "witness",
    "witness commitment",
    "lookups",
    "identities",
    "reductions",
    "weight opening",
    "witness opening",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationProof:
    """A proof about the weights behind one root; see `register` and `attach`."""

    profile: str
    model_digest: bytes
    weight_root: bytes
    soundness_bits: int
    proof: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """Return the one encoding."""
        return b"".join(
            (
                frame(_TAG, self.profile.encode("ascii"), self.model_digest, self.weight_root),
                self.soundness_bits.to_bytes(_U64, "little"),
                frame(self.proof),
            )
        )

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse; nothing is shown before `attach`. Whatever it returns encodes to the same bytes.

        Raises:
            ProofError: the bytes are no registration proof.
        """
        reader = FrameReader(untrusted)
        if reader.frame(len(_TAG)) != _TAG:
            raise _refused("it does not begin as a registration proof of this version")
        profile = reader.frame(_MAX_PROFILE)
        known = {name.encode("ascii"): name for name in PROFILES}
        if profile not in known:
            raise _refused(f"profile {profile!r:.80} is none of {', '.join(PROFILES)}")
        registration = cls(
            profile=known[profile],
            model_digest=reader.digest(),
            weight_root=reader.digest(),
            soundness_bits=reader.count(_MAX_BITS, "bits of soundness"),
            proof=reader.frame(len(untrusted)),
        )
        reader.require_end()
        return registration

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a file, `M.vreg` by convention; its size is taken before anything is read.

        Raises:
            InputError: the file cannot be read.
            ProofError: as `from_bytes`.
        """
        try:
            with Path(path).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                # The file may grow, or be a pipe without a size: the read has the same limit.
                untrusted = b"" if size > _MAX_BYTES else file.read(_MAX_BYTES + 1)
        except (OSError, ValueError) as error:  # ValueError: a path with a NUL
            raise InputError(f"cannot read the registration: {error}", where=str(path)) from error
        if max(size, len(untrusted)) > _MAX_BYTES:
            raise _refused(f"at most {_MAX_BYTES} bytes are read")
        return cls.from_bytes(untrusted)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the file in one step.

        Raises:
            InputError: the file cannot be written.
        """
        write_whole(path, self.to_bytes(), what="the registration")

    def attach(self, key: Program) -> int:
        """Check the proof against a verification key, and let verifications with it rest on it.

        Returns the whole bits of soundness, which are at least the profile's.

        Raises:
            ProofError: the proof is of another model, or does not hold.
        """
        if self.model_digest != key.digest:
            raise ProofError(
                f"the registration is of model {self.model_digest.hex()[:16]}, the key of "
                f"{key.digest.hex()[:16]}",
                where="registration.model_digest",
                check="tier",
            )
        bits = _core.verify_registration(key.core, self.profile, self.weight_root, self.proof)
        if bits != self.soundness_bits:
            raise ProofError(
                f"the registration claims {self.soundness_bits} bits of soundness, it has {bits}",
                where="registration.soundness_bits",
                check="tier",
            )
        key.registrations[self.profile] = self
        return bits


def register(
    program: Program,
    *,
    commitment: WeightCommitment | None = None,
    profile: str = DEFAULT_PROFILE,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> RegistrationProof:
    """Prove that the weights keep what the program declares, for those who hold only its key.

    `progress` is called with the name of each stage when it begins.

    Raises:
        InputError: no such profile; no weights; a range that cannot be shown; too little memory.
        ProgramMissingError: the program is a verification key.
    """
    if commitment is not None and commitment.program != program:
        raise InputError("the weight commitment is of another program")
    profile = profile if commitment is None else commitment.profile
    expected = registration_costs(program, profile=profile)
    has_weights = commitment is not None or profile in program.weight_commitments
    require_free(expected.memory - (expected.weight_memory if has_weights else 0))
    if commitment is None:
        if progress is not None:
            progress(REGISTRATION_STAGES[0])
        commitment = commit(program, profile=profile, threads=threads)
    proof = _core.register(program.core, commitment.core, threads=threads, progress=progress)
    return RegistrationProof(
        profile=profile,
        model_digest=program.digest,
        weight_root=commitment.root,
        soundness_bits=expected.soundness_bits,
        proof=proof,
    )


def registration_costs(program: Program, *, profile: str = DEFAULT_PROFILE) -> Costs:
    """Return what a registration proof will take; nothing is computed.

    Raises:
        InputError: there is no such profile, or a range of this program cannot be shown.
    """
    require_profile(profile)
    return Costs(**_core.registration_costs(program.core, profile=profile))


def _refused(problem: str) -> ProofError:
    return ProofError(f"malformed registration: {problem}", where="registration", check="tier")
