"""The page audits a log extract as `veridical log audit` audits the log."""

from __future__ import annotations

import base64
import json
import random
import subprocess
from typing import TYPE_CHECKING, Any, Final

from tests.repository import ROOT
from tests.unit.tlog.logs import NOW, ORIGIN, draft, statement
from veridical.tlog import Intent, Result, Void, audit

if TYPE_CHECKING:
    from veridical.tlog import Entry

LOGS: Final = 150


def entries_of(source: random.Random) -> list[bytes]:
    """Return a log that follows its rules here, and breaks them there."""
    entries: list[bytes] = []
    last: dict[str, Intent] = {}
    for _ in range(source.randrange(12)):
        time = NOW + source.choice([0, 0, 1, 5, -40, 500])
        if source.random() < 0.55:
            entry: Entry = intent_of(source, last, time)
        else:
            leaf = source.randrange(len(entries) + 1)
            ends: list[Entry] = [
                Result(intent=leaf, statement=statement(source.randrange(6)), time=time),
                Void(intent=leaf, reason=source.choice(["deadline", "failed"]), time=time),
            ]
            entry = source.choice(ends)
        content = entry.to_bytes()
        if source.random() < 0.05:
            content = content.replace(b'"time":', b'"time": ')
        entries.append(content)
    return entries


def intent_of(source: random.Random, last: dict[str, Intent], time: int) -> Intent:
    """Return the next intent of a stream, or one that is none."""
    stream = source.choice(["live", "batch"])
    before = last.get(stream)
    number = 0 if before is None else before.number + source.choice([1, 1, 1, 1, 2, 0, -1])
    number = max(number, 0)
    previous = "" if number == 0 else source.choice([statement(0)] * 1 + [digest_of(before)] * 4)
    intent = draft(stream, source.choice(["", "order-1", f"order-{source.random()}"])).numbered(
        number, previous, origin=source.choice([ORIGIN] * 9 + ["log.example/other"]), time=time
    )
    last[stream] = intent
    return intent


def digest_of(intent: Intent | None) -> str:
    return statement(1) if intent is None else intent.digest


def test_page_and_command_find_the_same() -> None:
    source = random.Random(4711)  # noqa: S311 - cases, no secrets
    logs = [entries_of(source) for _ in range(LOGS)]
    given = [
        {
            "entries": [base64.b64encode(entry).decode() for entry in entries],
            "origin": ORIGIN,
            "now": NOW + 100,
        }
        for entries in logs
    ]
    done = subprocess.run(
        ["node", str(ROOT / "page" / "tests" / "audit_of.mjs")],
        input=json.dumps(given).encode(),
        capture_output=True,
        check=True,
    )
    seen: set[str] = set()
    for entries, found in zip(logs, json.loads(done.stdout), strict=True):
        expected = audit(entries, origin=ORIGIN, now=NOW + 100).to_value()
        findings: Any = expected["findings"]
        assert sorted(found["findings"]) == sorted([one["kind"], one["leaf"]] for one in findings)
        seen |= {one["kind"] for one in findings}
        streams: Any = expected["streams"]
        names = ("intents", "results", "voids", "open", "repeats", "reasons")
        of_page = {one["name"]: [one[name] for name in names] for one in found["streams"]}
        assert of_page == {one["stream"]: [one[name] for name in names] for one in streams}
    assert len(seen) >= 10, seen  # otherwise the logs were too good
