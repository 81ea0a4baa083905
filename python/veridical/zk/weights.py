"""The weight commitment: made once for each model and profile, shared by all its proofs.

Spec: spec/v1/zk.md, section 12; spec/decisions/0015 says what is kept on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from veridical import _core
from veridical.errors import InputError, InternalError

if TYPE_CHECKING:
    from veridical.program import Program
    from veridical.zk.timeline import Timeline

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


class KnownRoot(NamedTuple):
    """The root of a program's weights, and whether this process computed it."""

    root: bytes
    is_computed: bool


def commit(
    program: Program,
    *,
    profile: str = DEFAULT_PROFILE,
    threads: int = 0,
    timeline: Timeline | None = None,
) -> WeightCommitment:
    """Commit to the weights of a program; the second call for one object returns the first's.

    Raises:
        InputError: there is no such profile.
        ProgramMissingError: a verification key holds no weights.
        InternalError: the program's cache remembers another root, so one of the two is wrong.
    """
    require_profile(profile)
    made = program.weight_commitments
    if profile not in made:
        core = _core.WeightCommitment(
            program.core,
            profile=profile,
            threads=threads,
            timeline=None if timeline is None else timeline.core,
        )
        _remember(program, profile, core.root)
        made[profile] = WeightCommitment(program, profile, core)
    return made[profile]


def known_root(program: Program, *, profile: str, threads: int = 0) -> KnownRoot:
    """Return the root for a verifier who holds the program.

    It is computed, unless this process did so before, or the program has a cache and this user
    did so with the same build.

    Raises:
        InputError: there is no such profile.
        ProgramMissingError: a verification key holds no weights.
    """
    require_profile(profile)
    cache = program.weight_cache
    if cache is not None and profile not in program.weight_commitments and not program.is_vkey:
        kept = cache.get(program.digest, profile)
        if kept is not None:
            return KnownRoot(kept, is_computed=False)
    return KnownRoot(commit(program, profile=profile, threads=threads).root, is_computed=True)


def _remember(program: Program, profile: str, root: bytes) -> None:
    cache = program.weight_cache
    if cache is None:
        return
    kept = cache.get(program.digest, profile)
    if kept is None:
        cache.put(program.digest, profile, root)
    elif kept != root:
        raise InternalError(
            f"the commitment to these weights was {kept.hex()}, and now is {root.hex()}",
            where="weights",
            advice="Memory or disk are damaged, or this is a defect: run `veridical cache clear`.",
        )


def require_profile(profile: str) -> None:
    """Refuse a name that is none of `PROFILES`."""
    if profile not in PROFILES:
        raise InputError(f"profile {profile!r:.80} is none of {', '.join(PROFILES)}")
