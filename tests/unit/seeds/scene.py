"""A program of logits, a provider with a key for seeds, and receipts that draw from them."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.toy import NONCE, NOW, SIGNER, ToyProgram, ToyTrace, X
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.keys import PrivateKey
from veridical.policy import (
    AllOf,
    ExpectDecode,
    ExpectInput,
    ExpectOutput,
    Nonce,
    RequireSeed,
    RequireTier,
    TrustedSigners,
)
from veridical.receipt import Receipt, issue
from veridical.seeds import Question, SampledRun, Sampler, SeedKey, draw
from veridical.verifier import verify

if TYPE_CHECKING:
    from veridical.policy import Policy
    from veridical.seeds.recipe import NewSeed


def seed_key(number: int) -> SeedKey:
    return SeedKey(PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes([number] * 32))))


KEY, OTHER_KEY = seed_key(1), seed_key(2)
SAMPLER = Sampler(tensor="y", numerator=3, denominator=2)


@dataclass(frozen=True)
class LogitsProgram(ToyProgram):
    """The toy program, which tells the scale of its output."""

    @property
    def outputs(self) -> tuple[Any, ...]:
        return (SimpleNamespace(name="y", mul=1, shift=4),)


@dataclass(frozen=True)
class LogitsRun:
    program: LogitsProgram
    inputs: dict[str, Any]

    @property
    def encoded(self) -> Any:
        return self.program.encode(self.inputs)

    @property
    def integer_outputs(self) -> Any:
        return self.program.execute(self.encoded.tensors)

    @property
    def outputs(self) -> Any:
        return self.program.decode(self.integer_outputs)

    @property
    def trace(self) -> ToyTrace:
        return ToyTrace(bytes(32))


PROGRAM = LogitsProgram()
RUN = LogitsRun(PROGRAM, X)


def question(*, nonce: str = NONCE, sampler: Sampler = SAMPLER, salt: bytes | None = None) -> Any:
    return Question(
        model="sha256:" + PROGRAM.digest.hex(),
        input=Commitment.commit("input.received", tensors_to_bytes(X), salt=salt),
        parameters=sampler.to_parameters(),
        request_id=nonce,
    )


def drawn_receipt(
    seed: NewSeed | None = None, *, asked: Question | None = None, **options: Any
) -> tuple[Receipt, dict[str, Any]]:
    """Return a receipt and the answer that the client gets."""
    asked = asked or question()
    seed = seed or draw(KEY, asked)
    run = SampledRun(RUN, SAMPLER, seed.value)
    members: dict[str, Any] = {"nonce": asked.request_id, "seed": seed.stated}
    members |= {"parameters": asked.parameters, "issued_at": NOW} | options
    return issue(run, signer=SIGNER, **members), dict(run.outputs)


def require_seed(mode: str = "vrf", **changes: Any) -> RequireSeed:
    """Return the rule of a client who compares everything."""
    parts: dict[str, Any] = {
        "nonce": NONCE,
        "parameters": SAMPLER.to_parameters(),
        "models": [PROGRAM.digest],
    }
    return RequireSeed(mode, KEY.public_key, **parts | changes)


def policy(*rules: Policy) -> Policy:
    return AllOf(
        TrustedSigners(SIGNER.public_key),
        RequireTier("reexecution"),
        ExpectInput(),
        ExpectOutput(),
        Nonce(NONCE),
        ExpectDecode(dict(SAMPLER.to_parameters().decode)),
        *(rules or (require_seed(),)),
    )


def judge(receipt: Receipt, answer: dict[str, Any], *rules: Policy, **given: Any) -> Any:
    members: dict[str, Any] = {"now": NOW, "input": X, "output": answer, "program": PROGRAM}
    return verify(Receipt.from_bytes(receipt.to_bytes()), policy(*rules), **members | given)


def other_index(answer: dict[str, Any]) -> dict[str, Any]:
    return {"y": np.asarray((answer["y"] + 1) % 3, np.int64)}
