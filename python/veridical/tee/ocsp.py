"""Stapled OCSP responses: that a certificate was not revoked, said by its issuer at a time.

Spec: spec/v1/tee.md, section 4; RFC 6960. Responses are collateral: nobody is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from veridical.tee.collateral import Collateral, Kind
from veridical.tee.quote import Window, refused
from veridical.tee.x509 import UNREADABLE, fingerprint, window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["check_chain"]

_WHERE = "nvidia-ocsp"


def check_chain(
    chain: Sequence[x509.Certificate], collateral: Collateral, windows: list[Window]
) -> bool:
    """Check every response there is for a chain; return whether there was one for each issuer's.

    The leaf of a device is made by the device itself, so nobody could answer for it; the
    certificates from the second on have an issuer who can. The root has none.

    Raises:
        QuoteError: a certificate is revoked, or a response is not what it seems.
    """
    missing = 0
    for index, certificate in enumerate(chain[:-1]):
        content = collateral.find(Kind.NVIDIA_OCSP, fingerprint(certificate))
        if content is None:
            missing += index > 0
            continue
        _check(content, certificate, chain[index + 1], windows)
    return missing == 0


def _check(
    content: bytes,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    windows: list[Window],
) -> None:
    name = f"OCSP response {fingerprint(certificate)[:16]}"
    try:
        response = ocsp.load_der_ocsp_response(content)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise refused("collateral-platform", "the response says that it failed", _WHERE)
        _require_about(response, certificate, issuer)
        responder = _require_responder(response, issuer)
        _require_signature(response, responder)
        status, since, until = (
            response.certificate_status,
            response.this_update_utc,
            response.next_update_utc,
        )
    except UNREADABLE as error:
        raise refused("collateral-platform", f"not a response: {error}", _WHERE) from error
    if status is not ocsp.OCSPCertStatus.GOOD:
        raise refused("revoked", f"{name} says {status.name.lower()}", _WHERE)
    first = int(since.timestamp())
    last = int(until.timestamp()) if until else first
    windows.append(Window(what=name, not_before=first, not_after=last, is_collateral=True))
    if responder is not issuer:
        windows.append(window_of(responder, f"responder of {name}", is_collateral=True))


def _require_about(
    response: ocsp.OCSPResponse, certificate: x509.Certificate, issuer: x509.Certificate
) -> None:
    algorithm = response.hash_algorithm
    name = hashes.Hash(algorithm)
    name.update(issuer.subject.public_bytes())
    key = hashes.Hash(algorithm)
    key.update(
        issuer.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    )
    found = (response.issuer_name_hash, response.issuer_key_hash, response.serial_number)
    if found != (name.finalize(), key.finalize(), certificate.serial_number):
        raise refused("collateral-platform", "the response is about another certificate", _WHERE)


def _require_responder(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> x509.Certificate:
    """Return who signed: the issuer, or one whom the issuer made a responder."""
    if not response.certificates:
        return issuer
    responder = response.certificates[0]
    try:
        responder.verify_directly_issued_by(issuer)
        usage = responder.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (InvalidSignature, x509.ExtensionNotFound) as error:
        raise refused("collateral-platform", "not a responder of the issuer", _WHERE) from error
    if ExtendedKeyUsageOID.OCSP_SIGNING not in usage:
        raise refused("collateral-platform", "the responder's key is for something else", _WHERE)
    return responder


def _require_signature(response: ocsp.OCSPResponse, responder: x509.Certificate) -> None:
    key, algorithm = responder.public_key(), response.signature_hash_algorithm
    if not isinstance(key, ec.EllipticCurvePublicKey) or algorithm is None:
        raise refused("collateral-platform", "the responder's key is of another kind", _WHERE)
    try:
        key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
    except InvalidSignature as error:
        raise refused("collateral-platform", "the response is not signed", _WHERE) from error
