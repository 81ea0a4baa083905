"""Genuine evidence of real hardware, and its collateral, from the folder of vectors.

The folder is no part of the repository. `VERIDICAL_TEE_VECTORS` names it; without the variable it
is looked for beside the repository.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from tests.repository import ROOT
from veridical.tee import Collateral, CollateralItem, Family, Kind, Quote
from veridical.tee.files import normal_pem, read_quote

FOLDER = Path(os.environ.get("VERIDICAL_TEE_VECTORS", ROOT / ".." / "shared" / "vectors" / "tee"))
TODAY = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp())


def require_vectors() -> None:
    """Skip where the folder is absent; continuous integration has it."""
    if not (FOLDER / "README.md").is_file():
        reason = f"no evidence of hardware at {FOLDER}; VERIDICAL_TEE_VECTORS names its folder"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def read(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


@dataclass(frozen=True, slots=True)
class Vector:
    """One piece of evidence: the bytes, the certificates beside it, collateral, a good time."""

    name: str
    family: Family
    content: bytes
    certificates: bytes | None
    collateral: Collateral
    time: int

    @property
    def quote(self) -> Quote:
        return read_quote(self.content, certificates=self.certificates)


def _issue(collateral: bytes) -> int:
    """Return one hour after the later of the two documents was issued."""
    document = json.loads(collateral)
    dates = [json.loads(document[name])["issueDate"] for name in ("tcb_info", "qe_identity")]
    return int(max(datetime.fromisoformat(date) for date in dates).timestamp()) + 3600


def _intel(name: str, subject: str) -> Vector:
    collateral = read(f"{name}_collateral.json")
    return Vector(
        name=name,
        family=Family(subject.partition(":")[0]),
        content=read(f"{name}.bin"),
        certificates=None,
        collateral=Collateral((CollateralItem(Kind.INTEL, subject, collateral),)),
        time=_issue(collateral),
    )


def _snp(name: str, vcek: str, chain: bytes) -> Vector:
    content = read(name)
    raw = bytes.fromhex(content.decode()) if name.endswith(".hex") else content
    subject = f"{raw[0x1A0:0x1E0].hex()}:{raw[0x180:0x188].hex()}"
    items = (
        CollateralItem(Kind.AMD_CHAIN, "milan", normal_pem(chain)),
        CollateralItem(Kind.AMD_VCEK, subject, read(f"sev_snp/{vcek}")),
    )
    time = int(datetime(2025, 6, 1, tzinfo=UTC).timestamp())
    return Vector(name, Family.SEV_SNP, content, None, Collateral.of(items), time)


def _nitro(name: str, time: int) -> Vector:
    return Vector(name, Family.NITRO, read(name), None, Collateral(), time)


def rims() -> Collateral:
    names = {
        "NV_GPU_DRIVER_GH100_550.90.07": "rim_driver_gh100_550.90.07.xml",
        "NV_GPU_VBIOS_1010_0200_882_96009F0001": "rim_vbios_96009F0001.xml",
    }
    return Collateral.of(
        CollateralItem(Kind.NVIDIA_RIM, name, read(f"nvidia/{file}"))
        for name, file in names.items()
    )


def binary_of(name: str) -> bytes:
    """Return the bytes of a vector, also where its file is hexadecimal."""
    content = vectors()[name].content
    try:
        return bytes.fromhex(content.decode("ascii"))
    except ValueError:
        return content


@cache
def vectors() -> dict[str, Vector]:
    """Return every piece of evidence by a short name."""
    require_vectors()
    roots = read("sev_snp/roots/milan_ask.pem") + read("sev_snp/roots/milan_ark.pem")
    return {
        "sgx": _intel("sgx/quote_v3", "sgx:00a067110000"),
        "tdx": _intel("tdx/quote_v4", "tdx:b0c06f000000"),
        "tdx-outdated": _intel("tdx/quote_v4_outdated", "tdx:90c06f000000"),
        "snp": _snp("sev_snp/report_v2_milan.hex", "vcek_milan.der", roots),
        "snp-debug": _snp(
            "sev_snp/report_v2_milan_debug.bin",
            "vcek_debug.der",
            read("sev_snp/milan_chain.pem"),
        ),
        # The times are those that the documents state.
        "nitro": _nitro("nitro/attestation.bin", 1766668537),
        "nitro-debug": _nitro("nitro/attestation_debug.bin", 1766650846),
        "hopper": Vector(
            "nvidia/hopper_report.txt",
            Family.NVIDIA_GPU,
            read("nvidia/hopper_report.txt"),
            read("nvidia/hopper_cert_chain.txt"),
            rims(),
            int(datetime(2025, 6, 1, tzinfo=UTC).timestamp()),
        ),
    }
