"""What attacks on seeds start from: a provider that draws a label, and a consumer who pins its key.

The program is that of `attacks/scene.py`; its output is read as logits of two labels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from attacks.scene import NONCE, NOW, QUESTION, Scene, honest_scene
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.policy import AllOf, ExpectDecode, RequireSeed
from veridical.receipt import issue
from veridical.seeds import Question, SampledRun, Sampler, SeedKey, draw

if TYPE_CHECKING:
    from veridical.receipt import Receipt
    from veridical.receipt.statement import Sequence
    from veridical.seeds.recipe import NewSeed

SAMPLER = Sampler(tensor="y", numerator=3, denominator=2)


@dataclass(frozen=True, kw_only=True)
class SeededScene(Scene):
    """An honest provider with a key for seeds, and its draw for the consumer's question."""

    key: SeedKey
    question: Question
    seed: NewSeed

    def sampled(self, seed: NewSeed | None = None) -> SampledRun:
        """Draw from the run's logits."""
        return SampledRun(self.run, SAMPLER, (seed or self.seed).value)

    def signed(
        self,
        seed: NewSeed | None = None,
        run: SampledRun | None = None,
        sequence: Sequence | None = None,
    ) -> Receipt:
        """Let the provider sign a draw, honest or not."""
        run = run or self.sampled(seed)
        return signed_draw(self, self.question, seed or self.seed, run, sequence)


def signed_draw(
    scene: Scene,
    question: Question,
    seed: NewSeed,
    run: SampledRun,
    sequence: Sequence | None = None,
) -> Receipt:
    """Let the provider sign a draw for a question."""
    return issue(
        run,
        signer=scene.provider,
        nonce=question.request_id,
        issued_at=NOW,
        parameters=question.parameters,
        seed=seed.stated,
        sequence=sequence,
    )


def asked(scene: Scene, nonce: str = NONCE) -> Question:
    """Return the consumer's question, under a nonce."""
    return Question(
        model="sha256:" + scene.program.digest.hex(),
        input=Commitment.commit("input.received", tensors_to_bytes(QUESTION)),
        parameters=SAMPLER.to_parameters(),
        request_id=nonce,
    )


@cache
def seeded_scene() -> SeededScene:
    """Return the scene; its provider has fresh keys."""
    plain, key = honest_scene(), SeedKey.generate()
    question = asked(plain)
    seed = draw(key, question)
    run = SampledRun(plain.run, SAMPLER, seed.value)
    rules = (
        RequireSeed(
            "vrf",
            key.public_key,
            nonce=NONCE,
            parameters=SAMPLER.to_parameters(),
            models=[plain.program.digest],
        ),
        ExpectDecode(dict(SAMPLER.to_parameters().decode)),
    )
    members = {name: getattr(plain, name) for name in ("program", "provider")}
    return SeededScene(
        **members,
        run=replace(plain.run, outputs=run.outputs),
        receipt=signed_draw(plain, question, seed, run),
        policy=AllOf(plain.policy, *rules),
        key=key,
        question=question,
        seed=seed,
    )


def require_seeded(scene: Scene) -> SeededScene:
    """Return the scene if it is one with a seed."""
    assert isinstance(scene, SeededScene)
    return scene
