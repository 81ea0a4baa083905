"""From requests to receipts, many at a time: intent, run, receipt, disk, result, answer.

Spec: spec/v1/serve.md, section 5. Three things have to reach the disk for every answer. They do for
all requests of a batch at once, and the results of one batch go to the log together with the
intents of the next: while requests keep coming, the disk is waited for twice per batch.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError

from veridical.commitment import Commitment, tensors_to_bytes
from veridical.errors import Error, InputError
from veridical.inference_protocol import ProtocolError
from veridical.serve.intents import Closing, Opened
from veridical.serve.runs import run_together
from veridical.serve.storage import Answered, FencedError

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from veridical.program import Run
    from veridical.receipt import Issued
    from veridical.serve.fairness import FairQueue
    from veridical.serve.intents import IntentLog
    from veridical.serve.issuer import Issuer
    from veridical.serve.metrics import Metrics
    from veridical.serve.models import Model
    from veridical.serve.storage import Store
    from veridical.serve.tariff import Tariff

__all__ = ["Answer", "Lane", "Question"]

MAX_BATCH: Final = 64
#: Seconds of runs in one batch: nobody waits much longer for the requests of others.
_BATCH_SECONDS: Final = 0.02
#: What a request costs beside its run, for taking turns.
_REQUEST_SECONDS: Final = 0.001
#: How often the database is asked about intents whose answers may have been kept.
_RETRY_SECONDS: Final = 1.0

_LOGGER: Final = logging.getLogger("veridical.serve")


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
    #: For messages about it.
    request_id: str = ""
    #: The inputs as a receipt commits to them, and that commitment.
    content: bytes = field(default=b"", repr=False)
    commitment: Commitment | None = None

    def commit(self) -> Commitment:
        """Commit to what was received."""
        self.content = tensors_to_bytes(self.inputs)
        self.commitment = Commitment.commit("input.received", self.content, salt=self.salt)
        return self.commitment


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is handed out once everything is on the disk."""

    receipt_id: str
    bundle: bytes
    outputs: Mapping[str, NDArray[Any]]
    cost: int


@dataclass(slots=True)
class _Done:
    question: Question
    leaf: int | None
    intent: str
    run: Run
    issued: Issued
    cost: int


@dataclass(slots=True)
class _Batch:
    """What became of a batch: known, and not told before its results are in the log."""

    outcomes: list[tuple[Question, Answer | Exception]] = field(default_factory=list)
    closings: list[Closing] = field(default_factory=list)
    #: Of the intents that were logged.
    leaves: set[int] = field(default_factory=set)


