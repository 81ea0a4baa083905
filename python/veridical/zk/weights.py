"""The weight commitment: made once for each model and profile, shared by all its proofs.

Spec: spec/v1/zk.md, section 12.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical import _core
from veridical.errors import InputError

if TYPE_CHECKING:
    from veridical.program import Program

__all__ = ["DEFAULT_PROFILE", "PROFILES", "WeightCommitment", "commit", "require_profile"]

#: Names of the profiles, with the bits that the union bound has to reach.
PROFILES: Final = {"standard": 100, "strong": 128}
DEFAULT_PROFILE: Final = "standard"


@dataclass(frozen=True, eq=False)
class WeightCommitment:
    """The committed weights of one program under one profile."""

    program: Program
    profile: str
    core: _core.WeightCommitment = field(repr=False)

    @property
    def root(self) -> bytes:
        """The 32 bytes that stand for the weights in every proof."""
        return self.core.root

    @property
    def root_hex(self) -> str:
        """The same as text."""
        return self.root.hex()


def commit(
    program: Program, *, profile: str = DEFAULT_PROFILE, threads: int = 0
) -> WeightCommitment:
    """Commit to the weights of a program; the second call for one object returns the first's.

    Raises:
        InputError: there is no such profile.
        ProgramMissingError: a verification key holds no weights.
    """
    require_profile(profile)
    made = program.weight_commitments
    if profile not in made:
        core = _core.WeightCommitment(program.core, profile=profile, threads=threads)
        made[profile] = WeightCommitment(program, profile, core)
    return made[profile]


def require_profile(profile: str) -> None:
    """Refuse a name that is none of `PROFILES`."""
    if profile not in PROFILES:
        raise InputError(f"profile {profile!r:.80} is none of {', '.join(PROFILES)}")
