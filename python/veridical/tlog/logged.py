"""What the log proofs of a receipt show: the steps of check `log`.

Spec: spec/v1/log.md, section 6. A proof that fails counts as absent, so the verdict never hangs on
which proofs were left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from veridical.errors import (
    Error,
    InputError,
    LogError,
    MalformedError,
    VerificationError,
)
from veridical.receipt.statement import Sequence
from veridical.tlog.checkpoint import Cosignature, require_distinct
from veridical.tlog.entry import Intent, Result, entry_from_bytes, parameters_digest
from veridical.tlog.proof import LogProof

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.receipt.bundle import Receipt
    from veridical.receipt.statement import Statement
    from veridical.tlog.entry import Entry
    from veridical.tlog.log import Log
    from veridical.tlog.note import NoteKey

__all__ = ["LogTrust", "Logged", "attach", "log_proofs", "sequence_of", "verify_logged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTrust:
    """Whose checkpoints count: one of these logs, cosigned by at least so many."""

    logs: tuple[NoteKey, ...]
    cosigners: tuple[NoteKey, ...] = ()
    min_cosigners: int = 0

    def __post_init__(self) -> None:
        """Refuse what nothing could satisfy, and voices that count twice."""
        if not self.logs:
            raise InputError("no log is named")
        require_distinct({"log": self.logs, "cosigner": self.cosigners})
        if not 0 <= self.min_cosigners <= len(self.cosigners):
            raise InputError(
                f"{self.min_cosigners} cosigners of {len(self.cosigners)} that are named"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A receipt whose intent and result are in one log."""

    log: NoteKey
    intent: int
    result: int
    #: Those of both checkpoints; each cosigner's earlier time.
    cosignatures: tuple[Cosignature, ...]
    #: The intent's own time, as the provider says, and when each cosigner had first seen it.
    intent_time: int
    intent_seen: tuple[Cosignature, ...]

    @property
    def detail(self) -> str:
        """What was shown, in one line, with what was not."""
        where = f"intent {self.intent} and result {self.result} of {self.log.name}"
        if not self.cosignatures:
            return f"{where}; no cosigner: others may be shown another log"
        names = ", ".join(sorted(one.key.name for one in self.cosignatures))
        return f"{where}; cosigned by {names}"

    def to_value(self) -> dict[str, object]:
        """Return the form of `verify --json`."""
        return {
            "cosigners": {one.key.name: one.timestamp for one in self.cosignatures},
            "intent": self.intent,
            "log": self.log.name,
            "result": self.result,
        }


@dataclass(frozen=True, slots=True)
class _Shown:
    """One proof that holds."""

    log: NoteKey
    index: int
    entry: Entry
    cosignatures: tuple[Cosignature, ...]


def log_proofs(receipt: Receipt) -> list[bytes]:
    """Return the blobs of a receipt that say they are log proofs."""
    return [blob for blob in receipt.evidence if LogProof.is_one(blob)]


def verify_proof(untrusted: bytes, trust: LogTrust) -> tuple[LogProof, NoteKey, Entry]:
    """Return a log proof that holds, the log that it is of, and its entry.

    Raises:
        VerificationError: `check` names the step of the spec.
    """
    proof = LogProof.from_bytes(untrusted)  # 1
    key = proof.checkpoint.verify_log(trust.logs)  # 2 and 3
    proof.checkpoint.verify_cosigners(trust.cosigners, at_least=trust.min_cosigners)  # 4
    proof.verify_inclusion()  # 5
    return proof, key, entry_from_bytes(proof.entry)  # 6


def verify_logged(receipt: Receipt, trust: LogTrust) -> Logged:
    """Return what the log proofs of a receipt show.

    Raises:
        VerificationError: no two of them show its intent and its result; the error is that of the
            proof that came furthest.
    """
    shown: list[_Shown] = []
    errors: list[VerificationError] = []
    for blob in log_proofs(receipt):
        try:
            proof, key, entry = verify_proof(blob, trust)
        except VerificationError as error:
            errors.append(error)
            continue
        cosignatures = proof.checkpoint.verify_cosigners(trust.cosigners)
        shown.append(_Shown(key, proof.index, entry, cosignatures))
    intents = [(one, one.entry) for one in shown if isinstance(one.entry, Intent)]
    results = [(one, one.entry) for one in shown if isinstance(one.entry, Result)]
    for result in results:
        for intent in intents:
            try:
                seen = _earliest(intent[0], (one for one, _ in intents))
                return replace(_bound(receipt.statement, intent, result), intent_seen=seen)
            except LogError as error:
                errors.append(error)
    if shown and not (intents and results):
        errors.append(_unbound("the log proofs do not show both an intent and a result"))
    raise max(errors, key=_progress, default=LogError("the receipt has no log proof", check="log"))


