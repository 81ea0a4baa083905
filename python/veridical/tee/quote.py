"""From bytes to claims: what every family offers, and where it is found.

Spec: spec/v1/tee.md, section 3. A family is one module with a class of this shape and one line in
`_FAMILIES`; nothing else changes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Final, Protocol, cast

from veridical.errors import CollateralError, QuoteError
from veridical.tee.claims import Claims, Family, Finding, Tcb

if TYPE_CHECKING:
    from collections.abc import Callable

    from veridical.tee.collateral import Collateral

__all__ = ["QUOTE_MAX_BYTES", "Genuine", "Quote", "Window", "parse_quote", "refused"]

#: More than any family needs; each has its own exact rule below this.
QUOTE_MAX_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When something that a quote rests on is valid, in seconds since 1970."""

    what: str
    not_before: int
    not_after: int
    #: Outside it collateral leaves a quote undecided; a certificate of its own rejects it.
    is_collateral: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Genuine:
    """A quote whose signatures and chain hold; nothing was judged yet."""

    claims: Claims
    windows: tuple[Window, ...]
    #: The maker's rating, where its collateral has one.
    tcb: Tcb | None = None
    #: Whether every certificate was checked against a list of revocations.
    is_revocation_checked: bool = False
    #: What the family found beyond signatures, such as reference measurements.
    findings: tuple[Finding, ...] = field(default=())


class Quote(Protocol):
    """A parsed quote: it has the one form of its family, and nothing in it is verified."""

    @property
    def family(self) -> Family:
        """The maker's kind of quote."""

    def unverified_claims(self) -> Claims:
        """Return what it says, for people to look at; never to decide by."""

    def verify(self, collateral: Collateral, *, time: int | None) -> Genuine:
        """Check signatures and chain; validity is judged by the caller, from the windows.

        `time` is the trusted time, for a family whose library wants one.

        Raises:
            QuoteError: it is not genuine; `check` says why.
            CollateralError: collateral without which no signature can be checked is missing.
        """


#: Module and class of each family.
_FAMILIES: Final = {
    Family.SGX: ("veridical.tee.intel", "IntelQuote"),
    Family.TDX: ("veridical.tee.intel", "IntelQuote"),
    Family.SEV_SNP: ("veridical.tee.snp", "SnpReport"),
    Family.NITRO: ("veridical.tee.nitro", "NitroDocument"),
    Family.NVIDIA_GPU: ("veridical.tee.nvidia", "GpuReport"),
    Family.NVIDIA_SWITCH: ("veridical.tee.nvidia", "SwitchReport"),
}


def parse_quote(family: Family, untrusted: bytes) -> Quote:
    """Parse a quote of a family.

    Raises:
        QuoteError: it breaks the form of the family.
        CollateralError: the packages of the extra `tee` are not installed.
    """
    if len(untrusted) > QUOTE_MAX_BYTES:
        raise refused("format", f"{len(untrusted)} bytes; at most {QUOTE_MAX_BYTES} are a quote")
    module, name = _FAMILIES[family]
    try:
        parse = cast("Callable[[bytes], Quote]", getattr(import_module(module), name).from_bytes)
    except ModuleNotFoundError as error:
        raise CollateralError(
            f"quotes of {family.value} need the package {error.name}",
            check="tee.format",
            advice="Install the extra: veridical[tee].",
        ) from error
    quote = parse(untrusted)
    if quote.family is not family:
        raise refused("format", f"a quote of {quote.family.value}, not of {family.value}")
    return quote


def refused(check: str, message: str, where: str | None = None) -> QuoteError:
    """Return the error of a check, to be raised."""
    return QuoteError(message, where=where, check=f"tee.{check}")
