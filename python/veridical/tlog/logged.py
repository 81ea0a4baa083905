"""What the log proofs of a receipt show: the steps of check `log`.

Spec: spec/v1/log.md, section 6. A proof that fails counts as absent, so the verdict never hangs on
which proofs were left out.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from veridical.errors import (
    Error,
    InputError,
    LogError,
    VerificationError,
)
from veridical.receipt.statement import Sequence
from veridical.tlog.checkpoint import Cosignature, require_distinct
from veridical.tlog.entry import Intent, Result, entry_from_bytes, parameters_digest
from veridical.tlog.fsck import require_of_tree
from veridical.tlog.proof import LogProof

if TYPE_CHECKING:
    from veridical.receipt.bundle import Receipt
    from veridical.receipt.statement import Statement
    from veridical.tlog.entry import Entry
    from veridical.tlog.log import Log
    from veridical.tlog.note import NoteKey

__all__ = ["LogTrust", "Logged", "attach", "compare", "log_proofs", "sequence_of", "verify_logged"]


#: How many log proofs `attach` leaves in a receipt.
MAX_LOG_PROOFS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class LogTrust:
    """Whose checkpoints count: one of these logs, cosigned by at least so many."""

    logs: tuple[NoteKey, ...]
    cosigners: tuple[NoteKey, ...] = ()
    min_cosigners: int = 0
    #: Takes a quorum of half the cosigners or fewer, of which two can be honest and disjoint.
    allow_split_view: bool = False

    def __post_init__(self) -> None:
        """Refuse what nothing could satisfy, and voices that count twice."""
        if not self.logs:
            raise InputError("no log is named")
        require_distinct({"log": self.logs, "cosigner": self.cosigners})
        if {key.raw for key in self.logs} & {key.raw for key in self.cosigners}:
            raise InputError("one key is named as a log and as a cosigner of it")
        count, among = self.min_cosigners, len(self.cosigners)
        if not 0 <= count <= among:
            raise InputError(f"{count} cosigners of {among} that are named")
        if 0 < 2 * count <= among and not self.allow_split_view:
            raise InputError(
                f"{count} of {among} cosigners: two histories could both be cosigned, with no "
                "cosigner that lies",
                advice=f"Ask for {among // 2 + 1} or more, or say `allow_split_view`.",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A receipt whose intent and result are in one log."""

    log: NoteKey
    intent: int
    result: int
    #: Those of both checkpoints; each cosigner's earlier time.
    cosignatures: tuple[Cosignature, ...]
    #: How many cosigners the rule names.
    num_named: int
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

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What whoever relies on this takes on trust."""
        count = len(self.cosignatures)
        if not count:
            return (_OUTSIDE, _UNWITNESSED)
        if 2 * count <= self.num_named:
            split = f"log: {count} of {self.num_named} named cosigners signed; {_SPLIT}"
            return (_OUTSIDE, split)
        return (_OUTSIDE,)

    def to_value(self) -> dict[str, object]:
        """Return the form of `verify --json`."""
        return {
            "cosigners": {one.key.name: one.timestamp for one in self.cosignatures},
            "intent": self.intent,
            "log": self.log.name,
            "result": self.result,
        }


_OUTSIDE: Final = "log: answers that the signer gave outside this log cannot be seen"
_UNWITNESSED: Final = "log: no cosigner was asked for, so others may be shown another log"
_SPLIT: Final = "the rest could have signed another history, and none of them need lie"


@dataclass(frozen=True, slots=True)
class _Shown:
    """One proof that holds."""

    proof: LogProof
    log: NoteKey
    entry: Entry
    cosignatures: tuple[Cosignature, ...]

    def shares_view(self, other: _Shown, trust: LogTrust) -> bool:
        """Return whether two checkpoints are one, or enough cosigners signed both."""
        if self.proof.checkpoint.note.text == other.proof.checkpoint.note.text:
            return True
        keys = {one.key for one in self.cosignatures}
        common = sum(one.key in keys for one in other.cosignatures)
        return common >= max(1, trust.min_cosigners)


def log_proofs(receipt: Receipt) -> list[bytes]:
    """Return the blobs of a receipt that say they are log proofs."""
    return [blob for blob in receipt.evidence if LogProof.is_one(blob)]


def verify_proof(untrusted: bytes, trust: LogTrust) -> tuple[LogProof, NoteKey, Entry]:
    """Return a log proof that holds, the log that it is of, and its entry.

    Raises:
        VerificationError: `check` names the step of the spec.
    """
    shown = _verified(untrusted, trust)
    return shown.proof, shown.log, shown.entry


def _verified(untrusted: bytes, trust: LogTrust) -> _Shown:
    proof = LogProof.from_bytes(untrusted)  # 1
    key = proof.checkpoint.verify_log(trust.logs)  # 2 and 3
    cosignatures = proof.checkpoint.verify_cosigners(
        trust.cosigners, at_least=trust.min_cosigners
    )  # 4
    proof.verify_inclusion()  # 5
    return _Shown(proof, key, entry_from_bytes(proof.entry), cosignatures)  # 6


def verify_logged(receipt: Receipt, trust: LogTrust) -> tuple[Logged, ...]:
    """Return everything that the log proofs of a receipt show, the most cosigned first.

    Raises:
        VerificationError: no two of them show its intent and its result; the error is that of the
            proof that came furthest.
    """
    shown: list[_Shown] = []
    errors: list[VerificationError] = []
    for blob in log_proofs(receipt):
        try:
            shown.append(_verified(blob, trust))
        except VerificationError as error:
            errors.append(error)
    intents = [(one, one.entry) for one in shown if isinstance(one.entry, Intent)]
    results = [(one, one.entry) for one in shown if isinstance(one.entry, Result)]
    found: list[Logged] = []
    for result, closing in results:
        bound: dict[int, list[_Shown]] = {}
        for intent, entry in intents:
            try:
                _require_bound(receipt.statement, (intent, entry), (result, closing))
                _require_one_view(intent, result, trust)
            except LogError as error:
                errors.append(error)
                continue
            bound.setdefault(intent.proof.index, []).append(intent)
        found += [_logged(same, result, trust) for same in bound.values()]
    if found:
        distinct = dict.fromkeys(found)
        return tuple(sorted(distinct, key=lambda one: -len(one.cosignatures)))
    if shown and not (intents and results):
        errors.append(_unbound("the log proofs do not show both an intent and a result"))
    raise max(errors, key=_progress, default=LogError("the receipt has no log proof", check="log"))


_ORDER: Final = (
    "format",
    "origin",
    "signature",
    "cosignature",
    "inclusion",
    "entry",
    "binding",
    "view",
)


def _progress(error: Error) -> int:
    name = (error.check or "").removeprefix("log.")
    return _ORDER.index(name) if name in _ORDER else -1


def _require_bound(
    statement: Statement, shown_intent: tuple[_Shown, Intent], shown_result: tuple[_Shown, Result]
) -> None:
    """7. The two entries are about this statement, and in one log."""
    (intent, entry), (result, closing) = shown_intent, shown_result
    sequence = statement.sequence
    expected = {
        "log": (intent.log.name, result.log.name),
        "origin": (entry.origin, intent.log.name),
        "statement": (closing.statement, statement.receipt_id),
        "intent": (closing.intent, intent.proof.index),
        "intent digest": (entry.digest, sequence.intent),
        "stream": (entry.stream, sequence.stream),
        "number": (entry.number, sequence.number),
        "previous": (entry.previous, sequence.previous),
        "model": (entry.model, statement.model.digest),
        "input": (entry.input, str(statement.input.received)),
        "parameters": (entry.parameters, parameters_digest(statement.parameters)),
        "request_id": (entry.request_id, statement.request_id),
        "seed": (entry.seed, statement.seed.mode),
        "seed_key": (entry.seed_key, _seed_key(statement)),
    }
    for name, (logged, stated) in expected.items():
        if logged != stated:
            raise _unbound(f"{name}: the log has {logged!r:.90}, not {stated!r:.90}")
    if intent.proof.index >= result.proof.index:
        raise _unbound(
            f"the intent, {intent.proof.index}, is not before the result, {result.proof.index}"
        )


def _seed_key(statement: Statement) -> str:
    """Return the key that the proof of a seed begins with."""
    return base64.b64decode(statement.seed.proof)[:_SEED_KEY_BYTES].hex()


_SEED_KEY_BYTES: Final = 32


def _require_one_view(intent: _Shown, result: _Shown, trust: LogTrust) -> None:
    """8. Enough cosigners saw both checkpoints, so that they are of one history."""
    if not intent.shares_view(result, trust):
        raise LogError(
            f"intent and result are under checkpoints of {intent.proof.checkpoint.size} and "
            f"{result.proof.checkpoint.size} leaves, which no {max(1, trust.min_cosigners)} "
            "named cosigners both signed",
            check="log.view",
        )


def _logged(intents: list[_Shown], result: _Shown, trust: LogTrust) -> Logged:
    """Say what proofs of one intent show together with the proof of its result."""
    seen: dict[NoteKey, int] = {}
    for one in intents:
        for cosignature in one.cosignatures:
            time = seen.get(cosignature.key, cosignature.timestamp)
            seen[cosignature.key] = min(time, cosignature.timestamp)
    both = max((_of_both(one, result) for one in intents), key=len)
    entry = intents[0].entry
    return Logged(
        log=result.log,
        intent=intents[0].proof.index,
        result=result.proof.index,
        cosignatures=both,
        num_named=len(trust.cosigners),
        intent_time=entry.time,
        intent_seen=tuple(Cosignature(key, time) for key, time in seen.items()),
    )


def _of_both(intent: _Shown, result: _Shown) -> tuple[Cosignature, ...]:
    times = {one.key: one.timestamp for one in intent.cosignatures}
    return tuple(
        replace(one, timestamp=min(one.timestamp, times[one.key]))
        for one in result.cosignatures
        if one.key in times
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

    Earlier proofs of other checkpoints that hold are kept: an early one that is cosigned shows
    that the intent was seen before, which no later checkpoint does.

    Raises:
        InputError: the log has no result for this receipt.
        LogError: the log's files do not lead to its checkpoint.
    """
    result, intent = log.find_result(receipt.receipt_id)
    # Both under one checkpoint, which covers the later one.
    closing = log.prove(result)
    opening = log.prove(intent, closing.checkpoint)
    proofs = {one.to_bytes(): one for one in (opening, closing)}
    if receipt.statement.seed.mode == "vrf+beacon":
        early = log.first_cosigned(intent)
        if early is not None and early.size < closing.checkpoint.size:
            one = log.prove(intent, early)
            proofs[one.to_bytes()] = one
    for one in _kept(receipt, log, (opening, closing)):
        if len(proofs) < MAX_LOG_PROOFS:
            proofs[one.to_bytes()] = one
    others = tuple(blob for blob in receipt.evidence if not LogProof.is_one(blob))
    ordered = sorted(proofs, key=lambda blob: (proofs[blob].checkpoint.size, proofs[blob].index))
    return replace(receipt, evidence=(*others, *ordered))


