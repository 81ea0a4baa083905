"""A provider answers one question a hundred times, and shows the answer that it likes.

Not a forgery: every receipt here is honest. What stops it is arithmetic, or that it is seen.

* **Off the log, mode `vrf`**: the question has one seed, so a hundred runs give one answer.
* **On the log**: each run needs an intent before it, and each intent is closed in public or open
  in public. An intent that is closed by a result which nobody gets looks answered: that the
  question was run before is what gives it away. With a beacon each intent has a round of its own
  and so another seed: there is something to gain, and the log shows what was tried.
* **The seed that a provider chooses itself**, for comparison: a hundred runs give what it wants.

Run with `python -m attacks.rerolls`.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from attacks.scene import NOW
from attacks.seeded import asked, seeded_scene
from veridical import keys
from veridical.errors import SeedError
from veridical.seeds import Round, draw, draw_with_beacon, public_bytes
from veridical.tlog import (
    Audit,
    Intent,
    IntentDraft,
    Result,
    Void,
    Writer,
    audit,
    parameters_digest,
    sequence_of,
)

if TYPE_CHECKING:
    from attacks.seeded import SeededScene

RETRIES = 100


@dataclass(frozen=True)
class Rerolls:
    """What a hundred answers to one question were."""

    seeds: int
    answers: Counter[int]


@dataclass(frozen=True)
class Logged:
    """The same with a log, and what an auditor reads in it."""

    rerolls: Rerolls
    report: Audit
    intents_of_the_question: int

    @property
    def repeated(self) -> int:
        """How many of them the auditor found to be one question again."""
        return sum(finding.kind == "repeated" for finding in self.report.findings)


class LocalBeacon:
    """A beacon for simulations: rounds are hashes, so there are as many as one likes."""

    name = "local"
    chain = hashlib.sha256(b"a beacon for simulations").digest()

    def due(self, number: int, /) -> int:
        """Return when a round is due: one each second."""
        return number

    def first_after(self, time: int, /) -> int:
        """Return the first round after a time."""
        return time + 1

    def get(self, number: int, /) -> Round:
        """Return any round; nobody is waited for."""
        digest = hashlib.sha256(self.chain + number.to_bytes(8, "little")).digest()
        return Round(number=number, signature=digest)

    def verify(self, one: Round, /) -> bytes:
        """Return the randomness of a round."""
        if one != self.get(one.number):
            raise SeedError("not this beacon's round", check="seed.beacon")
        return one.signature


def off_the_log(scene: SeededScene, retries: int = RETRIES) -> Rerolls:
    """Run again and again under the promised key, and show nobody."""
    drawn = [draw(scene.key, asked(scene)) for _ in range(retries)]
    answers = Counter(int(scene.sampled(one).outputs["y"][0]) for one in drawn)
    return Rerolls(len({one.value for one in drawn}), answers)


def with_seeds_of_its_own(scene: SeededScene, retries: int = RETRIES) -> Rerolls:
    """Run with seeds that nothing fixes: what a provider without this page can do."""
    values = [hashlib.sha256(b"mine %d" % attempt).digest() for attempt in range(retries)]
    run = scene.sampled()
    answers = Counter(
        int(run.sampler.apply(run.program, run.integer_outputs, value)["y"][0]) for value in values
    )
    return Rerolls(len(set(values)), answers)


def on_the_log(
    scene: SeededScene,
    folder: Path,
    *,
    mode: Literal["vrf", "vrf+beacon"],
    hide: Literal["void", "open", "result", "streams"],
    retries: int = RETRIES,
) -> Logged:
    """Log an intent for every run, publish the last answer, and hide the others.

    They are voided, left open, or closed as if they had been answered, with results whose receipts
    nobody gets; in the last form each under a stream of its own, so that no stream looks odd.
    """
    signer, beacon, clock = keys.generate(), LocalBeacon(), [NOW]
    log = Writer.create(folder, origin="log.example/provider", signer=signer)
    question = asked(scene)
    draft = IntentDraft(
        stream="live",
        model=question.model,
        input=str(question.input),
        parameters=parameters_digest(question.parameters),
        request_id=question.request_id,
        seed=mode,
        seed_key=public_bytes(scene.key.public_key).hex(),
    )
    values, answers = set(), Counter[int]()
    with Writer(folder, signer, clock=lambda: clock[0], batch_seconds=0) as writer:
        for attempt in range(retries):
            clock[0] = NOW + 10 * attempt
            stream = f"live-{attempt}" if hide == "streams" else "live"
            opened = writer.append(replace(draft, stream=stream))
            assert isinstance(opened.entry, Intent)
            seed = (
                draw(scene.key, question)
                if mode == "vrf"
                else draw_with_beacon(
                    scene.key,
                    question,
                    intent_time=opened.entry.time,
                    beacon=beacon,
                    rounds=beacon,
                )
            )
            assert seed is not None
            values.add(seed.value)
            run = scene.sampled(seed)
            answers[int(run.outputs["y"][0])] += 1
            if attempt == retries - 1 or hide in {"result", "streams"}:
                receipt = scene.signed(seed, run, sequence=sequence_of(opened.entry))
                writer.append(
                    Result(intent=opened.index, statement=receipt.receipt_id, time=clock[0])
                )
            elif hide == "void":
                writer.append(Void(intent=opened.index, reason="timeout", time=clock[0]))
    entries = [log.entry(index) for index in range(log.head().size)]
    same = [
        entry
        for entry in entries
        if isinstance(entry, Intent)
        and (entry.model, entry.input, entry.request_id)
        == (draft.model, draft.input, draft.request_id)
    ]
    report = audit((entry.to_bytes() for entry in entries), origin=log.key.name)
    return Logged(Rerolls(len(values), answers), report, len(same))


def main() -> None:
    scene = seeded_scene()
    free = with_seeds_of_its_own(scene)
    print(f"seeds of its own : {RETRIES} runs, {free.seeds} seeds, answers {dict(free.answers)}")
    off = off_the_log(scene)
    print(f"off the log      : {RETRIES} runs, {off.seeds} seed, answers {dict(off.answers)}")
    assert (off.seeds, len(off.answers)) == (1, 1)
    for mode in ("vrf", "vrf+beacon"):
        for hide in ("void", "open", "result", "streams"):
            with tempfile.TemporaryDirectory() as folder:
                shown = on_the_log(scene, Path(folder) / "log", mode=mode, hide=hide)
            streams = shown.report.streams.values()
            print(
                f"on the log, {mode:<10}: {shown.intents_of_the_question} intents of one question "
                f"seen, {shown.repeated} repeated, "
                f"{sum(one.num_voids for one in streams)} voids, "
                f"{sum(len(one.open_intents) for one in streams)} open, "
                f"{shown.rerolls.seeds} seeds"
            )
            assert shown.intents_of_the_question == shown.repeated + 1 == RETRIES


if __name__ == "__main__":
    main()
