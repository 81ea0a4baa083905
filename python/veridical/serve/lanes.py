"""From requests to receipts, many at a time: intent, run, receipt, disk, result, answer.

Spec: spec/v1/serve.md, section 5. Three things have to reach the disk for every answer. They do for
all requests of a batch at once, so the disk is waited for three times per batch.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import veridical.program
from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import InputError
from veridical.inference_protocol import ProtocolError
from veridical.receipt import Parameters, issue
from veridical.serve.intents import Closing, Opened
from veridical.serve.storage import Answered
from veridical.tlog import IntentDraft, parameters_digest

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from veridical.keys import Signer
    from veridical.program import Run
    from veridical.receipt import Receipt
    from veridical.serve.intents import IntentLog
    from veridical.serve.metrics import Metrics
    from veridical.serve.models import Model
    from veridical.serve.storage import Store
    from veridical.serve.tariff import Tariff

__all__ = ["Answer", "Lane", "Question"]

MAX_BATCH: Final = 64
_NO_PARAMETERS: Final = parameters_digest(Parameters())


@dataclass(slots=True, kw_only=True)
class Question:
    """One request on its way through a lane."""

    key_id: str
    inputs: Mapping[str, NDArray[Any]]
    items: int
    nonce: str
    #: Salt of the commitment to the input, if the commitments are to be salted.
    salt: bytes | None
    quoted: int
    #: In the time of `time.monotonic`.
    deadline: float
    answer: asyncio.Future[Answer] = field(repr=False)
    content: bytes = field(default=b"", repr=False)

    def commitment(self) -> str:
        """Return the commitment to what was received."""
        self.content = tensors_to_bytes(self.inputs)
        return str(Commitment.commit("input.received", self.content, salt=self.salt))

    def random_bytes(self) -> Callable[[int], bytes]:
        """Return the source of salts: the one of `input.received` first, others at random."""
        first = [] if self.salt is None else [self.salt]
        return lambda size: first.pop() if first else secrets.token_bytes(size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is handed out once everything is on the disk."""

    receipt: Receipt
    bundle: bytes
    outputs: Mapping[str, NDArray[Any]]
    cost: int


@dataclass(slots=True)
class _Done:
    question: Question
    leaf: int | None
    run: Run
    receipt: Receipt
    bundle: bytes
    cost: int


