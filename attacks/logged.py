"""What attacks on logs start from: a provider with a log, three cosigners, and a consumer.

The consumer asks for two of the three cosigners, so that no two histories can both have enough as
long as at most none of them lies.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from attacks.scene import NOW, Scene
from attacks.seeded import SAMPLER, SeededScene, seeded_scene, signed_draw
from veridical import keys
from veridical.policy import AllOf, AnyOf, RequireLogged, RequireSeed
from veridical.seeds import SampledRun, SeedKey, draw, public_bytes
from veridical.tlog import (
    Checkpoint,
    Intent,
    IntentDraft,
    LogProof,
    NoteKey,
    Result,
    SignedCheckpoint,
    parameters_digest,
    sequence_of,
)
from veridical.tlog.checkpoint import cosign
from veridical.tlog.tree import Hashes, inclusion_proof, leaf_hash, tree_root

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veridical.keys import PrivateKey
    from veridical.receipt import Receipt
    from veridical.tlog import Entry

ORIGIN = "log.example/provider"


@dataclass(frozen=True, kw_only=True)
class LoggedScene(SeededScene):
    """An honest provider whose draw is in its log, and which has a second key for seeds."""

    log: PrivateKey
    cosigners: tuple[PrivateKey, ...]
    second_key: SeedKey
    intent: Intent

    def proofs(self, entries: Sequence[Entry], *leaves: int, by: Iterable[int]) -> list[bytes]:
        """Return log proofs in a history that the log's key signs, cosigned by some."""
        return make_proofs(self.log, self.cosigners, entries, leaves, by)

    def logged(self, receipt: Receipt, intent: Intent, by: Iterable[int] = (0, 1)) -> Receipt:
        """Return a receipt with both proofs in one history."""
        result = Result(intent=0, statement=receipt.receipt_id, time=NOW)
        return with_proofs(receipt, self.proofs([intent, result], 0, 1, by=by))


def with_proofs(receipt: Receipt, proofs: Iterable[bytes]) -> Receipt:
    return replace(receipt, evidence=tuple(proofs))


def make_proofs(
    log: PrivateKey,
    cosigners: Sequence[PrivateKey],
    entries: Sequence[Entry],
    leaves: Iterable[int],
    by: Iterable[int],
) -> list[bytes]:
    contents = [entry.to_bytes() for entry in entries]
    source = Hashes([leaf_hash(content) for content in contents])
    size = len(contents)
    head = Checkpoint(origin=ORIGIN, size=size, root=tree_root(source, size))
    signed = SignedCheckpoint.sign(head, NoteKey.of(ORIGIN, log.public_key, role="log"), log)
    signed = signed.with_lines(
        cosign(signed.note.text, cosigner_key(cosigners, one), cosigners[one], timestamp=NOW)
        for one in by
    )
    return [
        LogProof(
            entry=contents[leaf],
            index=leaf,
            nodes=tuple(inclusion_proof(source, leaf, size)),
            checkpoint=signed,
        ).to_bytes()
        for leaf in leaves
    ]


def cosigner_key(cosigners: Sequence[PrivateKey], number: int) -> NoteKey:
    name = f"witness.example/w{number}"
    return NoteKey.of(name, cosigners[number].public_key, role="cosigner")


def intent_for(scene: SeededScene, key: SeedKey, *, stream: str = "live") -> Intent:
    """Return the first intent of a stream, for the consumer's question."""
    draft = IntentDraft(
        stream=stream,
        model=scene.question.model,
        input=str(scene.question.input),
        parameters=parameters_digest(scene.question.parameters),
        request_id=scene.question.request_id,
        seed="vrf",
        seed_key=public_bytes(key.public_key).hex(),
    )
    return draft.numbered(0, "", origin=ORIGIN, time=NOW)


def drawn_with(scene: SeededScene, key: SeedKey, intent: Intent) -> tuple[Receipt, SampledRun]:
    """Let the provider draw with one of its keys, and sign."""
    seed = draw(key, scene.question)
    run = scene.sampled(seed)
    return signed_draw(scene, scene.question, seed, run, sequence_of(intent)), run


@cache
def logged_scene() -> LoggedScene:
    """Return the scene; all keys are fresh."""
    seeded, log, second = seeded_scene(), keys.generate(), SeedKey.generate()
    cosigners = tuple(keys.generate() for _ in range(3))
    intent = intent_for(seeded, seeded.key)
    receipt, run = drawn_with(seeded, seeded.key, intent)
    result = Result(intent=0, statement=receipt.receipt_id, time=NOW)
    proofs = make_proofs(log, cosigners, [intent, result], (0, 1), (0, 1))
    logged = RequireLogged(
        NoteKey.of(ORIGIN, log.public_key, role="log"),
        cosigners=[cosigner_key(cosigners, one) for one in range(3)],
        min_cosigners=2,
    )
    parts: dict[str, Any] = {
        "nonce": seeded.question.request_id,
        "parameters": SAMPLER.to_parameters(),
        "models": [seeded.program.digest],
    }
    either = AnyOf(*(RequireSeed("vrf", one.public_key, **parts) for one in (seeded.key, second)))
    plain = seeded.policy
    assert isinstance(plain, AllOf)
    members = {name: getattr(seeded, name) for name in ("program", "provider", "key", "question")}
    return LoggedScene(
        **members,
        run=replace(seeded.run, outputs=run.outputs),
        seed=seeded.seed,
        receipt=with_proofs(receipt, proofs),
        policy=AllOf(plain.rules[0], either, logged),
        log=log,
        cosigners=cosigners,
        second_key=second,
        intent=intent,
    )


def require_logged(scene: Scene) -> LoggedScene:
    """Return the scene if it is one with a log."""
    assert isinstance(scene, LoggedScene)
    return scene