def compare(receipt: Receipt, log: Log) -> int:
    """Hold the log proofs of a receipt against a log's own files; return how many there are.

    So whoever audits a log sees that the holder of the receipt was shown the same one.

    Raises:
        ConsistencyError: the log is not the one under a proof's checkpoint.
        LogError: the receipt has no proof of this log, or the log has another entry.
    """
    reader, count = log.reader(), 0
    for blob in log_proofs(receipt):
        try:
            proof = _verified(blob, LogTrust(logs=(log.key,))).proof
        except VerificationError:
            continue  # of another log, or of none: it shows nothing about this one
        require_of_tree(reader, proof.checkpoint, where="log proof")
        if reader.entry(proof.index) != proof.entry:
            raise LogError(
                f"entry {proof.index} is another one", where="log proof", check="log.entry"
            )
        count += 1
    if not count:
        raise LogError("the receipt has no proof of this log", check="log")
    return count


def _kept(receipt: Receipt, log: Log, newest: tuple[LogProof, ...]) -> list[LogProof]:
    """Return the receipt's proofs of the same entries under older cosigned checkpoints."""
    entries = {(one.index, one.entry) for one in newest}
    texts = {one.checkpoint.note.text for one in newest}
    found: list[LogProof] = []
    for blob in log_proofs(receipt):
        try:
            one = _verified(blob, LogTrust(logs=(log.key,))).proof
        except VerificationError:
            continue
        is_other = one.checkpoint.note.text not in texts and (one.index, one.entry) in entries
        if is_other and len(one.checkpoint.note.signatures) > 1:
            found.append(one)
    return sorted(found, key=lambda one: one.checkpoint.size)
