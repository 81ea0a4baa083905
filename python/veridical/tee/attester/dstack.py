"""Quotes of TDX from the guest agent of dstack, with the event log that they rest on.

Spec: spec/v1/tee.md, section 10.3. The agent speaks HTTP over a socket: `POST /GetQuote` with
`{"report_data": hex}`, the form of agents up to 0.5 that later ones still answer.
"""

from __future__ import annotations

import http.client
import json
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from veridical.errors import QuoteError
from veridical.tee.attester.answers import (
    REPORT_DATA_BYTES,
    failed,
    require_value,
    require_value_size,
)
from veridical.tee.claims import Claims, Family
from veridical.tee.evidence import EVENT_LOG_MAX_BYTES, Attestation, QuoteBlob
from veridical.tee.runtime import EventLog

__all__ = ["SOCKETS", "DstackAgent"]

SOCKETS: Final = (
    Path("var/run/dstack.sock"),
    Path("run/dstack.sock"),
    Path("run/dstack/dstack.sock"),
)
_ANSWER_MAX_BYTES: Final = 2 * 1024 * 1024
_SECONDS: Final = 30.0


class _Connection(http.client.HTTPConnection):
    """HTTP over a socket of the file system."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(str(self._path))


@dataclass(frozen=True, slots=True)
class DstackAgent:
    """The attester of a machine that dstack runs."""

    path: Path

    def attest(self, value: bytes, /) -> Attestation:
        """Make a quote that holds a value of 32 bytes.

        Raises:
            AttesterError: the agent refused, or the answer is no quote of the value, or the event
                log does not give the registers of the quote.
        """
        where = str(self.path)
        require_value_size(value, where)
        answer = self._ask({"report_data": value.ljust(REPORT_DATA_BYTES, b"\0").hex()})
        text, log = answer.get("quote"), answer.get("event_log")
        if not isinstance(text, str) or not isinstance(log, str):
            raise failed("answer", "the agent answered with no quote and event log", where)
        try:
            content = bytes.fromhex(text)
        except ValueError as error:
            raise failed("answer", "the quote is not hexadecimal", where) from error
        claims = require_value(Family.TDX, content, value, where)
        events = self._events(log, claims)
        return Attestation((QuoteBlob(Family.TDX, content, events),))

    def _events(self, log: str, claims: Claims) -> bytes:
        """Return the event log in the form of evidence; nothing if the agent keeps none."""
        if log.strip() in {"", "[]"}:
            return b""
        try:
            events = EventLog.from_dstack(log.encode())
            events.require_replay(claims)
        except QuoteError as error:
            raise failed("event-log", error.message, str(self.path)) from error
        content = events.to_bytes()
        if len(content) > EVENT_LOG_MAX_BYTES:
            raise failed("event-log", f"{len(content)} bytes of event log", str(self.path))
        return content

    def _ask(self, question: dict[str, str]) -> dict[str, Any]:
        where = str(self.path)
        connection = _Connection(self.path)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/GetQuote", json.dumps(question), headers)
            response = connection.getresponse()
            content = response.read(_ANSWER_MAX_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise failed("interface", f"the agent does not answer: {error}", where) from error
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise failed("interface", f"the agent refused with status {response.status}", where)
        if len(content) > _ANSWER_MAX_BYTES:
            raise failed("answer", f"more than {_ANSWER_MAX_BYTES} bytes", where)
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise failed("answer", f"not JSON: {error}", where) from error
        if not isinstance(answer, dict):
            raise failed("answer", "not a JSON object", where)
        return answer
