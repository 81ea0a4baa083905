"""Proving: from runs and their statements to evidence.

Spec: spec/v1/zk.md; spec/v1/receipt.md, section 7.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from veridical import _core
from veridical.commitment import tensors_to_bytes
from veridical.errors import InputError
from veridical.program import Program, Run
from veridical.receipt.evidence import EvidenceBlob
from veridical.seeds.sampling import SampledRun
from veridical.zk.evidence import MAX_MEMBERS, PROOF_TYPE, Member, ProofEvidence
from veridical.zk.weights import DEFAULT_PROFILE, WeightCommitment, commit, require_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from veridical.receipt.program import Run as AnyRun
    from veridical.receipt.statement import Statement
    from veridical.zk.timeline import Timeline

__all__ = ["STAGES", "Costs", "Zk", "costs", "prove", "require_memory"]

#: Stages of a proof in order, as `progress` is told them.
STAGES: Final = (
    "weight commitment",
    "inference",
    "witness",
    "witness commitment",
    "lookups",
    "identities",
    "reductions",
    "weight opening",
    "witness opening",
)

_KIB: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a proof will take, known before it is made."""

    #: Cells of the witness stack, committed.
    witness_cells: int
    #: Slots of the lookup argument.
    lookup_slots: int
    #: Cells of the weight stack.
    weight_cells: int
    #: Predicted peak memory in bytes, beyond what the process and the program take already.
    memory: int
    #: How much of it the weight commitment takes, as long as it is kept.
    weight_memory: int
    #: Bits of soundness of each component, by name.
    components: dict[str, float]
    #: Whole bits of the union bound.
    soundness_bits: int


def costs(program: Program, *, batch: int, profile: str = DEFAULT_PROFILE) -> Costs:
    """Return what proving a batch will take; nothing is run.

    Raises:
        InputError: there is no such profile, or the batch is too large to be proven at once.
    """
    require_profile(profile)
    return Costs(**_core.proof_costs(program.core, batch=batch, profile=profile))


def prove(
    runs: Sequence[tuple[Run, Statement]],
    *,
    commitment: WeightCommitment | None = None,
    profile: str = DEFAULT_PROFILE,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
    timeline: Timeline | None = None,
) -> ProofEvidence:
    """Prove runs of one program together; the weights are opened once for all of them.

    Whoever verifies one of the receipts needs the public integers of all runs, and the evidence
    carries them: prove together what may be known together. `progress` is called with the name of
    each stage when it begins; `timeline` learns what each took.

    Raises:
        InputError: no run, runs of several programs, or more than memory holds.
        ProgramMissingError: the program is a verification key.
    """
    if not 0 < len(runs) <= MAX_MEMBERS:
        raise InputError(f"{len(runs)} runs; one proof covers 1 to {MAX_MEMBERS}")
    program = runs[0][0].program
    if any(run.program != program for run, _ in runs):
        raise InputError("runs of several programs", advice="Make one proof for each program.")
    if commitment is not None and commitment.program != program:
        raise InputError("the weight commitment is of another program")
    profile = profile if commitment is None else commitment.profile
    batch = sum(_batch(run) for run, _ in runs)
    expected = require_memory(
        program, batch=batch, profile=profile, is_committed=commitment is not None
    )
    if commitment is None:
        if progress is not None:
            progress(STAGES[0])
        commitment = commit(program, profile=profile, threads=threads, timeline=timeline)
    statements = [_digest(statement) for _, statement in runs]
    proof = _core.prove(
        program.executor(threads=threads),
        commitment.core,
        [dict(run.encoded.tensors) for run, _ in runs],
        statements,
        progress=progress,
        timeline=None if timeline is None else timeline.core,
    )
    members = tuple(
        Member(
            statement=digest,
            inputs=tensors_to_bytes(run.encoded.tensors) if len(runs) > 1 else b"",
            outputs=tensors_to_bytes(run.integer_outputs),
        )
        for digest, (run, _) in zip(statements, runs, strict=True)
    )
    return ProofEvidence(
        profile=commitment.profile,
        weight_root=commitment.root,
        soundness_bits=expected.soundness_bits,
        members=members,
        proof=proof,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Zk:
    """Evidence of tier `zk`: a succinct proof of the run.

    With `proof`, one that was made before, for this run among others; without, it is made now.
    """

    profile: str = DEFAULT_PROFILE
    threads: int = 0
    proof: ProofEvidence | None = field(default=None, repr=False)
    progress: Callable[[str], None] | None = field(default=None, repr=False)
    timeline: Timeline | None = field(default=None, repr=False)

    @property
    def tier(self) -> str:
        """The tier's name, as it is signed."""
        return "zk"

    def make(self, run: AnyRun, statement: Statement) -> tuple[EvidenceBlob, ...]:
        """Return the proof of the run over its statement.

        Raises:
            InputError: the proof that was given is about other runs; see also `prove`.
        """
        proof = self.proof
        if proof is None:
            if isinstance(run, SampledRun):  # the logits are proven; the draw follows from them
                run = run.run
            if not isinstance(run, Run):
                raise InputError("only a run of `veridical.run` can be proven")
            proof = prove(
                [(run, statement)],
                profile=self.profile,
                threads=self.threads,
                progress=self.progress,
                timeline=self.timeline,
            )
        elif all(member.statement != _digest(statement) for member in proof.members):
            raise InputError("the proof does not cover this receipt's statement")
        return (EvidenceBlob(PROOF_TYPE, proof.to_bytes()),)


def _digest(statement: Statement) -> bytes:
    return bytes.fromhex(statement.receipt_id.removeprefix("sha256:"))


def _batch(run: Run) -> int:
    shape: tuple[int, ...] = next(iter(run.encoded.tensors.values())).shape
    return shape[0]


def require_memory(
    program: Program,
    *,
    batch: int,
    profile: str = DEFAULT_PROFILE,
    is_committed: bool = False,
) -> Costs:
    """Refuse a proof for which there is not enough memory; nothing is run.

    `is_committed` says that a weight commitment exists, and has its memory already.

    Raises:
        InputError: as for `costs`; or memory does not suffice, with the figures.
    """
    expected = costs(program, batch=batch, profile=profile)
    has_weights = is_committed or profile in program.weight_commitments
    require_free(expected.memory - (expected.weight_memory if has_weights else 0))
    return expected


def require_free(needed: int) -> None:
    """Refuse work that needs more bytes of memory than there are.

    Raises:
        InputError: memory does not suffice, with the figures.
    """
    available = _available_memory()
    if available is not None and needed > available:
        raise InputError(
            f"the proof needs about {needed // _KIB**2} MiB, and {available // _KIB**2} MiB are "
            "available; nothing was begun",
            advice="Prove fewer runs at once, or use a machine with more memory.",
        )


def _available_memory() -> int | None:
    """Return bytes of memory that can still be had, where the system tells."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # noqa: PTH123 - no path of a user
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * _KIB
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (OSError, ValueError):
        return None
