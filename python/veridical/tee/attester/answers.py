"""What the interfaces have in common: how they fail, and what a quote of theirs must hold."""

from __future__ import annotations

from typing import Final

from veridical.errors import AttesterError, QuoteError
from veridical.tee.claims import Claims, Family
from veridical.tee.quote import parse_quote

__all__ = ["REPORT_DATA_BYTES", "VALUE_BYTES", "failed", "require_value", "require_value_size"]

VALUE_BYTES: Final = 32
REPORT_DATA_BYTES: Final = 64


def failed(check: str, message: str, where: str) -> AttesterError:
    """Return the error of a check, to be raised."""
    return AttesterError(message, where=where, check=f"attester.{check}")


def require_value_size(value: bytes, where: str) -> None:
    """Raise unless a value has the one size that quotes hold."""
    if len(value) != VALUE_BYTES:
        raise failed("value", f"a value of {len(value)} bytes; {VALUE_BYTES} are bound", where)


def require_value(family: Family, content: bytes, value: bytes, where: str) -> Claims:
    """Return what a quote claims, unverified, if it is of the family and holds the value.

    Raises:
        AttesterError: it is no such quote, or was made for something else.
    """
    try:
        claims = parse_quote(family, content).unverified_claims()
    except QuoteError as error:
        raise failed("answer", f"no quote of {family.value}: {error}", where) from error
    expected = value if family is Family.NITRO else value.ljust(REPORT_DATA_BYTES, b"\0")
    if claims.bound != expected:
        raise failed("value", "the quote holds another value than was asked for", where)
    return claims
