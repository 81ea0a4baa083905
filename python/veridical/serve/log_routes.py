"""The files of the log, for whoever follows or audits it.

Spec: spec/v1/serve.md, section 1; spec/v1/log.md, section 5. A log is for everybody to read, so no
key is asked for. Its entries hold commitments, request ids and times.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from veridical.inference_protocol import ProtocolError
from veridical.serve.intents import TransparencyLog

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.serve.exchange import Exchange
    from veridical.serve.gateway import Gateway

__all__ = ["show_log"]

_HEADS: Final = frozenset({"checkpoint", "checkpoint.cosigned"})
#: Paths of tlog-tiles and no other: nothing else below the folder is anybody's.
_TILE: Final = re.compile(
    r"tile/(?:[0-9]|[1-5][0-9]|6[0-3]|entries)/(?:x[0-9]{3}/){0,6}[0-9]{3}"
    r"(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)
_TEXT: Final = b"text/plain; charset=utf-8"
_BYTES: Final = b"application/octet-stream"
_CHANGING: Final = b"no-cache"
#: What a path of a tile names never changes.
_IMMUTABLE: Final = b"public, max-age=31536000, immutable"


async def show_log(gateway: Gateway, path: str, exchange: Exchange) -> None:
    """Answer with one file of the gateway's log.

    Raises:
        ProtocolError: there is no such file.
    """
    is_head = path in _HEADS
    if not is_head and _TILE.fullmatch(path) is None:
        raise _unknown()
    log = gateway.log
    if not isinstance(log, TransparencyLog):
        raise ProtocolError(404, "no_log", "this gateway keeps no log")
    content = await run_in_threadpool(_read, log.log.folder / path)
    await exchange.respond(
        200,
        content,
        media=_TEXT if is_head else _BYTES,
        cache=_CHANGING if is_head else _IMMUTABLE,
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise _unknown() from error


def _unknown() -> ProtocolError:
    return ProtocolError(404, "unknown_path", "nothing is here")
