"""Certificate chains of makers of hardware: one form, and every link checked.

Spec: spec/v1/tee.md, sections 3 and 4. Validity is not judged here but returned as windows, for the
trusted time may be missing, and an expired chain is still worth looking at.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtensionOID, NameOID

from veridical.errors import MalformedError
from veridical.receipt.canonical import decode_base64, encode_base64
from veridical.tee.quote import Window, refused

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = [
    "SIMULATOR_NAME",
    "UNREADABLE",
    "fingerprint",
    "is_simulator_root",
    "parse_der",
    "parse_pem_chain",
    "pem_of",
    "verify_chain",
    "window_of",
]

#: The name of every simulator's root; no maker has it, and no such root is ever pinned.
SIMULATOR_NAME: Final = "Veridical simulator root, NOT HARDWARE"
MAX_CERTIFICATES: Final = 8
MAX_CERTIFICATE_BYTES: Final = 8 * 1024
#: What the library raises for certificates, lists and responses that it cannot read.
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    UserWarning,
)
_HEADER: Final = "-----BEGIN CERTIFICATE-----\n"
_FOOTER: Final = "-----END CERTIFICATE-----\n"
_LINE: Final = 64
_BLOCK: Final = re.compile(re.escape(_HEADER) + r"([A-Za-z0-9+/=\n]+)" + re.escape(_FOOTER))
#: Critical extensions that are checked below, or that say nothing about a chain.
_KNOWN_CRITICAL: Final = frozenset(
    {ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE}
)


def fingerprint(certificate: x509.Certificate) -> str:
    """Return the SHA-256 of the DER, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def parse_der(content: bytes, *, what: str) -> x509.Certificate:
    """Parse one certificate.

    Raises:
        QuoteError: it is none.
    """
    if len(content) > MAX_CERTIFICATE_BYTES:
        raise refused("chain", f"{len(content)} bytes are no {what}")
    try:
        with warnings.catch_warnings():
            # A name that breaks the rules is refused, but AMD's serial number 0 is not.
            warnings.simplefilter("error", UserWarning)
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            certificate = x509.load_der_x509_certificate(content)
            # The library reads these when they are asked for; here is where they may fail.
            certificate.public_key()
            for _part in (
                certificate.subject,
                certificate.issuer,
                certificate.extensions,
                certificate.not_valid_before_utc,
                certificate.not_valid_after_utc,
            ):
                pass
    except UNREADABLE as error:
        raise refused("chain", f"no certificate: {error}", what) from error
    return certificate


def pem_of(der: bytes) -> str:
    """Return the one PEM form: lines of 64 characters."""
    text = encode_base64(der)
    lines = [text[i : i + _LINE] for i in range(0, len(text), _LINE)]
    return _HEADER + "\n".join(lines) + "\n" + _FOOTER


def parse_pem_chain(content: bytes, *, what: str, count: int | None = None) -> list[bytes]:
    """Return the DER of each certificate of a chain that has the one PEM form.

    Raises:
        QuoteError: another form, or another number of certificates.
    """
    if len(content) > 2 * MAX_CERTIFICATES * MAX_CERTIFICATE_BYTES:
        raise refused("chain", f"{len(content)} bytes are no chain", what)
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError as error:
        raise refused("chain", "not ASCII", what) from error
    blocks = _BLOCK.findall(text)
    if not 1 <= len(blocks) <= MAX_CERTIFICATES or (count is not None and len(blocks) != count):
        raise refused("chain", f"{len(blocks)} certificates", what)
    try:
        ders = [decode_base64(block.replace("\n", ""), where=what) for block in blocks]
    except MalformedError as error:
        raise refused("chain", error.message, what) from error
    if "".join(pem_of(der) for der in ders) != text:
        raise refused("chain", "the certificates are not in the one PEM form", what)
    return ders


def window_of(certificate: x509.Certificate, what: str, *, is_collateral: bool = False) -> Window:
    """Return when a certificate is valid."""
    return Window(
        what=what,
        not_before=int(certificate.not_valid_before_utc.timestamp()),
        not_after=int(certificate.not_valid_after_utc.timestamp()),
        is_collateral=is_collateral,
    )


def is_simulator_root(certificate: x509.Certificate) -> bool:
    """Whether a root calls itself a simulator's."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return [name.value for name in names] == [SIMULATOR_NAME]


def verify_chain(
    chain: Sequence[x509.Certificate],
    *,
    roots: Iterable[str],
    what: str,
    known_critical: frozenset[x509.ObjectIdentifier] = frozenset(),
) -> tuple[str, bool]:
    """Check every link from the leaf to the root; return the root's fingerprint, and if simulated.

    `roots` are the pinned fingerprints. A root that calls itself a simulator's passes as one.

    Raises:
        QuoteError: a link does not hold, or the root is not pinned.
    """
    if not 1 <= len(chain) <= MAX_CERTIFICATES:
        raise refused("chain", f"a chain of {len(chain)} certificates", what)
    for index, certificate in enumerate(chain):
        issuer = chain[min(index + 1, len(chain) - 1)]
        where = f"{what}[{index}]"
        _require_issued(certificate, issuer, where)
        _require_extensions(certificate, index, where, _KNOWN_CRITICAL | known_critical)
    root = chain[-1]
    found = fingerprint(root)
    if found in set(roots):
        return found, False
    if is_simulator_root(root):
        return found, True
    raise refused("root", f"root {found} is not one that is pinned", what)


def _require_issued(certificate: x509.Certificate, issuer: x509.Certificate, where: str) -> None:
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature as error:
        raise refused("chain", "the issuer's signature does not hold", where) from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise refused("chain", f"not issued by the next certificate: {error}", where) from error


def _require_extensions(
    certificate: x509.Certificate,
    below: int,
    where: str,
    known_critical: frozenset[x509.ObjectIdentifier],
) -> None:
    """Check what a certificate may do; `below` is how many certificates stand before it."""
    extensions = certificate.extensions
    unknown = [
        e.oid.dotted_string for e in extensions if e.critical and e.oid not in known_critical
    ]
    if unknown:
        raise refused("chain", f"critical extension {unknown[0]} is not understood", where)
    if below == 0:
        return
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound as error:
        raise refused("chain", "an issuer without basic constraints", where) from error
    if not constraints.ca or (
        constraints.path_length is not None and constraints.path_length < below - 1
    ):
        raise refused("chain", "this certificate may not issue", where)
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not usage.key_cert_sign:
        raise refused("chain", "this key may not sign certificates", where)
