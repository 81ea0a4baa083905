"""Every parser of hardware evidence that takes bytes from anybody, with inputs to begin from.

A parser may raise `veridical.errors.Error`; anything else that it raises is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.toy import NOW, SIGNER
from tests.unit.tee.scenes import simulator
from tests.unit.tee.services import EVENT, aci, foreign_log, near
from veridical.errors import Error
from veridical.tee import (
    Collateral,
    Family,
    Freshness,
    FreshnessKind,
    Key,
    KeySet,
    Kind,
    TeeEvidence,
    TeePolicy,
    parse_quote,
)

# Families are found by name, later: they have to be there when coverage is put in.
from veridical.tee import intel as _intel  # noqa: F401 - imported for its coverage
from veridical.tee import nvidia as _nvidia  # noqa: F401 - imported for its coverage
from veridical.tee import snp as _snp  # noqa: F401 - imported for its coverage
from veridical.tee.collateral_files import read_collateral
from veridical.tee.files import read_quote
from veridical.tee.imports import read_service
from veridical.tee.rim import read_rim
from veridical.tee.runtime import EventLog
from veridical.tee.simulator.nvidia import SimulatedGpu

__all__ = ["PARSERS", "Parser", "survives"]

#: Between the two documents of a service in one input.
_BREAK = b"\0\0"


@dataclass(frozen=True, slots=True)
class Parser:
    """One entry point, and well-formed inputs for it."""

    parse: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    #: Longest input that is tried; above the limit of the parser where that is small.
    max_bytes: int = 16 * 1024
    #: Whether one of them is taken; no simulator makes reports of switches.
    takes_seeds: bool = True


def survives(parser: Parser, content: bytes) -> bool:
    """Return whether an input was taken; an `Error` is how it is refused."""
    try:
        parser.parse(content)
    except Error:
        return False
    return True


def _quote(family: Family) -> Parser:
    def parse(content: bytes) -> object:
        return parse_quote(family, content).unverified_claims()

    return Parser(parse, lambda: [_blob(family)], takes_seeds=family is not Family.NVIDIA_SWITCH)


def _blob(family: Family) -> bytes:
    if family.is_processor:
        return simulator(family).attest(bytes(32)).quotes[0].content
    return SimulatedGpu(root=simulator().root).quote(bytes(32))[0].content


def _gpu_items() -> list[bytes]:
    _, items = SimulatedGpu(root=simulator().root).quote(bytes(32))
    return [item.content for item in items if item.kind is Kind.NVIDIA_RIM]


def _keys() -> KeySet:
    return KeySet.of(Key.for_receipts(SIGNER.public_key, not_before=NOW, not_after=NOW + 1))


def _evidence() -> list[bytes]:
    made = simulator(gpus=1).attest(bytes(32))
    fresh = Freshness(FreshnessKind.NONCE, bytes(32))
    parts = {"quotes": made.quotes, "freshness": fresh, "collateral": made.collateral}
    return [
        TeeEvidence(**parts).to_bytes(),  # type: ignore[arg-type] # members of the evidence
        TeeEvidence(**parts, key_set=_keys()).to_bytes(),  # type: ignore[arg-type] # likewise
    ]


def _collateral() -> list[bytes]:
    return [simulator(family).attest(bytes(32)).collateral.to_bytes() for family in _WITH_ITEMS]


_WITH_ITEMS = (Family.TDX, Family.SEV_SNP)


def _collateral_files() -> list[bytes]:
    bundles = [simulator(family).attest(bytes(32)).collateral for family in _WITH_ITEMS]
    return [item.content for bundle in bundles for item in bundle.items] + _gpu_items()


def _read_collateral_file(content: bytes) -> object:
    return list(read_collateral(content, name="x", loose=[], wanted=None))


def _read_service(content: bytes) -> object:
    report, _, signature = content.partition(_BREAK)
    answer = read_service(report, signature)
    imported = answer.judge(
        request=b"", response=None, policy=TeePolicy(), collateral=Collateral(), time=NOW
    )
    return imported.to_value()


def _foreign_logs() -> list[bytes]:
    return [foreign_log((EVENT, EVENT)).encode()]


def _json_quotes() -> list[bytes]:
    tdx = _blob(Family.TDX)
    return [tdx, tdx.hex().encode(), json.dumps({"quote": tdx.hex()}).encode(), b"\0\2" + tdx]


PARSERS: dict[str, Parser] = {
    **{family.value: _quote(family) for family in Family},
    "quote-file": Parser(read_quote, _json_quotes),
    "rim": Parser(lambda content: read_rim(content, what="x"), _gpu_items),
    "evidence": Parser(TeeEvidence.from_bytes, _evidence, 64 * 1024),
    "collateral": Parser(Collateral.from_bytes, _collateral, 32 * 1024),
    "collateral-file": Parser(_read_collateral_file, _collateral_files, 32 * 1024),
    "key-set": Parser(KeySet.from_bytes, lambda: [_keys().to_bytes()], 4096),
    "event-log": Parser(EventLog.from_bytes, lambda: [EventLog((EVENT,)).to_bytes()], 4096),
    "dstack-log": Parser(EventLog.from_dstack, _foreign_logs, 4096),
    "near": Parser(_read_service, lambda: [_BREAK.join(near().documents)], 32 * 1024),
    "aci": Parser(_read_service, lambda: [_BREAK.join(aci().documents)], 32 * 1024),
}