class Lane:
    """Batches of one model, made by one thread."""

    def __init__(
        self,
        model: Model,
        *,
        signer: Signer,
        log: IntentLog,
        store: Store,
        tariff: Tariff,
        metrics: Metrics,
        capacity: int,
        threads: int = 0,
    ) -> None:
        self._model = model
        self._signer = signer
        self._log = log
        self._store = store
        self._tariff = tariff
        self._metrics = metrics
        self._capacity = capacity
        self._threads = threads
        self._waiting: deque[Question] = deque()
        self._changed = threading.Condition()
        self._is_closed = False
        self._unsettled: list[int] = []
        self._thread = threading.Thread(target=self._work, name=f"lane-{model.name}", daemon=True)
        self._thread.start()

    def put(self, question: Question) -> None:
        """Take a question; its future ends when the answer may be handed out.

        Raises:
            ProtocolError: too many are waiting, or the gateway is shutting down.
        """
        with self._changed:
            if self._is_closed:
                raise ProtocolError(503, "shutting_down", "the gateway is shutting down")
            if len(self._waiting) >= self._capacity:
                raise ProtocolError(
                    503, "overloaded", "too many requests are waiting", retry_after=1
                )
            self._waiting.append(question)
            self._changed.notify()

    def close(self) -> None:
        """Answer what was taken, then stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._is_closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                size = min(len(self._waiting), MAX_BATCH)
                batch = [self._waiting.popleft() for _ in range(size)]
            outcomes: dict[int, Answer | Exception] = {}
            try:
                self._answer(batch, outcomes)
            except Exception as error:  # noqa: BLE001 - each caller gets it, whatever it is
                for question in batch:
                    outcomes.setdefault(id(question), error)
            _tell(batch, outcomes)

    def _answer(self, batch: list[Question], outcomes: dict[int, Answer | Exception]) -> None:
        self._metrics.batch_size.observe(len(batch))
        self._settle()
        opened = self._open(batch, outcomes)
        done: list[_Done] = []
        voids: list[Closing] = []
        for question, place in opened:
            outcome = self._run(question, place)
            if isinstance(outcome, _Done):
                done.append(outcome)
                continue
            reason, error = outcome
            voids.append(Closing(leaf=place.leaf, void=reason))
            outcomes[id(question)] = error
        # From here on a crash ends in a result: recovery finds the answer by its intent.
        self._unsettled.extend(place.leaf for _, place in opened if place.leaf is not None)
        if done:
            self._store.add_answers([self._answered(one) for one in done])
        closings = [Closing(leaf=o.leaf, receipt_id=o.receipt.receipt_id) for o in done]
        self._log.close_intents([*closings, *voids])
        self._unsettled.clear()
        for one in done:
            outcomes[id(one.question)] = Answer(
                receipt=one.receipt, bundle=one.bundle, outputs=one.run.outputs, cost=one.cost
            )
        self._metrics.receipts.labels(model=self._model.name, tier="reexecution").inc(len(done))

    def _settle(self) -> None:
        """Close intents of an earlier batch that met an unreachable database.

        Whether that batch was kept is only known once the database answers again.
        """
        self._log.settle(self._unsettled, self._store.settle, void="failed")
        self._unsettled.clear()

    def _open(
        self, batch: list[Question], outcomes: dict[int, Answer | Exception]
    ) -> list[tuple[Question, Opened]]:
        """Log an intent for each question that is still in time."""
        drafts: list[tuple[Question, IntentDraft]] = []
        for question in batch:
            if question.deadline < time.monotonic() or question.answer.cancelled():
                outcomes[id(question)] = ProtocolError(504, "deadline", "the deadline passed")
                continue
            draft = IntentDraft(
                stream=self._model.name,
                model=self._model.program.digest_hex,
                input=question.commitment(),
                parameters=_NO_PARAMETERS,
                request_id=question.nonce,
            )
            drafts.append((question, draft))
        opened: list[tuple[Question, Opened]] = []
        for (question, _), place in zip(
            drafts, self._log.open([draft for _, draft in drafts]), strict=True
        ):
            if isinstance(place, Opened):
                opened.append((question, place))
            else:
                outcomes[id(question)] = place
        return opened

    def _run(self, question: Question, place: Opened) -> _Done | tuple[str, Exception]:
        if question.deadline < time.monotonic():
            return "deadline", ProtocolError(504, "deadline", "the deadline passed")
        start = time.perf_counter()
        try:
            run = veridical.program.run(self._model.program, question.inputs, threads=self._threads)
            receipt = issue(
                run,
                signer=self._signer,
                nonce=question.nonce,
                private=question.salt is not None,
                sequence=place.place,
                random_bytes=question.random_bytes(),
            )
        except InputError as error:
            return "refused", ProtocolError(400, "bad_inputs", str(error))
        except Exception as error:  # noqa: BLE001 - the intents of the others must not stay open
            return "failed", error
        cost = min(question.quoted, self._tariff.cost("reexecution", time.perf_counter() - start))
        return _Done(question, place.leaf, run, receipt, receipt.to_bytes(), cost)

    def _answered(self, one: _Done) -> Answered:
        return Answered(
            receipt_id=one.receipt.receipt_id,
            bundle=one.bundle,
            question=one.question.content,
            key_id=one.question.key_id,
            model=self._model.name,
            items=one.question.items,
            leaf=one.leaf,
            intent=one.receipt.statement.sequence.intent or None,
            quoted=one.question.quoted,
            cost=one.cost,
        )


def _tell(batch: list[Question], outcomes: Mapping[int, Answer | Exception]) -> None:
    """Wake the callers, each batch with one call into its event loop."""

    def wake() -> None:
        for question in batch:
            if question.answer.done():
                continue
            outcome = outcomes[id(question)]
            if isinstance(outcome, Answer):
                question.answer.set_result(outcome)
            else:
                question.answer.set_exception(outcome)

    batch[0].answer.get_loop().call_soon_threadsafe(wake)
