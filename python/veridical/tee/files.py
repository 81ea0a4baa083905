"""Quotes as people have them in files: raw, as hex, in an envelope, in JSON, beside a chain.

Spec: spec/v1/tee.md, section 3.6. Whatever the file looks like, what is verified is the one form of
the family.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from veridical.errors import InputError
from veridical.tee import dstack, nvidia
from veridical.tee.claims import Family
from veridical.tee.quote import parse_quote, refused
from veridical.tee.x509 import UNREADABLE, pem_of

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.tee.quote import Quote

__all__ = ["FILE_MAX_BYTES", "family_of", "normal_pem", "read_quote", "read_quote_file"]

FILE_MAX_BYTES: Final = 1024 * 1024
_SNP_BYTES: Final = 0x4A0
_SPDM_REQUEST: Final = bytes.fromhex("11e0")
_COSE: Final = (b"\x84\x44", b"\xd2\x84")
#: Members of JSON documents that hold a quote, in the order in which they are looked for.
_JSON_MEMBERS: Final = ("quote", "intel_quote", "evidence", "attestation")


def normal_pem(content: bytes) -> bytes:
    """Return a chain of certificates in the one PEM form.

    Raises:
        InputError: there are none.
    """
    try:
        chain = x509.load_pem_x509_certificates(content)
    except UNREADABLE as error:
        raise InputError(f"not a chain of certificates in PEM: {error}") from error
    return "".join(pem_of(c.public_bytes(Encoding.DER)) for c in chain).encode()


def family_of(content: bytes) -> Family:
    """Return the family that the bytes of a quote look like.

    Raises:
        InputError: they look like none.
    """
    if len(content) == _SNP_BYTES:
        return Family.SEV_SNP
    if content.startswith(_COSE):
        return Family.NITRO
    if content.startswith(_SPDM_REQUEST):
        return Family.NVIDIA_GPU
    tee_type = int.from_bytes(content[4:8], "little")
    if content[:1] in {b"\x03", b"\x04", b"\x05"} and content[1:2] == b"\0":
        return Family.SGX if tee_type == 0 else Family.TDX
    raise InputError(
        "this looks like no quote of a known family",
        advice="Known are SGX, TDX, SEV-SNP, Nitro, and reports of NVIDIA GPUs and switches.",
    )


def read_quote_file(path: Path, *, certificates: Path | None = None) -> Quote:
    """Read a quote; GPU reports need the file of their certificates beside them.

    Raises:
        InputError: a file cannot be read, or looks like no quote.
        QuoteError: it breaks the form of its family.
    """
    chain = None if certificates is None else _read(certificates)
    return read_quote(_read(path), certificates=chain)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read: {error}", where=str(path)) from error
    if len(content) > FILE_MAX_BYTES:
        raise InputError(f"more than {FILE_MAX_BYTES} bytes", where=str(path))
    return content


def read_quote(content: bytes, *, certificates: bytes | None = None) -> Quote:
    """Parse a quote in any of the forms of files."""
    raw, embedded = _unpack(content)
    certificates = certificates or embedded
    family = family_of(raw)
    if family is not Family.NVIDIA_GPU:
        return parse_quote(family, raw)
    if certificates is None:
        raise InputError(
            "the report of a GPU comes with a chain of certificates",
            advice="Give the chain of the device: --certificates FILE.pem.",
        )
    quote = nvidia.join(raw, normal_pem(certificates))
    is_switch = b"LS_10" in _first_subject(certificates)
    return parse_quote(Family.NVIDIA_SWITCH if is_switch else Family.NVIDIA_GPU, quote)


def _first_subject(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificates(pem)[0].subject.rfc4514_string().encode()


def _unpack(content: bytes) -> tuple[bytes, bytes | None]:
    """Take off what stands around a quote; return certificates that stood beside it."""
    if dstack.is_wrapped(content):
        return dstack.unwrap(content), None
    stripped = content.strip()
    if stripped[:1] in {b"{", b"["}:
        return _from_json(stripped)
    try:
        return bytes.fromhex(stripped.removeprefix(b"0x").decode("ascii")), None
    except ValueError:  # no hex: the bytes themselves
        return content, None


def _from_json(content: bytes) -> tuple[bytes, bytes | None]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}") from error
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise InputError("a JSON document with other than one quote")
    text = next((document[n] for n in _JSON_MEMBERS if isinstance(document.get(n), str)), None)
    if text is None:
        raise InputError(f"the JSON document has none of {', '.join(_JSON_MEMBERS)}")
    chain = document.get("certificate")
    pem = _decode(chain) if isinstance(chain, str) else None
    return _decode(text), pem


def _decode(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        pass
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise refused("format", "neither hex nor base64", "JSON") from error
