"""What `veridical tee import` reads and prints."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from veridical.cli.console import emit
from veridical.errors import InputError
from veridical.tee.claims import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from veridical.tee import Collateral, Quote, TeePolicy
    from veridical.tee.imports import Imported

__all__ = ["judge_service", "plain", "print_imported"]

_NONCE_DIGITS: Final = 64
#: A request may hold pictures; it is only hashed.
_CONTENT_MAX_BYTES: Final = 256 * 1024 * 1024


def judge_service(
    files: tuple[Path, Path, Path | None, Path | None],
    *,
    nonce: str | None,
    policy: TeePolicy,
    collateral: Callable[[tuple[Quote, ...]], Collateral],
    time: int | None,
) -> Imported:
    """Judge report, signature, request and response; the last two may be absent."""
    from veridical.tee.imports import read_service
    from veridical.tee.imports.foreign import DOCUMENT_MAX_BYTES

    report, signature, request, response = files
    if nonce is not None:
        policy = replace(policy, nonce=_nonce(nonce))
    answer = read_service(_read(report, DOCUMENT_MAX_BYTES), _read(signature, DOCUMENT_MAX_BYTES))
    return answer.judge(
        request=None if request is None else _read(request, _CONTENT_MAX_BYTES),
        response=None if response is None else _read(response, _CONTENT_MAX_BYTES),
        policy=policy,
        collateral=collateral(answer.quotes),
        time=time,
    )


def _nonce(text: str) -> bytes:
    if len(text) != _NONCE_DIGITS or set(text.lower()) - set("0123456789abcdef"):
        raise InputError(f"a nonce has {_NONCE_DIGITS} hexadecimal digits", where="--nonce")
    return bytes.fromhex(text)


def _read(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(f"cannot read: {error}", where=str(path)) from error
    if len(content) > most:
        raise InputError(f"more than {most} bytes", where=str(path))
    return content


def plain(text: str) -> str:
    """Replace what could command a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def print_imported(imported: Imported) -> None:
    """Print a verdict: what it is, what was signed, why, and what is open."""
    from veridical.tee.imports import MISSING

    emit(imported.outcome.name.lower())
    emit(f"service   {imported.service}")
    if imported.said is not None:
        emit(f"signer    {plain(imported.said.signer)}")
        if imported.said.model is not None:
            emit(f"model     {plain(imported.said.model)} (the name that was asked for)")
    for finding in imported.all_findings:
        if finding.outcome is not Outcome.ACCEPTED:
            detail = plain(finding.detail)
            emit(f"{finding.outcome.name.lower():<9} {finding.check}: {detail}")
    for name in imported.missing:
        emit(f"not bound: {name}: {MISSING[name]}")
    for line in imported.not_covered:
        emit(f"not covered: {line}")
