"""Event logs: the events give the registers, or nothing is believed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.unit.tee.scenes import simulator
from veridical.errors import QuoteError
from veridical.tee import Claims, Family, parse_quote
from veridical.tee.runtime import APPLICATION_EVENT, MODEL_EVENT, Event, EventLog, event_digest
from veridical.tee.simulator.intel import SimulatedIntel

BOOT = Event(register=0, type=0x8000000B, digest=b"\x01" * 48, payload=b"boot")
EVENTS = (
    BOOT,
    Event.of_application("app-id", b"\x37\x63"),
    Event.of_application(MODEL_EVENT, bytes(32)),
)


def claims(events: tuple[Event, ...] = EVENTS) -> Claims:
    base = simulator()
    assert isinstance(base.machine, SimulatedIntel)
    blob, _ = replace(base.machine, events=events).quote(bytes(64))
    return parse_quote(Family.TDX, blob.content).unverified_claims()


def test_the_digest_of_an_event_is_that_of_dstack() -> None:
    # Computed by dstack for its own event `system-preparing`.
    expected = "f9974020ef507068183313d0ca808e0d1ca9b2d1ad0c61f5"
    expected += "784e7157c362c06536f5ddacdad4451693f48fcc72fff624"
    assert event_digest(APPLICATION_EVENT, "system-preparing", b"").hex() == expected


def test_events_give_the_registers() -> None:
    log = EventLog(EVENTS)
    log.require_replay(claims())
    assert list(log.models()) == [bytes(32)]
    assert EventLog.from_bytes(log.to_bytes()) == log


@pytest.mark.parametrize(
    "events",
    [
        EVENTS[:2],
        EVENTS[1:2],
        EVENTS[::-1][:2],
        (*EVENTS, EVENTS[-1]),
        (*EVENTS[:2], Event.of_application(MODEL_EVENT, b"\x01" * 32)),
        (*EVENTS[:2], replace(EVENTS[2], payload=b"\x01" * 32)),
        (replace(BOOT, digest=bytes(48)), *EVENTS[1:]),
        (replace(BOOT, register=1), *EVENTS[1:]),
    ],
)
def test_other_events_do_not(events: tuple[Event, ...]) -> None:
    with pytest.raises(QuoteError) as raised:
        EventLog(events).require_replay(claims())
    assert raised.value.check == "tee.event-log"


def test_an_event_of_another_register_names_no_model() -> None:
    elsewhere = replace(Event.of_application(MODEL_EVENT, bytes(32)), register=2)
    untyped = replace(Event.of_application(MODEL_EVENT, bytes(32)), type=1)
    short = Event.of_application(MODEL_EVENT, bytes(31))
    assert not list(EventLog((elsewhere, untyped, short)).models())


def test_a_log_as_dstack_hands_it_out() -> None:
    items = [
        {
            "imr": event.register,
            "event_type": event.type,
            "digest": event.digest.hex(),
            "event": event.name,
            "event_payload": event.payload.hex(),
        }
        for event in EVENTS
    ]
    assert EventLog.from_dstack(json.dumps(items).encode()) == EventLog(EVENTS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b"[" * 5000,
        b'[{"imr":9,"event_type":1,"digest":"%s"}]' % (b"00" * 48),
        b'[{"imr":0,"event_type":1,"digest":"00"}]',
        b'[{"imr":0,"event_type":"1","digest":"%s"}]' % (b"00" * 48),
        b'[{"imr":0,"event_type":1,"digest":"%s","event":5}]' % (b"00" * 48),
        b'[{"imr":0,"event_type":1,"digest":"%s","event":"\\u0007"}]' % (b"00" * 48),
        b'[{"imr":true,"event_type":1,"digest":"%s"}]' % (b"00" * 48),
    ],
)
def test_what_is_no_log_is_refused(content: bytes) -> None:
    with pytest.raises(QuoteError) as raised:
        EventLog.from_dstack(content)
    assert raised.value.check == "tee.event-log"
    with pytest.raises(QuoteError):
        EventLog.from_bytes(content)
