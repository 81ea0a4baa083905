"""The page and the dashboard: files of the package, served exactly as they are.

Each has a content security policy that names the digests of its own scripts and styles, so nothing
that got into a page by another way runs there, and nothing is fetched from elsewhere.

Spec: spec/v1/serve.md, section 9.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FOLDER", "Page", "load_pages", "policy_of"]

#: Where the built page lies.
FOLDER: Final = Path(__file__).resolve().parent.parent / "page"
_MAX_FILE_BYTES: Final = 32 * 1024 * 1024
_HTML: Final = "text/html"
_IMMUTABLE: Final = b"public, max-age=31536000, immutable"
_REVALIDATE: Final = b"no-cache"
_VERSION_DIGITS: Final = 16
_SOURCES: Final = frozenset({".py", ".pyc", ".pyi", ".typed", ".map"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One file, and the headers it goes out with."""

    content: bytes
    media: bytes
    digest: str
    headers: tuple[tuple[bytes, bytes], ...]

    @property
    def tag(self) -> bytes:
        """Return the entity tag."""
        return f'"{self.digest}"'.encode("ascii")

    def is_known(self, tags: bytes | None) -> bool:
        """Say whether a reader that has contents of these tags has this one."""
        return tags is not None and self.tag in {one.strip() for one in tags.split(b",")}

    def cache(self, version: str) -> bytes:
        """Return how long it may be kept: for ever at an address that names its digest."""
        is_pinned = len(version) >= _VERSION_DIGITS and self.digest.startswith(version)
        return _IMMUTABLE if is_pinned else _REVALIDATE


def load_pages(folder: Path = FOLDER) -> dict[str, Page]:
    """Return the files of a folder by name; none if it is not there."""
    if not folder.is_dir():
        return {}
    return {
        path.name: _page(path)
        for path in sorted(folder.iterdir())
        if path.is_file()
        and path.suffix not in _SOURCES
        and not path.name.startswith((".", "_"))
        and path.stat().st_size <= _MAX_FILE_BYTES
    }


def policy_of(html: str) -> str:
    """Return the content security policy of a page: its own scripts and styles, and no others."""
    found = _Inline()
    found.feed(html)
    found.close()
    scripts = " ".join(["'self'", "'wasm-unsafe-eval'", *found.digests["script"]])
    styles = " ".join(["'self'", *found.digests["style"]])
    rules: Mapping[str, str] = {
        "default-src": "'none'",
        "script-src": scripts,
        "style-src": styles,
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "worker-src": "'self' blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def _page(path: Path) -> Page:
    content = path.read_bytes()
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    headers: list[tuple[bytes, bytes]] = []
    if media == _HTML:
        headers = [
            (b"content-security-policy", policy_of(content.decode("utf-8")).encode("ascii")),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"no-referrer"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
        ]
    if media.startswith("text/"):
        media += "; charset=utf-8"
    return Page(
        content=content,
        media=media.encode("ascii"),
        digest=hashlib.sha256(content).hexdigest(),
        headers=tuple(headers),
    )


class _Inline(HTMLParser):
    """Collects the digests of scripts and styles that stand in a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.digests: dict[str, list[str]] = {"script": [], "style": []}
        self._inside = ""
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        if tag in self.digests:
            self._inside, self._text = tag, []

    def handle_data(self, data: str) -> None:
        if self._inside:
            self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag != self._inside:
            return
        # A browser reads line ends as \n before it takes the digest.
        text = "".join(self._text).replace("\r\n", "\n").replace("\r", "\n")
        digest = hashlib.sha256(text.encode("utf-8")).digest()
        source = f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
        if source not in self.digests[tag]:
            self.digests[tag].append(source)
        self._inside = ""
