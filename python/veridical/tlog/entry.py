"""What is logged: intents, and the results or voids that close them.

Spec: spec/v1/log.md, section 4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from veridical.commitment import Commitment, sha256_digest
from veridical.errors import Error, InputError, InternalError, MalformedError
from veridical.receipt import canonical
from veridical.receipt.members import Members, require_object

if TYPE_CHECKING:
    from veridical.receipt.canonical import Value
    from veridical.receipt.statement import Parameters

__all__ = [
    "ENTRY_MAX_BYTES",
    "Entry",
    "Intent",
    "IntentDraft",
    "Result",
    "Void",
    "entry_from_bytes",
    "parameters_digest",
    "require_origin",
    "require_valid",
]

ENTRY_MAX_BYTES: Final = 4096
INTENT_TYPE: Final = "veridical-intent/v1"
RESULT_TYPE: Final = "veridical-result/v1"
VOID_TYPE: Final = "veridical-void/v1"
SEED_MODES: Final = ("none", "vrf", "vrf+beacon")

#: With a seed, and for mode `none`.
_SEED_KEY: Final = (re.compile(r"[0-9a-f]{64}"), re.compile(""))

_INTENT_TAG: Final = "veridical.intent.v1"
_PARAMETERS_TAG: Final = "veridical.parameters.v1"


def parameters_digest(parameters: Parameters) -> str:
    """Return the digest under which an intent names the parameters of a statement."""
    return sha256_digest(_PARAMETERS_TAG, canonical.encode(parameters.to_value()))


@dataclass(frozen=True, kw_only=True)  # no slots: its bytes are made once and kept
class Intent:
    """A run that is about to be made, under a number that nobody else gets.

    It names its log, so that one intent stands in one log, and the key of its seed, so that a
    provider with several keys cannot choose among their draws afterwards.
    """

    origin: str
    stream: str
    number: int
    previous: str
    model: str
    input: str
    parameters: str
    request_id: str
    seed: str
    seed_key: str
    time: int

    @cached_property
    def digest(self) -> str:
        """The digest that the next intent and the statement name."""
        return sha256_digest(_INTENT_TAG, self.to_bytes())

    @cached_property
    def _encoded(self) -> bytes:
        return canonical.encode(self.to_value())

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "input": self.input,
            "model": self.model,
            "number": self.number,
            "origin": self.origin,
            "parameters": self.parameters,
            "previous": self.previous,
            "request_id": self.request_id,
            "seed": self.seed,
            "seed_key": self.seed_key,
            "stream": self.stream,
            "time": self.time,
            "type": INTENT_TYPE,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return self._encoded

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        names = ("input", "model", "number", "origin", "parameters", "previous", "request_id")
        last = ("seed", "seed_key", "stream", "time", "type")
        members = Members(value, (*names, *last), where=where)
        members.literal("type", INTENT_TYPE)
        text = members.text("input")
        Commitment.from_text(text, where=members.where("input"))
        intent = cls(
            origin=_short_text(members, "origin"),
            stream=_short_text(members, "stream"),
            number=members.count("number"),
            previous=members.digest("previous", is_optional=True),
            model=members.digest("model"),
            input=text,
            parameters=members.digest("parameters"),
            request_id=members.text("request_id"),
            seed=members.text("seed"),
            seed_key=members.text("seed_key"),
            time=members.count("time"),
        )
        if intent.seed not in SEED_MODES:
            raise members.refuse("seed", f"no mode of a seed: {intent.seed[:40]!r}")
        if _SEED_KEY[intent.seed == "none"].fullmatch(intent.seed_key) is None:
            raise members.refuse("seed_key", "a seed has a key of 64 digits, mode 'none' has none")
        if (intent.number == 0) != (intent.previous == ""):
            raise members.refuse("previous", "previous is empty if and only if number is 0")
        return intent


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentDraft:
    """An intent that the log has not numbered yet."""

    stream: str
    model: str
    input: str
    parameters: str
    request_id: str = ""
    seed: str = "none"
    #: Of the key that will make the seed, in hexadecimal; empty for mode `none`.
    seed_key: str = ""

    def numbered(self, number: int, previous: str, *, origin: str, time: int) -> Intent:
        """Return the intent under the next number of its stream, in the log of this origin."""
        return Intent(
            origin=origin,
            stream=self.stream,
            number=number,
            previous=previous,
            model=self.model,
            input=self.input,
            parameters=self.parameters,
            request_id=self.request_id,
            seed=self.seed,
            seed_key=self.seed_key,
            time=time,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The receipt that closes an intent."""

    intent: int
    statement: str
    time: int

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "intent": self.intent,
            "statement": self.statement,
            "time": self.time,
            "type": RESULT_TYPE,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("intent", "statement", "time", "type"), where=where)
        members.literal("type", RESULT_TYPE)
        return cls(
            intent=members.count("intent"),
            statement=members.digest("statement"),
            time=members.count("time"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Void:
    """Why an intent has no result."""

    intent: int
    reason: str
    time: int

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "intent": self.intent,
            "reason": self.reason,
            "time": self.time,
            "type": VOID_TYPE,
        }

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        return canonical.encode(self.to_value())

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        members = Members(value, ("intent", "reason", "time", "type"), where=where)
        members.literal("type", VOID_TYPE)
        return cls(
            intent=members.count("intent"),
            reason=_short_text(members, "reason"),
            time=members.count("time"),
        )


Entry: TypeAlias = Intent | Result | Void
_CLASS_OF: Final[dict[str, type[Entry]]] = {
    INTENT_TYPE: Intent,
    RESULT_TYPE: Result,
    VOID_TYPE: Void,
}


def entry_from_bytes(untrusted: bytes, *, where: str = "entry") -> Entry:
    """Parse one entry; whatever it returns encodes to the same bytes again.

    Raises:
        MalformedError: by subclass; check `log.entry`.
    """
    try:
        value = canonical.decode(untrusted, max_bytes=ENTRY_MAX_BYTES, where=where)
        kind = require_object(value, where=where).get("type")
        return _class_of(kind, where=where).from_value(value, where=where)
    except MalformedError as error:
        raise type(error)(error.message, where=error.where, check="log.entry") from error


def _class_of(kind: Value | None, *, where: str) -> type[Entry]:
    entry = _CLASS_OF.get(kind) if isinstance(kind, str) else None
    if entry is None:
        raise MalformedError(f"unknown type of entry {str(kind)[:40]!r}", where=where)
    return entry


def require_origin(origin: str) -> None:
    """Return if intents can name a log by this origin.

    Raises:
        InputError: it is no canonical string.
    """
    try:
        canonical.encode({"origin": origin})
    except InternalError as error:
        raise InputError(
            f"{origin[:80]!r} is no origin of a log: {error.message}",
            advice="Take a URL without its scheme in ASCII, such as log.example/provider.",
        ) from error


def require_valid(entry: Entry) -> bytes:
    """Return the bytes of an entry that a reader takes.

    Raises:
        InputError: a member is something that the format does not allow.
    """
    try:
        content = entry.to_bytes()
        if len(content) > ENTRY_MAX_BYTES:
            raise InputError(f"an entry has at most {ENTRY_MAX_BYTES} bytes, not {len(content)}")
        # What the encoder takes is read back as it was; the members are left to be checked.
        type(entry).from_value(entry.to_value(), where="entry")
    except Error as error:
        raise InputError(error.message, where=error.where) from error
    return content


def _short_text(members: Members, name: str) -> str:
    text = members.text(name)
    if not text:
        raise members.refuse(name, "expected at least one character")
    return text
