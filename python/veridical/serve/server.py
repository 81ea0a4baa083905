"""The process: a socket, a gateway, signals."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import uvicorn

from veridical.serve.app import make_app
from veridical.serve.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.serve.gateway import Settings

__all__ = ["serve"]

#: How long a stop waits for requests that are under way.
_GRACE_SECONDS: Final = 20


def serve(
    settings: Settings,
    *,
    host: str,
    port: int,
    on_start: Callable[[Gateway], None] | None = None,
) -> None:
    """Serve until a signal asks to stop; requests under way are answered first.

    Raises:
        InputError: a model, a key, the log or the database cannot be used.
    """
    gateway = Gateway(settings)
    try:
        if on_start is not None:
            on_start(gateway)
        with suppress(KeyboardInterrupt):  # the usual way to stop it
            uvicorn.run(
                make_app(gateway),
                host=host,
                port=port,
                http="httptools",
                loop="uvloop",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_SECONDS,
                # A client that stops sending holds a connection, nothing else.
                timeout_keep_alive=30,
            )
    finally:
        gateway.close()
