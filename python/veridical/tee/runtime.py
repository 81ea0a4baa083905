"""What code loaded after it had started: event logs, replayed against the registers of a quote.

Spec: spec/v1/tee.md, section 7. The log is not signed; that its events, in their order, give the
registers is what makes it believable.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from veridical.errors import InternalError, MalformedError
from veridical.receipt.canonical import decode, encode
from veridical.receipt.members import Members
from veridical.tee.quote import refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from veridical.receipt.canonical import Value
    from veridical.tee.claims import Claims

__all__ = ["APPLICATION_EVENT", "MODEL_EVENT", "Event", "EventLog", "event_digest"]

#: Type of the events that an application adds to register 3.
APPLICATION_EVENT: Final = 0x08000001
#: Name of the event whose payload is a model digest.
MODEL_EVENT: Final = "veridical.model"
#: Ten values an event, of 4096 that a document may have.
MAX_EVENTS: Final = 512
_LOG_MAX_BYTES: Final = 256 * 1024
_FOREIGN_MAX_BYTES: Final = 1024 * 1024
_VERSION: Final = "veridical-event-log/v1"
_REGISTERS: Final = 4
_APPLICATION_REGISTER: Final = 3
_REGISTER_BYTES: Final = 48
_MODEL_BYTES: Final = 32
_MAX_PAYLOAD: Final = 65536


def event_digest(kind: int, name: str, payload: bytes) -> bytes:
    """Return by how much an application's event extends its register."""
    content = b":".join((kind.to_bytes(4, "little"), name.encode("ascii"), payload))
    return hashlib.sha384(content).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event: what extended which register."""

    register: int
    type: int
    digest: bytes
    name: str = ""
    payload: bytes = b""

    @classmethod
    def of_application(cls, name: str, payload: bytes) -> Self:
        """Make an event as an application adds it."""
        return cls(
            register=_APPLICATION_REGISTER,
            type=APPLICATION_EVENT,
            digest=event_digest(APPLICATION_EVENT, name, payload),
            name=name,
            payload=payload,
        )

    def to_value(self) -> dict[str, Value]:
        """Return the JSON form."""
        return {
            "digest": self.digest.hex(),
            "event": self.name,
            "payload": self.payload.hex(),
            "register": self.register,
            "type": self.type,
        }

    @classmethod
    def from_value(cls, value: Value, *, where: str) -> Self:
        """Read the JSON form."""
        names = ("digest", "event", "payload", "register", "type")
        members = Members(value, names, where=where)
        register = members.count("register")
        if register >= _REGISTERS:
            raise members.refuse("register", f"register {register} does not exist")
        digest = _hex(members, "digest", 2 * _REGISTER_BYTES)
        if len(digest) != _REGISTER_BYTES:
            raise members.refuse("digest", "not a SHA-384")
        return cls(
            register=register,
            type=members.count("type"),
            digest=digest,
            name=members.text("event"),
            payload=_hex(members, "payload", _MAX_PAYLOAD),
        )


def _hex(members: Members, name: str, most: int) -> bytes:
    text = members.text(name, max_length=most)
    try:
        content = bytes.fromhex(text)
    except ValueError as error:
        raise members.refuse(name, "not hexadecimal") from error
    if content.hex() != text:
        raise members.refuse(name, "not lower-case hexadecimal")
    return content


@dataclass(frozen=True, slots=True)
class EventLog:
    """Events in the order in which they happened."""

    events: tuple[Event, ...]

    def to_bytes(self) -> bytes:
        """Return the one encoding."""
        events: list[Value] = [event.to_value() for event in self.events]
        return encode({"events": events, "version": _VERSION})

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse an event log; whatever it returns encodes to the same bytes again.

        Raises:
            QuoteError: it breaks the format.
        """
        try:
            document = decode(untrusted, max_bytes=_LOG_MAX_BYTES, where="event log")
            members = Members(document, ("events", "version"), where="event log")
            members.literal("version", _VERSION)
            items = members.items("events", max_items=MAX_EVENTS)
            events = tuple(
                Event.from_value(value, where=f"event log[{index}]")
                for index, value in enumerate(items)
            )
        except MalformedError as error:
            raise refused("event-log", error.message, error.where) from error
        if not events:
            raise refused("event-log", "a log without an event", "event log")
        return cls(events)

    @classmethod
    def from_dstack(cls, untrusted: bytes) -> Self:
        """Read a log as dstack hands it out: a JSON list, names and hex as they come.

        Raises:
            QuoteError: it is no such list.
        """
        if len(untrusted) > _FOREIGN_MAX_BYTES:
            raise refused("event-log", f"{len(untrusted)} bytes of event log", "event log")
        try:
            items = json.loads(untrusted)
            events = tuple(
                Event(
                    register=item["imr"],
                    type=item["event_type"],
                    digest=bytes.fromhex(item["digest"]),
                    name=item.get("event", ""),
                    payload=bytes.fromhex(item.get("event_payload", "")),
                )
                for item in items
            )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise refused("event-log", f"not an event log: {error}", "event log") from error
        # Through the one form, which refuses every value that it cannot hold.
        try:
            return cls.from_bytes(cls(events).to_bytes())
        except (InternalError, TypeError, AttributeError) as error:
            raise refused("event-log", f"not an event log: {error}", "event log") from error

    def replay(self) -> dict[int, bytes]:
        """Return the value of every register that an event extended."""
        registers: dict[int, bytes] = {}
        for event in self.events:
            before = registers.get(event.register, bytes(_REGISTER_BYTES))
            registers[event.register] = hashlib.sha384(before + event.digest).digest()
        return registers

    def require_replay(self, claims: Claims) -> None:
        """Raise unless the events give the registers of a quote.

        Raises:
            QuoteError: a register has another value, or an event another digest.
        """
        for index, event in enumerate(self.events):
            is_ours = event.type == APPLICATION_EVENT
            if is_ours and event.digest != event_digest(event.type, event.name, event.payload):
                raise refused("event-log", "an event has another digest", f"event log[{index}]")
        for register, value in self.replay().items():
            if claims.measurements.get(f"rtmr{register}") != value.hex():
                raise refused(
                    "event-log",
                    f"the events do not give register {register} of the quote",
                    claims.family.value,
                )

    def models(self) -> Iterator[bytes]:
        """Yield the model digests that the code says it loaded."""
        for event in self.events:
            is_ours = (event.type, event.register) == (APPLICATION_EVENT, _APPLICATION_REGISTER)
            if is_ours and event.name == MODEL_EVENT and len(event.payload) == _MODEL_BYTES:
                yield event.payload
