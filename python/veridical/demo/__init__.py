"""The main job on two models: compile, run, issue, verify, reject nine forgeries, prove.

Nothing is prepared: the models are compiled from ONNX, and every figure is of this run. Needs the
extra `compile`.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical import keys
from veridical.compiler import compile_model
from veridical.demo.forgeries import FORGERIES, Case, Forgery
from veridical.demo.proven import Proven, prove
from veridical.errors import Error, InternalError
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
from veridical.program import run
from veridical.receipt import issue
from veridical.verifier import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from veridical.compiler import CompileReport
    from veridical.program import Program
    from veridical.receipt import Receipt
    from veridical.verifier import Verified

__all__ = ["MODELS", "Model", "Rejection", "Scene", "play"]

_MAX_AGE_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that ships with the package."""

    name: str
    title: str
    input_name: str


MODELS = (
    Model(name="allocation", title="capital allocation over ten portfolios", input_name="features"),
    Model(name="digits", title="handwritten digits, LeNet", input_name="input"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A forgery and the error that stopped it."""

    forgery: Forgery
    error: Error


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything that happened with one model."""

    model: Model
    program: Program
    report: CompileReport
    receipt: Receipt
    verified: Verified
    answer: dict[str, NDArray[np.float64]]
    rejections: tuple[Rejection, ...]
    proven: Proven


def _load(model: Model) -> tuple[NDArray[np.float32], NDArray[np.float32], bytes]:
    """Return calibration samples, questions and the ONNX bytes of a model."""
    folder = resources.files("veridical.demo") / "data"
    with (folder / f"{model.name}.npz").open("rb") as file:
        arrays = np.load(file, allow_pickle=False)
        samples, questions = arrays["calibration"], arrays["questions"]
    if samples.dtype == np.uint8:
        samples = samples.astype(np.float32) / np.float32(255)
        questions = questions.astype(np.float32) / np.float32(255)
    return samples, questions, (folder / f"{model.name}.onnx").read_bytes()


def play(*, now: int) -> Iterator[Scene]:
    """Run the main job on every model; `now` is seconds since 1970.

    Raises:
        InternalError: a forgery was accepted, which is a defect.
    """
    for model in MODELS:
        yield _scene(model, now=now)


def _scene(model: Model, *, now: int) -> Scene:
    samples, questions, onnx_bytes = _load(model)
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{model.name}.onnx"
        path.write_bytes(onnx_bytes)
        compiled = compile_model(path, calibration=samples, test=questions)
        cheaper = compile_model(path, calibration=samples, test=questions, precision="int8")
    signer = keys.generate()
    nonce = secrets.token_hex(16)
    question = {model.input_name: questions[:1]}
    answer = run(compiled.program, question)
    receipt = issue(answer, signer=signer, nonce=nonce, issued_at=now)
    case = Case(
        program=compiled.program,
        cheaper=cheaper.program,
        run=answer,
        other_question={model.input_name: questions[1:2]},
        receipt=receipt,
        old_receipt=issue(answer, signer=signer, nonce=secrets.token_hex(16), issued_at=now),
        signer=signer,
        nonce=nonce,
        now=now,
    )
    policy = _policy(case, "reexecution")
    mine: dict[str, Any] = {"input": question, "program": compiled.program, "now": now}
    verified = verify(receipt, policy, output=answer.outputs, **mine)
    rejections = []
    for forgery in FORGERIES:
        handed = forgery.forge(case)
        try:
            verify(handed.receipt, policy, output=handed.output, **mine)
        except Error as error:
            rejections.append(Rejection(forgery=forgery, error=error))
        else:
            raise InternalError(f"the forgery {forgery.name!r} was accepted")
    return Scene(
        model=model,
        program=compiled.program,
        report=compiled.report,
        receipt=receipt,
        verified=verified,
        answer=dict(answer.outputs),
        rejections=tuple(rejections),
        proven=prove(case, _policy(case, "zk")),
    )


def _policy(case: Case, tier: str) -> AllOf:
    """Return what the consumer of this answer accepts."""
    return AllOf(
        TrustedSigners(case.signer.public_key),
        TrustedModels(case.program.digest_hex),
        RequireTier(tier),
        ExpectInput(),
        ExpectOutput(),
        Nonce(case.nonce),
        MaxAge(_MAX_AGE_SECONDS),
    )
