"""Collateral that its maker signed, before it is kept: what is kept is later believed to be newest.

Spec: spec/v1/tee.md, section 6. An item that nobody signed could claim a number so high that every
genuine one would be refused as older.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import ocsp

from veridical.tee import intel, snp
from veridical.tee.collateral import Collateral, CollateralItem, Kind
from veridical.tee.files import normal_pem
from veridical.tee.quote import refused
from veridical.tee.rim import read_rim
from veridical.tee.x509 import UNREADABLE, parse_der, parse_pem_chain, verify_chain

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["require_authentic"]

_HALF: Final = 32


def require_authentic(item: CollateralItem, others: Collateral) -> None:
    """Raise unless an item is signed by its maker, under the pinned root.

    `others` are items beside it, where a chain may stand. A response about a certificate and a
    list of AMD's are only read: their issuer is met when a quote is judged by them.

    Raises:
        QuoteError: it is not, or is not about the subject that it names.
    """
    _CHECKS[item.kind](item, others)


def _not_simulated(root: tuple[str, bool], where: str) -> None:
    if root[1]:
        raise refused("simulated", "a simulator's collateral is not kept", where)


def _intel(item: CollateralItem, _others: Collateral) -> None:
    where = f"intel {item.subject}"
    try:
        document = json.loads(item.content)
        parts = {name: (document[name], document[f"{name}_signature"]) for name in _PARTS}
        chains = {name: document[f"{name}_issuer_chain"].encode() for name in _PARTS}
        info = json.loads(document["tcb_info"])
        subject = f"{info['id'].lower()}:{info['fmspc'].lower()}"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise refused("format", f"collateral is not readable: {error}", where) from error
    if subject != item.subject:
        raise refused("collateral-platform", f"it is for {subject[:40]}", where)
    for name, (text, signature) in parts.items():
        ders = parse_pem_chain(normal_pem(chains[name]), what=where)
        chain = [parse_der(der, what=where) for der in ders]
        _not_simulated(verify_chain(chain, roots=(intel.ROOT,), what=where), where)
        _require_signed(chain[0], text, signature, f"{where}: {name}")


_PARTS: Final = ("tcb_info", "qe_identity")


def _require_signed(signer: x509.Certificate, text: Any, signature: Any, where: str) -> None:  # noqa: ANN401 - as JSON has them
    key = signer.public_key()
    try:
        raw = bytes.fromhex(signature)
        r, s = (int.from_bytes(raw[i : i + _HALF], "big") for i in (0, _HALF))
        if not isinstance(key, ec.EllipticCurvePublicKey) or len(raw) != 2 * _HALF:
            raise refused("signature", "not a signature on P-256", where)
        key.verify(encode_dss_signature(r, s), text.encode(), ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError, TypeError, AttributeError) as error:
        raise refused("signature", "collateral is not signed by its maker", where) from error


def _amd_chain(item: CollateralItem, _others: Collateral) -> None:
    where = f"amd-chain {item.subject}"
    root = snp.ROOTS.get(item.subject)
    if root is None:
        raise refused("generation", f"{item.subject[:40]!r} is not known", where)
    ders = parse_pem_chain(item.content, what=where, count=2)
    chain = [parse_der(der, what=where) for der in ders]
    _not_simulated(verify_chain(chain, roots=(root,), what=where), where)


def _amd_vcek(item: CollateralItem, others: Collateral) -> None:
    where = f"amd-vcek {item.subject[:16]}"
    leaf = parse_der(item.content, what=where)
    generation, subject = snp.subject_of(leaf)
    if subject != item.subject:
        raise refused("collateral-platform", "the certificate is of another chip or TCB", where)
    chain = others.find(Kind.AMD_CHAIN, generation)
    if chain is None:
        raise refused("chain", f"add the chain of {generation} first, or with it", where)
    ders = parse_pem_chain(chain, what=where, count=2)
    certificates = [leaf, *(parse_der(der, what=where) for der in ders)]
    _not_simulated(verify_chain(certificates, roots=(snp.ROOTS[generation],), what=where), where)


def _rim(item: CollateralItem, _others: Collateral) -> None:
    rim = read_rim(item.content, what=item.subject)
    if rim.is_simulated:
        raise refused("simulated", "a simulator's collateral is not kept", item.subject)
    if not item.subject.upper().endswith(rim.version.upper().replace(".", "")) and (
        not item.subject.upper().endswith(rim.version.upper())
    ):
        raise refused("collateral-platform", f"it is of version {rim.version[:40]}", item.subject)


def _readable(item: CollateralItem, _others: Collateral) -> None:
    load: Callable[[bytes], object] = (
        x509.load_der_x509_crl if item.kind is Kind.AMD_CRL else ocsp.load_der_ocsp_response
    )
    try:
        load(item.content)
    except UNREADABLE as error:
        raise refused("format", f"not readable: {error}", f"{item.kind} {item.subject}") from error


_CHECKS: Final[dict[Kind, Callable[[CollateralItem, Collateral], None]]] = {
    Kind.INTEL: _intel,
    Kind.AMD_CHAIN: _amd_chain,
    Kind.AMD_VCEK: _amd_vcek,
    Kind.AMD_CRL: _readable,
    Kind.NVIDIA_RIM: _rim,
    Kind.NVIDIA_OCSP: _readable,
}
