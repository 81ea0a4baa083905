"""The process: a socket, a gateway, signals."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import uvicorn

from veridical.errors import InputError
from veridical.origins import Origins
from veridical.serve.access import AccessLog
from veridical.serve.app import Edge, GatewayApp
from veridical.serve.connections import ConnectionLimits, guarded, raise_open_files
from veridical.serve.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.serve.gateway import Settings

__all__ = ["Listen", "Server", "bound", "serve"]

_SWITCH_SECONDS: Final = 0.0005
#: How long a stop waits for requests that are under way.
_GRACE_SECONDS: Final = 10
_IDLE_SECONDS: Final = 30
_BACKLOG: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """Where a gateway listens, and to whom."""

    host: str = "127.0.0.1"
    port: int = 8080
    #: Names that it answers to beside loopback addresses. A gateway with keys that is given none
    #: answers to every name.
    names: tuple[str, ...] = ()
    #: Origins of other pages that may ask it.
    pages: tuple[str, ...] = ()
    max_connections: int = 4096
    has_access_log: bool = False

    def origins(self, *, is_open: bool) -> Origins | None:
        """Return what `Host` and `Origin` are held against."""
        if not is_open and not self.names:
            return None
        return Origins(names=self.names, pages=self.pages)


def serve(
    settings: Settings,
    listen: Listen,
    *,
    on_start: Callable[[Gateway, str], None] | None = None,
) -> None:
    """Serve until a signal asks to stop; requests under way are answered first.

    `on_start` is told the gateway and its address.

    Raises:
        InputError: a model, a key, the log, the database or the address cannot be used.
    """
    limits = ConnectionLimits(connections=min(listen.max_connections, raise_open_files()))
    access_log = AccessLog() if listen.has_access_log else None
    listener = bound(listen)
    with closing(listener):
        gateway = Gateway(settings)
        try:
            edge = Edge(
                origins=listen.origins(is_open=settings.is_open),
                access_log=access_log,
                connections=limits,
            )
            if on_start is not None:
                on_start(gateway, _address(listener))
            app = GatewayApp(gateway, edge)
            _tune()
            with suppress(KeyboardInterrupt):  # the usual way to stop it
                Server(app, limits).run(sockets=[listener])
        finally:
            gateway.close()
            if access_log is not None:
                access_log.close()


def _tune() -> None:
    """Set the interpreter up for threads that wait for the disk, and for little garbage."""
    # A thread that comes back from the disk gets its turn after this, not after 5 ms.
    sys.setswitchinterval(_SWITCH_SECONDS)
    # What is loaded by now stays: full collections need not look at it, and end in no time.
    gc.collect()
    gc.freeze()


class Server(uvicorn.Server):
    """uvicorn, which here tells the application first that it stops."""

    def __init__(self, app: GatewayApp, limits: ConnectionLimits) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=guarded(limits),
                ws="none",
                loop="uvloop",
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # nothing rests on where a request says that it came from
                lifespan="on",  # a gateway that cannot start is none
                backlog=_BACKLOG,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                timeout_keep_alive=_IDLE_SECONDS,
            )
        )
        self._app = app
        logging.getLogger("uvicorn.error").addFilter(_is_news)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams and slow bodies, then wait for the rest."""
        self._app.stop()
        await super().shutdown(sockets)


def _is_news(record: logging.LogRecord) -> bool:
    """Drop what any stranger can have written as often as he likes."""
    return not record.getMessage().startswith(("Invalid HTTP request", "Unsupported upgrade"))


def bound(listen: Listen) -> socket.socket:
    """Take the address; connections are accepted once everything else is open.

    Raises:
        InputError: it cannot be had.
    """
    try:
        found = socket.getaddrinfo(
            listen.host, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        found.sort(key=lambda one: one[0] != socket.AF_INET)  # `localhost` is 127.0.0.1 to most
        family, kind, protocol, _, address = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen: {error.strerror or error}",
            where=f"{listen.host}:{listen.port}",
            advice="Choose another --port, or stop what listens there.",
        ) from error
    return bound


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