class Lane:
    """Batches of one model, made by one thread."""

    def __init__(
        self,
        model: Model,
        *,
        issuer: Issuer,
        log: IntentLog,
        store: Store,
        tariff: Tariff,
        metrics: Metrics,
        waiting: FairQueue[Question],
        threads: int = 0,
    ) -> None:
        self._model = model
        self._issuer = issuer
        self._log = log
        self._store = store
        self._tariff = tariff
        self._metrics = metrics
        self._threads = threads
        self._waiting = waiting
        self._changed = threading.Condition()
        self._is_closed = False
        #: Intents whose answers met an unreachable database.
        self._unsettled: list[int] = []
        self._thread = threading.Thread(target=self._work, name=f"lane-{model.name}", daemon=True)
        self._thread.start()

    def put(self, question: Question) -> None:
        """Take a question; its future ends when the answer may be handed out.

        Raises:
            ProtocolError: too many are waiting, or the gateway is shutting down.
        """
        cost = _REQUEST_SECONDS + self._model.seconds_per_item * question.items
        with self._changed:
            if self._is_closed:
                raise ProtocolError(503, "shutting_down", "the gateway is shutting down")
            if self._waiting.is_full:
                raise ProtocolError(
                    503, "overloaded", "too many requests are waiting", retry_after=1
                )
            if self._waiting.is_full_for(question.key_id):
                raise ProtocolError(
                    429, "too_many_waiting", "too many requests of this key wait", retry_after=1
                )
            self._waiting.put(question.key_id, question, cost=cost)
            self._changed.notify()

    def close(self) -> None:
        """Answer what was taken, then stop."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join()

    def _work(self) -> None:
        previous = _Batch()
        while True:
            questions = self._next(is_idle=not previous.outcomes)
            if questions is None:
                return
            current = _Batch()
            try:
                self._step(questions, previous, current)
            except Exception as error:  # noqa: BLE001 - each caller gets it, whatever it is
                self._give_up(questions, previous, current, error)
            previous = current

    def _give_up(
        self, questions: list[Question], previous: _Batch, current: _Batch, error: Exception
    ) -> None:
        """Tell everybody whose answer is not in the log that there is none."""
        lost = [question for question, told in previous.outcomes if isinstance(told, Answer)]
        previous.outcomes = [one for one in previous.outcomes if not isinstance(one[1], Answer)]
        self._fail(previous, lost, error)
        self._tell(previous)
        known = {id(question) for question, _ in current.outcomes}
        self._fail(current, [one for one in questions if id(one) not in known], error)
        closed = {one.leaf for one in current.closings}
        self._unsettled.extend(current.leaves - closed)

    def _next(self, *, is_idle: bool) -> list[Question] | None:
        """Return questions, none if results wait to be logged; None when all is done."""
        with self._changed:
            while is_idle and not self._waiting and not self._is_closed:
                if not self._changed.wait(_RETRY_SECONDS if self._unsettled else None):
                    return []
            if is_idle and not self._waiting and self._is_closed:
                return None
            return self._waiting.take(limit=MAX_BATCH, cost=_BATCH_SECONDS)

    def _step(self, questions: list[Question], previous: _Batch, current: _Batch) -> None:
        """Log results of the batch before and intents of this one; then run and keep this one."""
        if not self._is_settled():
            current.outcomes.extend((question, _away()) for question in questions)
            questions = []
        opened = self._commit(questions, previous, current)
        if not opened:
            return
        self._metrics.batch_size.observe(len(opened))
        done = self._run(opened, current)
        self._keep(done, current)

    def _commit(
        self, questions: list[Question], previous: _Batch, current: _Batch
    ) -> list[tuple[Question, Opened]]:
        """Log intents and results together, and tell the callers whose results are in the log."""
        asked = []
        for question in questions:
            if question.deadline < time.monotonic() or question.answer.cancelled():
                current.outcomes.append((question, _too_late()))
            else:
                asked.append((question, self._issuer.draft(question)))
        try:
            places, refused = self._log.commit([draft for _, draft in asked], previous.closings)
        finally:
            previous.closings.clear()
        if refused is not None:  # kept, and not in the log: not handed out
            previous.outcomes = [
                (question, refused if isinstance(outcome, Answer) else outcome)
                for question, outcome in previous.outcomes
            ]
        self._tell(previous)
        opened = []
        for (question, _), place in zip(asked, places, strict=True):
            if isinstance(place, Opened):
                opened.append((question, place))
                if place.leaf is not None:
                    current.leaves.add(place.leaf)
            else:
                current.outcomes.append((question, place))
        return opened

    def _run(self, opened: list[tuple[Question, Opened]], current: _Batch) -> list[_Done]:
        """Run and sign; what comes to nothing is voided."""
        in_time = []
        for question, place in opened:
            if question.deadline < time.monotonic():
                self._void(current, question, place, "deadline", _too_late())
            else:
                in_time.append((question, place))
        start = time.perf_counter()
        inputs = [question.inputs for question, _ in in_time]
        runs: Sequence[Run | Exception]
        try:
            runs = run_together(self._model.program, inputs, threads=self._threads)
        except Exception as error:  # noqa: BLE001 - their intents must not stay open
            runs = [error] * len(in_time)
        items = sum(question.items for question, _ in in_time)
        per_item = (time.perf_counter() - start) / max(items, 1)
        done: list[_Done] = []
        for (question, place), run in zip(in_time, runs, strict=True):
            try:
                if isinstance(run, Exception):
                    raise run  # noqa: TRY301 - one place for refusals of run and receipt
                issued = self._issuer.issue(question, run, place.place)
            except InputError as error:
                refusal = ProtocolError(400, "bad_inputs", str(error))
                self._void(current, question, place, "refused", refusal)
                continue
            except Exception as error:
                _LOGGER.exception("run of request %s failed", question.request_id)
                self._void(current, question, place, "failed", error)
                continue
            cost = self._tariff.cost("reexecution", per_item * question.items)
            done.append(
                _Done(
                    question,
                    place.leaf,
                    place.place.intent,
                    run,
                    issued,
                    min(question.quoted, cost),
                )
            )
        return done

    def _keep(self, done: list[_Done], current: _Batch) -> None:
        """Put answers on the disk; their results are logged with the next batch's intents."""
        if not done:
            return
        try:
            refused = self._store.add_answers([self._answered(one) for one in done])
        except (SQLAlchemyError, FencedError) as error:
            # Whether they were kept is known when the database answers again.
            self._unsettled.extend(one.leaf for one in done if one.leaf is not None)
            self._fail(current, [one.question for one in done], error)
            return
        for place, one in enumerate(done):
            if place in refused:
                _LOGGER.error(
                    "answer to request %s cannot be kept: %s",
                    one.question.request_id,
                    _line(refused[place]),
                )
                current.closings.append(Closing(leaf=one.leaf, void="failed"))
                current.outcomes.append((one.question, refused[place]))
                continue
            issued = one.issued
            current.closings.append(Closing(leaf=one.leaf, receipt_id=issued.receipt_id))
            answer = Answer(
                receipt_id=issued.receipt_id,
                bundle=issued.bundle,
                outputs=one.run.outputs,
                cost=one.cost,
            )
            current.outcomes.append((one.question, answer))

    def _is_settled(self) -> bool:
        """Close intents of an earlier batch that met an unreachable database, if it answers."""
        if not self._unsettled:
            return True
        try:
            results, voids = self._log.settle(self._unsettled, self._store.settle, void="failed")
        except (SQLAlchemyError, FencedError) as error:
            _LOGGER.warning("intents of model %s stay open: %s", self._model.name, _line(error))
            return False
        _LOGGER.warning("the database is back: %d results, %d voids logged", results, voids)
        self._unsettled.clear()
        return True

    def _void(
        self, batch: _Batch, question: Question, place: Opened, reason: str, error: Exception
    ) -> None:
        batch.closings.append(Closing(leaf=place.leaf, void=reason))
        batch.outcomes.append((question, error))

    def _fail(self, batch: _Batch, lost: list[Question], error: Exception) -> None:
        """Note that there will be no answer."""
        if not lost:
            return
        ids = ", ".join(question.request_id or "-" for question in lost)
        level = logging.WARNING if isinstance(error, (Error, SQLAlchemyError)) else logging.ERROR
        _LOGGER.log(level, "requests %s of model %s: %s", ids, self._model.name, _line(error))
        batch.outcomes.extend((question, error) for question in lost)

    def _answered(self, one: _Done) -> Answered:
        return Answered(
            receipt_id=one.issued.receipt_id,
            bundle=one.issued.bundle,
            question=one.question.content,
            key_id=one.question.key_id,
            model=self._model.name,
            items=one.question.items,
            leaf=one.leaf,
            intent=one.intent or None,
            quoted=one.question.quoted,
            cost=one.cost,
        )

    def _tell(self, batch: _Batch) -> None:
        """Wake callers, with one call into their event loop."""
        outcomes = batch.outcomes
        if not outcomes:
            return
        batch.outcomes = []
        count = sum(1 for _, outcome in outcomes if isinstance(outcome, Answer))
        self._metrics.receipts.labels(model=self._model.name, tier="reexecution").inc(count)

        def wake() -> None:
            for question, outcome in outcomes:
                if question.answer.done():
                    continue
                if isinstance(outcome, Answer):
                    question.answer.set_result(outcome)
                else:
                    question.answer.set_exception(outcome)

        outcomes[0][0].answer.get_loop().call_soon_threadsafe(wake)


def _line(error: Exception) -> str:
    """Return an error in one line: a database's own words have many, and name a page to read."""
    cause = getattr(error, "orig", None) or error
    return f"{type(error).__name__}: {str(cause).partition(chr(10))[0]}"


def _away() -> ProtocolError:
    return ProtocolError(503, "unavailable", "the database is away", retry_after=1)


def _too_late() -> ProtocolError:
    return ProtocolError(504, "deadline", "the deadline passed")
