"""One HTTP request within a time and a size, whatever the other side does."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import httpx

from veridical.errors import InputError

__all__ = ["Answered", "NoAnswerError", "fetch", "require_address"]

MAX_BYTES: Final = 64 * 1024


class NoAnswerError(InputError):
    """The other side did not answer as its protocol says."""

    default_advice = "Try again later, or ask another one."


@dataclass(frozen=True, slots=True)
class Answered:
    """Status, type and content of an answer."""

    status: int
    content_type: str
    content: bytes


def require_address(url: str) -> str:
    """Return an address without its last slash.

    Raises:
        InputError: it is no address of an HTTP server.
    """
    if not url.startswith(("http://", "https://")) or any(c.isspace() for c in url):
        raise InputError(f"not the address of a server: {url[:200]!r}")
    return url.rstrip("/")


def fetch(
    http: httpx.Client,
    method: str,
    url: str,
    *,
    seconds: float,
    content: bytes | None = None,
    max_bytes: int = MAX_BYTES,
) -> Answered:
    """Send one request and return its answer, within a size and so many seconds of its body.

    Raises:
        NoAnswerError: there is none, or it is too slow or too large.
    """
    deadline = time.monotonic() + seconds
    try:
        with http.stream(
            method, url, content=content, timeout=seconds, follow_redirects=False
        ) as response:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > max_bytes:
                    raise NoAnswerError(f"more than {max_bytes} bytes", where=url)
                if time.monotonic() > deadline:
                    raise NoAnswerError(f"no whole answer in {seconds:g} s", where=url)
            return Answered(
                response.status_code, response.headers.get("content-type", ""), bytes(body)
            )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        message = str(error) or type(error).__name__
        raise NoAnswerError(f"no answer: {message:.200}", where=url) from error
