"""Reference measurements of NVIDIA: signed XML, read with everything switched off that XML can do.

Spec: spec/v1/tee.md, section 3.5. Only what the signature covers is read, from the tree that the
verified signature returns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, VerifyResult, XMLVerifier

from veridical.errors import MalformedError
from veridical.receipt.canonical import decode_base64
from veridical.tee.quote import Window, refused
from veridical.tee.x509 import parse_der, verify_chain, window_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography import x509

__all__ = ["RIM_MAX_BYTES", "ROOT", "Rim", "read_rim"]

#: SHA-256 of the root that signs reference measurements.
ROOT: Final = "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1"
RIM_MAX_BYTES: Final = 256 * 1024
_SWID: Final = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
_SIGNATURE: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_HASH: Final = "{http://www.w3.org/2001/04/xmlenc#sha384}Hash"
_DIGEST_CHARS: Final = 96
_HEX: Final = frozenset("0123456789abcdef")
_MAX_DIGITS: Final = 4
_MAX_MEASUREMENTS: Final = 256
_MAX_ALTERNATIVES: Final = 16
_CONFIGURATION: Final = SignatureConfiguration(
    require_x509=True,
    location="./",
    expect_references=1,
    signature_methods=frozenset({SignatureMethod.ECDSA_SHA384}),
    digest_algorithms=frozenset({DigestAlgorithm.SHA384}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rim:
    """Reference measurements of one version of one piece of firmware."""

    version: str
    product: str
    is_simulated: bool
    #: Index, from 0, to the values that are allowed, as hex.
    active: Mapping[int, frozenset[str]]
    windows: tuple[Window, ...]
    chain: tuple[x509.Certificate, ...]


def read_rim(untrusted: bytes, *, what: str) -> Rim:
    """Verify the signature of a RIM and read it.

    Raises:
        QuoteError: it is not signed under the pinned root, or not of the form.
    """
    root = _parse(untrusted, what)
    chain = _certificates(root, what)
    _, is_simulated = verify_chain(chain, roots=(ROOT,), what=f"{what} chain")
    # Whether the signer is valid at the trusted time is judged from the windows, not here.
    configuration = replace(_CONFIGURATION, verification_time=chain[0].not_valid_before_utc)
    try:
        verified = XMLVerifier().verify(
            root, x509_cert=chain[0], expect_config=configuration, validate_schema=True
        )
    except (SignXMLException, ValueError, TypeError, etree.LxmlError) as error:
        raise refused("rim", f"the signature does not hold: {error}", what) from error
    signed = verified.signed_xml if isinstance(verified, VerifyResult) else None
    if signed is None or signed.tag != f"{_SWID}SoftwareIdentity":
        raise refused("rim", "what is signed is not the whole document", what)
    meta = signed.findall(f"{_SWID}Meta")
    payload = signed.findall(f"{_SWID}Payload")
    if len(meta) != 1 or len(payload) != 1:
        raise refused("rim", "not one Meta and one Payload", what)
    names = [f"signer {i} of RIM {what}" for i in range(len(chain))]
    return Rim(
        version=meta[0].get("colloquialVersion", ""),
        product=meta[0].get("product", ""),
        is_simulated=is_simulated,
        active=MappingProxyType(_measurements(payload[0], what)),
        windows=tuple(
            window_of(c, name, is_collateral=True) for c, name in zip(chain, names, strict=True)
        ),
        chain=tuple(chain),
    )


def _parse(untrusted: bytes, what: str) -> Any:  # noqa: ANN401 - lxml publishes no types
    if len(untrusted) > RIM_MAX_BYTES:
        raise refused("rim", f"{len(untrusted)} bytes; at most {RIM_MAX_BYTES}", what)
    if b"<!" in untrusted or b"<?xml-" in untrusted:
        # No comment, no document type, so no entity: none is needed, and each has been a weapon.
        raise refused("rim", "a document type, a comment or an instruction", what)
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=False,
    )
    try:
        return etree.fromstring(untrusted, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise refused("rim", f"not XML: {error}", what) from error


def _certificates(root: Any, what: str) -> list[x509.Certificate]:  # noqa: ANN401 - as above
    path = "/".join(_SIGNATURE + n for n in ("Signature", "KeyInfo", "X509Data", "X509Certificate"))
    texts = [element.text or "" for element in root.findall(path)]
    if not 1 <= len(texts) <= 8:  # noqa: PLR2004 - as many as a chain may have
        raise refused("rim", f"{len(texts)} certificates", what)
    try:
        ders = [decode_base64("".join(text.split()), where=what) for text in texts]
    except MalformedError as error:
        raise refused("rim", error.message, what) from error
    return [parse_der(der, what=what) for der in ders]


def _measurements(payload: Any, what: str) -> dict[int, frozenset[str]]:  # noqa: ANN401 - as above
    active: dict[int, frozenset[str]] = {}
    seen: set[int] = set()
    for resource in payload:
        if resource.tag != f"{_SWID}Resource" or resource.get("type") != "Measurement":
            raise refused("rim", "something that is no measurement", what)
        index = _number(resource.get("index"), _MAX_MEASUREMENTS - 1, what)
        if index in seen:
            raise refused("rim", f"measurement {index} stands twice", what)
        seen.add(index)
        count = _number(resource.get("alternatives"), _MAX_ALTERNATIVES, what)
        values = [resource.get(f"{_HASH}{i}", "").lower() for i in range(count)]
        is_well = all(len(v) == _DIGEST_CHARS and set(v) <= _HEX for v in values)
        if not values or not is_well or resource.get("size") != str(_DIGEST_CHARS // 2):
            raise refused("rim", f"measurement {index} is no SHA-384", what)
        if resource.get("active") not in {"True", "False"}:
            raise refused("rim", f"measurement {index} is neither active nor not", what)
        if resource.get("active") == "True":
            active[index] = frozenset(values)
    if not active:
        raise refused("rim", "no active measurement", what)
    return active


def _number(text: str | None, most: int, what: str) -> int:
    digits = text or ""
    is_short = digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS
    if not is_short or int(digits) > most:
        raise refused("rim", f"not a number up to {most}: {text!r:.40}", what)
    return int(digits)