_ORDER: Final = ("format", "origin", "signature", "cosignature", "inclusion", "entry", "binding")


def _progress(error: Error) -> int:
    name = (error.check or "").removeprefix("log.")
    return _ORDER.index(name) if name in _ORDER else -1


def _earliest(intent: _Shown, shown: Iterable[_Shown]) -> tuple[Cosignature, ...]:
    """Return when each cosigner had first seen an intent: a receipt may prove it more than once."""
    times: dict[NoteKey, int] = {}
    for one in shown:
        if (one.log, one.index, one.entry) == (intent.log, intent.index, intent.entry):
            for cosignature in one.cosignatures:
                time = times.get(cosignature.key, cosignature.timestamp)
                times[cosignature.key] = min(time, cosignature.timestamp)
    return tuple(Cosignature(key, time) for key, time in times.items())


def _bound(
    statement: Statement, shown_intent: tuple[_Shown, Intent], shown_result: tuple[_Shown, Result]
) -> Logged:
    """7. The two entries are about this statement, and in one log."""
    (intent, entry), (result, closing) = shown_intent, shown_result
    sequence = statement.sequence
    expected = {
        "log": (intent.log.name, result.log.name),
        "statement": (closing.statement, statement.receipt_id),
        "intent": (closing.intent, intent.index),
        "intent digest": (entry.digest, sequence.intent),
        "stream": (entry.stream, sequence.stream),
        "number": (entry.number, sequence.number),
        "previous": (entry.previous, sequence.previous),
        "model": (entry.model, statement.model.digest),
        "input": (entry.input, str(statement.input.received)),
        "parameters": (entry.parameters, parameters_digest(statement.parameters)),
        "request_id": (entry.request_id, statement.request_id),
        "seed": (entry.seed, statement.seed.mode),
    }
    for name, (logged, stated) in expected.items():
        if logged != stated:
            raise _unbound(f"{name}: the log has {logged!r:.90}, not {stated!r:.90}")
    if intent.index >= result.index:
        raise _unbound(f"the intent, {intent.index}, is not before the result, {result.index}")
    times = {one.key: one.timestamp for one in intent.cosignatures}
    return Logged(
        log=result.log,
        intent=intent.index,
        result=result.index,
        intent_time=entry.time,
        intent_seen=intent.cosignatures,
        cosignatures=tuple(
            replace(one, timestamp=min(one.timestamp, times[one.key]))
            for one in result.cosignatures
            if one.key in times
        ),
    )


def _unbound(message: str) -> LogError:
    return LogError(message, check="log.binding")


def sequence_of(intent: Intent) -> Sequence:
    """Return the member `sequence` of a statement that closes an intent."""
    return Sequence(
        stream=intent.stream,
        number=intent.number,
        previous=intent.previous,
        intent=intent.digest,
    )


def attach(receipt: Receipt, log: Log) -> Receipt:
    """Return the receipt with the log proofs of its intent and result.

    Earlier log proofs are replaced, but for the earliest one of the intent that is cosigned: it
    shows that the intent was seen before, which no later checkpoint does.

    Raises:
        InputError: the log has no result for this receipt.
        LogError: the log's files do not lead to its checkpoint.
    """
    result, intent = log.find_result(receipt.receipt_id)
    # Both under one checkpoint, which covers the later one.
    proof = log.prove(result)
    newest = log.prove(intent, proof.checkpoint)
    others = tuple(blob for blob in receipt.evidence if not LogProof.is_one(blob))
    earliest = _earliest_cosigned(receipt, newest)
    kept = () if earliest is None else (earliest.to_bytes(),)
    proofs = dict.fromkeys((*kept, newest.to_bytes(), proof.to_bytes()))
    return replace(receipt, evidence=(*others, *proofs))


def _earliest_cosigned(receipt: Receipt, newest: LogProof) -> LogProof | None:
    """Return the proof of the same entry whose checkpoint is the oldest with a second signature."""
    found: list[LogProof] = []
    for blob in log_proofs(receipt):
        try:
            proof = LogProof.from_bytes(blob)
        except MalformedError:
            continue
        is_same = (proof.index, proof.entry) == (newest.index, newest.entry)
        if is_same and len(proof.checkpoint.note.signatures) > 1:
            found.append(proof)
    return min(found, key=lambda proof: proof.checkpoint.size, default=None)
