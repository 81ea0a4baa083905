"""Collateral as makers and caches hand it out, in files: recognised, and named by its subject.

Spec: spec/v1/tee.md, section 6.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from veridical.errors import InputError, QuoteError
from veridical.tee.collateral import BUNDLE_MAX_BYTES, Collateral, CollateralItem, Kind
from veridical.tee.files import normal_pem
from veridical.tee.rim import read_rim
from veridical.tee.snp import subject_of
from veridical.tee.x509 import UNREADABLE, parse_der

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_collateral", "read_collateral_files"]


def read_collateral_files(
    paths: list[Path], *, wanted: Mapping[str, str] | None = None
) -> Collateral:
    """Read files of collateral; of two about one subject the later one counts.

    `wanted` tells the id of a RIM by its version, for those that do not name themselves.

    Raises:
        InputError: one cannot be read, or is not recognised.
        QuoteError: one is malformed.
    """
    items: dict[tuple[Kind, str], CollateralItem] = {}
    certificates: list[bytes] = []
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(BUNDLE_MAX_BYTES + 1)
        except OSError as error:
            raise InputError(f"cannot read: {error}", where=str(path)) from error
        if len(content) > BUNDLE_MAX_BYTES:
            raise InputError(f"more than {BUNDLE_MAX_BYTES} bytes", where=str(path))
        try:
            for item in read_collateral(content, name=path.name, loose=certificates, wanted=wanted):
                items[item.kind, item.subject] = item
        except InputError as error:
            raise InputError(
                error.message, error.where or str(path), advice=error.advice
            ) from error
    items |= {(item.kind, item.subject): item for item in _amd_chains(certificates)}
    return Collateral.of(items.values())


def read_collateral(
    content: bytes,
    *,
    name: str,
    loose: list[bytes],
    wanted: Mapping[str, str] | None = None,
) -> Collateral:
    """Recognise one file; certificates of AMD that may stand in several go into `loose`."""
    stripped = content.strip()
    if stripped.startswith(b"{"):
        return _from_json(content, stripped)
    if stripped.startswith(b"<"):
        return Collateral((_rim(content, name, wanted or {}),))
    if stripped.startswith(b"-----BEGIN CERTIFICATE-----"):
        loose.append(stripped + b"\n")
        return Collateral()
    if content[:1] == b"\x30":
        return Collateral((_der(content, name),))
    raise InputError(
        "this is no collateral that is known",
        advice="Known: bundles, PCCS documents, VCEKs, AMD's chains, RIMs, OCSP responses.",
    )


def _from_json(content: bytes, stripped: bytes) -> Collateral:
    try:
        document = json.loads(stripped)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    if not isinstance(document, dict) or "tcb_info" not in document:
        return Collateral.from_bytes(content.rstrip(b"\n"))
    try:
        info = json.loads(document["tcb_info"])
        subject = f"{info['id'].lower()}:{info['fmspc'].lower()}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"not a PCCS document: {error}") from error
    return Collateral((CollateralItem(Kind.INTEL, subject, content),))


def _rim(content: bytes, name: str, wanted: Mapping[str, str]) -> CollateralItem:
    rim = read_rim(content, what=name)
    stem = name.rpartition(".")[0]
    if stem.startswith("NV_"):
        return CollateralItem(Kind.NVIDIA_RIM, stem, content)
    subject = wanted.get(rim.version.upper())
    if subject is not None:
        return CollateralItem(Kind.NVIDIA_RIM, subject, content)
    raise InputError(
        "the document does not name itself",
        advice="Name the file by its id, such as NV_GPU_VBIOS_1010_0200_882_96009F0001.xml.",
    )


def _der(content: bytes, name: str) -> CollateralItem:
    try:
        certificate = parse_der(content, what=name)
    except QuoteError:
        stem = name.partition(".")[0]
        return CollateralItem(Kind.NVIDIA_OCSP, stem, content)
    return CollateralItem(Kind.AMD_VCEK, subject_of(certificate)[1], content)


def _amd_chains(pems: list[bytes]) -> list[CollateralItem]:
    """Put ASK and ARK of each generation together, wherever they stood."""
    found: dict[str, dict[str, x509.Certificate]] = {}
    for pem in pems:
        try:
            certificates = x509.load_pem_x509_certificates(pem)
        except UNREADABLE as error:
            raise InputError(f"not certificates: {error}") from error
        for certificate in certificates:
            names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            kind, _, generation = str(names[0].value if names else "").partition("-")
            found.setdefault(generation.lower(), {})[kind] = certificate
    items = []
    for generation, parts in found.items():
        if set(parts) != {"SEV", "ARK"}:
            raise InputError(f"of {generation[:40]!r} there are only {', '.join(parts)[:80]}")
        chain = b"".join(
            normal_pem(parts[kind].public_bytes(Encoding.PEM)) for kind in ("SEV", "ARK")
        )
        items.append(CollateralItem(Kind.AMD_CHAIN, generation, chain))
    return items
