"""What a caller asks of its receipt, by parameters of the request or by headers.

Spec: spec/v1/serve.md, section 4.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from veridical.commitment import SALT_BYTES
from veridical.inference_protocol import ProtocolError
from veridical.serve.tariff import TIERS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_DEADLINE_MS", "Options", "is_nonce", "read_options"]

_T = TypeVar("_T")

MAX_DEADLINE_MS: Final = 600_000
_NONCE: Final = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{0,256}")
_SALT: Final = re.compile(rf"[0-9a-f]{{{2 * SALT_BYTES}}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a caller asks for."""

    tier: str
    nonce: str
    deadline_ms: int
    salt: bytes | None
    has_receipt: bool
    #: Prove together with receipts of other callers that allow it too.
    share: bool = False


def read_options(
    parameters: Mapping[str, Any], headers: Mapping[str, str], *, request_id: str, deadline_ms: int
) -> Options:
    """Read the options; a header and a parameter that differ are an error.

    An id of the request that could not be a nonce is legal, and is none: the statement names none.

    Raises:
        ProtocolError: an option has a value that it cannot have.
    """
    if not parameters and not headers:  # nearly every request
        return Options(
            tier=TIERS[0],
            nonce=request_id if is_nonce(request_id) else "",
            deadline_ms=deadline_ms,
            salt=None,
            has_receipt=True,
        )
    reader = _Reader(parameters, headers)
    tier = reader.text("tier", "veridical-tier") or TIERS[0]
    if tier not in TIERS:
        raise _bad("tier", f"expected one of {', '.join(TIERS)}")
    nonce = reader.text("nonce", "veridical-nonce")
    if nonce is None:
        nonce = request_id if is_nonce(request_id) else ""
    elif not is_nonce(nonce):
        raise _bad("nonce", 'expected at most 256 printable ASCII characters without " and \\')
    deadline = reader.integer("deadline_ms", "veridical-deadline-ms")
    if deadline is not None and not 1 <= deadline <= MAX_DEADLINE_MS:
        raise _bad("deadline_ms", f"expected 1 to {MAX_DEADLINE_MS}")
    salt_text = reader.text("salt", "veridical-salt")
    if salt_text is not None and _SALT.fullmatch(salt_text) is None:
        raise _bad("salt", f"expected {2 * SALT_BYTES} lower-case hexadecimal digits")
    salt = None if salt_text is None else bytes.fromhex(salt_text)
    is_private = reader.flag("private", "veridical-private", default=False)
    if is_private and salt is None:
        salt = secrets.token_bytes(SALT_BYTES)
    return Options(
        tier=tier,
        nonce=nonce,
        deadline_ms=deadline_ms if deadline is None else deadline,
        salt=salt,
        has_receipt=reader.flag("receipt", "veridical-inline-receipt", default=True),
        share=reader.flag("share", "veridical-share", default=False),
    )


def is_nonce(text: str) -> bool:
    """Say whether a text can be the `request_id` of a statement."""
    return not text or _NONCE.fullmatch(text) is not None


class _Reader:
    def __init__(self, parameters: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self._parameters = parameters
        self._headers = headers

    def text(self, name: str, header: str) -> str | None:
        """Return a string; None where it is not given."""
        value = self._parameters.get(name)
        if value is not None and not isinstance(value, str):
            raise _bad(name, "expected a string")
        return self._agreed(name, value, self._headers.get(header))

    def integer(self, name: str, header: str) -> int | None:
        """Return an integer; None where it is not given."""
        value = self._parameters.get(name)
        if value is not None and type(value) is not int:
            raise _bad(name, "expected an integer")
        text = self._headers.get(header)
        if text is not None and (not text.isascii() or not text.isdigit() or len(text) > 9):  # noqa: PLR2004 - above every limit
            raise _bad(header, "expected an integer")
        return self._agreed(name, value, None if text is None else int(text))

    def flag(self, name: str, header: str, *, default: bool) -> bool:
        """Return a truth value."""
        value = self._parameters.get(name)
        if value is not None and not isinstance(value, bool):
            raise _bad(name, "expected true or false")
        text = self._headers.get(header)
        if text not in (None, "true", "false"):
            raise _bad(header, "expected true or false")
        agreed = self._agreed(name, value, None if text is None else text == "true")
        return default if agreed is None else agreed

    @staticmethod
    def _agreed(name: str, value: _T | None, other: _T | None) -> _T | None:
        if value is not None and other is not None and value != other:
            raise _bad(name, "the parameter and the header differ")
        return other if value is None else value


def _bad(name: str, message: str) -> ProtocolError:
    return ProtocolError(400, "bad_option", f"{name}: {message}")
