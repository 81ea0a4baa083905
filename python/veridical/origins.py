"""Who a server without keys answers: names in `Host`, pages in `Origin`.

A server on the loopback interface is reached by every page that a browser of this machine shows.
Two things keep such a page out. A name that its owner points at 127.0.0.1 (DNS rebinding) is not
among the names that the server answers to; and a page of another origin says so in `Origin` or
`Sec-Fetch-Site`, which scripts cannot change.

Spec: spec/v1/serve.md, section 2.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Origins", "is_loopback"]

_REMEMBERED: Final = 64


class Origins:
    """Names that a server answers to, and pages of others that may ask it."""

    def __init__(self, *, names: Collection[str] = (), pages: Collection[str] = ()) -> None:
        """Answer to loopback addresses, `localhost` and `names`; `pages` are whole origins."""
        self._names = frozenset(name.lower() for name in names)
        self._pages = frozenset(page.lower().encode("latin-1") for page in pages)
        self._known: set[bytes] = set()

    def problem(self, method: str, headers: Mapping[bytes, bytes]) -> tuple[str, str] | None:
        """Return the name and the text of what is wrong with a request; None if nothing is."""
        host = headers.get(b"host")
        if host is None:
            return "bad_host", "the header Host is missing"
        if not self._is_known(host):
            return "bad_host", (
                f"this server does not answer to {_shown(host)}; "
                "names beside loopback addresses have to be configured"
            )
        origin = headers.get(b"origin")
        if origin is not None:
            page, own = origin.lower(), host.lower()
            if page in self._pages or page in {b"http://" + own, b"https://" + own}:
                return None
            return "bad_origin", f"pages of {_shown(origin)} may not ask this server"
        if headers.get(b"sec-fetch-site") == b"cross-site" and not (
            method in {"GET", "HEAD"} and headers.get(b"sec-fetch-mode") == b"navigate"
        ):
            return "bad_origin", "pages of other sites may not ask this server"
        return None

    def _is_known(self, host: bytes) -> bool:
        if host in self._known:
            return True
        name = _name_of(host)
        if name is None or not (name in self._names or is_loopback(name)):
            return False
        if len(self._known) < _REMEMBERED:
            self._known.add(host)
        return True


def is_loopback(host: str) -> bool:
    """Say whether a name or an address is this machine's own, whatever a name server says."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _name_of(host: bytes) -> str | None:
    """Return the lower-case name or address of a `Host` header without its port."""
    try:
        text = host.decode("ascii").lower()
    except UnicodeDecodeError:
        return None
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            return None
        port = port[1:]
    else:
        name, _, port = text.partition(":")
    if port and not (port.isdigit() and len(port) <= 5):  # noqa: PLR2004 - up to 65535
        return None
    return name or None


def _shown(value: bytes) -> str:
    return repr(value[:80].decode("latin-1"))
