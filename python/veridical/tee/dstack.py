"""Attestations as dstack stores them: a quote in an envelope of its own, which is taken off.

Spec: spec/v1/tee.md, section 3.6. Nothing in the envelope is signed, so nothing is read from it but
the quote; what repeats a value of the quote must repeat it truly.
"""

from __future__ import annotations

import hashlib
import json
from typing import Final

from veridical.tee.nitro import NitroDocument
from veridical.tee.quote import refused

__all__ = ["is_wrapped", "unwrap"]

#: Version 0 of the envelope, and its variant for Nitro.
_HEAD: Final = b"\x00\x02"
_REPORT_DATA: Final = 64
_FOUR_BYTE_MODE: Final = 2
_CONFIG_MAX: Final = 4096


def is_wrapped(content: bytes) -> bool:
    """Whether these bytes begin as such an envelope."""
    return content.startswith(_HEAD)


def unwrap(untrusted: bytes) -> bytes:
    """Return the Nitro document inside.

    Raises:
        QuoteError: the envelope is malformed, or contradicts the document.
    """
    document, rest = _take(untrusted[len(_HEAD) :])
    events, rest = _compact(rest)
    if events:
        raise refused("format", "run-time events of Nitro documents are not known", "envelope")
    report_data, rest = rest[:_REPORT_DATA], rest[_REPORT_DATA:]
    config, rest = _take(rest)
    if rest or len(config) > _CONFIG_MAX:
        raise refused("format", "bytes behind the envelope", "envelope")
    parsed = NitroDocument.from_bytes(document)
    if parsed.user_data != report_data:
        raise refused("format", "the envelope repeats other user data", "envelope")
    image = hashlib.sha256(b"".join(parsed.pcrs.get(i, b"") for i in (0, 1, 2))).hexdigest()
    if config != json.dumps({"os_image_hash": image}, separators=(",", ":")).encode():
        raise refused("format", "the envelope names another image", "envelope")
    return document


def _take(content: bytes) -> tuple[bytes, bytes]:
    """Read a byte string and what follows it."""
    size, rest = _compact(content)
    if size > len(rest):
        raise refused("format", "the envelope ends too early", "envelope")
    return rest[:size], rest[size:]


def _compact(content: bytes) -> tuple[int, bytes]:
    """Read a SCALE compact number in its shortest form."""
    mode = content[0] & 3 if content else 3
    width = (1, 2, 4)[min(mode, _FOUR_BYTE_MODE)]
    if mode > _FOUR_BYTE_MODE or len(content) < width:
        raise refused("format", "a length is not readable", "envelope")
    number = int.from_bytes(content[:width], "little") >> 2
    if mode and number < (64, 2**14)[mode - 1]:
        raise refused("format", "a length is longer than it has to be", "envelope")
    return number, content[width:]
