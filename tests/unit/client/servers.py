"""Servers that answer with bytes of a test's choice, on a real socket."""

from __future__ import annotations

import contextlib
import re
import socketserver
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Gets the head of a request, its body, and the way back.
Answer = "Callable[[bytes, bytes, Callable[[bytes], Any]], None]"


@contextlib.contextmanager
def serving(answer: Callable[[bytes, bytes, Callable[[bytes], Any]], None]) -> Iterator[str]:
    """Serve one answer per connection, and return the address."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            length = re.search(rb"(?im)^content-length: (\d+)", head)
            body = self.rfile.read(int(length[1]) if length else 0)
            with contextlib.suppress(OSError):  # the client has seen enough
                answer(head, body, self.connection.sendall)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
