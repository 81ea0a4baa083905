"""One line of JSON for each request, written beside the event loop.

Lines name callers by key id and models by name. No secret, no header and no part of a question or
an answer is in them.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from typing import TYPE_CHECKING, Final, TextIO

import orjson

if TYPE_CHECKING:
    from veridical.serve.exchange import Exchange

__all__ = ["AccessLog"]

#: More lines than this wait for a reader that does not read: the next ones are counted only.
_MAX_WAITING: Final = 10_000
_MAX_PATH: Final = 200
_AT_ONCE: Final = 256


class AccessLog:
    """Writes lines to a stream, standard error if none is named."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._lines: queue.Queue[bytes | None] = queue.Queue(_MAX_WAITING)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="access-log", daemon=True)
        self._thread.start()

    def note(self, exchange: Exchange) -> None:
        """Note a request that was answered, or whose client went away (status 0)."""
        line = orjson.dumps(
            {
                "time": round(time.time(), 6),
                "request_id": exchange.request_id.decode("ascii"),
                "method": exchange.method,
                "path": exchange.path[:_MAX_PATH].encode("utf-8", "replace").decode("utf-8"),
                "route": exchange.route,
                "status": exchange.status,
                "error": exchange.error,
                "key_id": exchange.key_id,
                "bytes_in": exchange.num_read,
                "bytes_out": exchange.num_sent,
                "ms": round(exchange.seconds() * 1000, 3),
            }
        )
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._lost += 1

    def close(self) -> None:
        """Write what waits."""
        if self._thread.is_alive():
            try:
                self._lines.put(None, timeout=1)
            except queue.Full:
                return  # nobody reads: the thread ends with the process
            self._thread.join(timeout=2)

    def _write(self) -> None:
        is_open = True
        while is_open:
            lines = [self._lines.get()]
            while len(lines) < _AT_ONCE:
                try:
                    lines.append(self._lines.get_nowait())
                except queue.Empty:
                    break
            is_open = None not in lines
            lost, self._lost = self._lost, 0
            if lost:
                lines.append(orjson.dumps({"time": round(time.time(), 6), "lost_lines": lost}))
            text = "".join(f"{line.decode('utf-8')}\n" for line in lines if line is not None)
            try:
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):  # its reader went away
                return
