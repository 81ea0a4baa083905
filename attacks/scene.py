"""What every attack starts from: one honest inference, and a careful consumer.

The program is `vectors/program/example.vprog`. An attack is a function from the scene to what the
consumer is handed; `demonstrate` lets the consumer judge that, and fails unless the named check
stops it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import veridical
from veridical import keys
from veridical.errors import Error
from veridical.policy import (
    AllOf,
    ExpectInput,
    ExpectOutput,
    MaxAge,
    Nonce,
    RequireTier,
    TrustedModels,
    TrustedSigners,
)
from veridical.receipt import Receipt, Run, issue
from veridical.verifier import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.keys import Algorithm, PrivateKey
    from veridical.policy import Policy
    from veridical.receipt import Evidence, OutputCommitments
    from veridical.tee.context import TeeContext

PROGRAM = Path(__file__).resolve().parent.parent / "vectors" / "program" / "example.vprog"
NOW = 1_796_000_000
NONCE = "order-4711"
QUESTION = {"x": np.array([[0.5, -0.25, 1.0]], np.float32)}
OTHER_QUESTION = {"x": np.array([[0.75, -0.25, 1.0]], np.float32)}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An honest provider, and what its consumer asked for and holds."""

    program: veridical.Program
    provider: PrivateKey
    run: veridical.Run
    receipt: Receipt
    policy: Policy
    tee: TeeContext | None = None


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What the consumer gets to judge; question and policy where they are not the scene's."""

    receipt: Receipt | bytes | Path
    answer: Mapping[str, NDArray[Any]]
    question: Mapping[str, NDArray[Any]] = field(default_factory=lambda: QUESTION)
    policy: Policy | None = None


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A run as a cheating provider presents it: any part may be exchanged."""

    program: Any
    inputs: Any
    encoded: Any
    integer_outputs: Any
    outputs: Any
    trace: Any = field(repr=False)

    @classmethod
    def of(cls, run: Run, **lies: object) -> Claimed:
        """Present a run with some of its parts exchanged."""
        names = ("program", "inputs", "encoded", "integer_outputs", "outputs", "trace")
        return cls(**{name: getattr(run, name) for name in names} | lies)


@cache
def honest_scene(algorithm: Algorithm = "ed25519") -> Scene:
    """Return the scene; its provider has a fresh key."""
    program, provider = veridical.load(PROGRAM), keys.generate(algorithm)
    run = veridical.run(program, QUESTION, threads=1)
    return Scene(
        program=program,
        provider=provider,
        run=run,
        receipt=issue(run, signer=provider, nonce=NONCE, issued_at=NOW),
        policy=AllOf(
            TrustedSigners(provider.public_key),
            TrustedModels(program.digest),
            RequireTier("reexecution"),
            ExpectInput(),
            ExpectOutput(),
            Nonce(NONCE),
            MaxAge(600),
        ),
    )


def judge(handed: Handed, scene: Scene) -> None:
    """Judge as the consumer does: own policy, question, program and clock; the answer as handed.

    Raises:
        Error: the receipt is not accepted.
    """
    verify(
        handed.receipt,
        handed.policy or scene.policy,
        now=NOW,
        input=handed.question,
        output=handed.answer,
        program=scene.program,
        tee=scene.tee,
    )


def demonstrate(
    attack: Callable[[Scene], Handed], *, stopped_by: str, scene: Scene | None = None
) -> Error:
    """Show that an attack is stopped by the check it names, and that nothing else is in its way."""
    scene = scene or honest_scene()
    judge(Handed(receipt=scene.receipt, answer=scene.run.outputs), scene)
    try:
        judge(attack(scene), scene)
    except Error as error:
        if error.check != stopped_by:
            raise
        print(f"rejected by check {error.check!r}: {type(error).__name__}: {error}")
        return error
    raise AssertionError(f"accepted; check {stopped_by!r} should have stopped it")


def signed(
    scene: Scene,
    run: Run,
    *,
    nonce: str = NONCE,
    issued_at: int = NOW,
    evidence: Evidence | None = None,
) -> Receipt:
    """Let the provider sign for a run, real or claimed."""
    return issue(run, signer=scene.provider, nonce=nonce, issued_at=issued_at, evidence=evidence)


def other_run(scene: Scene) -> veridical.Run:
    """Run the promised program on another question."""
    return veridical.run(scene.program, OTHER_QUESTION, threads=1)


def restated(receipt: Receipt, *, output: OutputCommitments) -> Receipt:
    """Exchange the output in the statement and keep the envelopes."""
    return replace(receipt, statement=replace(receipt.statement, output=output))
