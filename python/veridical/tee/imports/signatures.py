"""Signatures as other services make them: of Ethereum accounts, and Ed25519.

Spec: spec/v1/tee.md, section 11.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from veridical.errors import CollateralError, KeyFormatError, SignatureError
from veridical.keys import PublicKey
from veridical.tee.quote import refused

if TYPE_CHECKING:
    from veridical.errors import QuoteError

__all__ = ["ADDRESS_BYTES", "keccak256", "require_ecdsa", "require_ed25519"]

ADDRESS_BYTES: Final = 20
_RECOVERABLE_BYTES: Final = 65
_FIRST_V: Final = 27
_HALF_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141 // 2
_PREFIX: Final = b"\x19Ethereum Signed Message:\n"


def keccak256(content: bytes) -> bytes:
    """Return Keccak-256 as Ethereum uses it, which is not SHA3-256."""
    try:
        from Crypto.Hash import keccak
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return keccak.new(digest_bits=256, data=content).digest()


def require_ecdsa(signature: bytes, text: bytes, address: bytes) -> None:
    """Raise unless an account of this address signed a text (EIP-191).

    Raises:
        QuoteError: `tee.import-signature`.
        CollateralError: the packages of the extra `tee` are not installed.
    """
    try:
        from coincurve import PublicKey as Account
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    if len(signature) != _RECOVERABLE_BYTES:
        raise _wrong(f"{len(signature)} bytes; a signature of an account has {_RECOVERABLE_BYTES}")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise _wrong("the second form of a signature")
    parity = signature[64] - _FIRST_V if signature[64] >= _FIRST_V else signature[64]
    if parity not in {0, 1}:
        raise _wrong(f"v is {signature[64]}")
    message = _PREFIX + str(len(text)).encode("ascii") + text
    try:
        key = Account.from_signature_and_message(
            signature[:64] + bytes((parity,)), message, hasher=keccak256
        )
    except ValueError as error:
        raise _wrong("no key fits it") from error
    if keccak256(key.format(compressed=False)[1:])[-ADDRESS_BYTES:] != address:
        raise _wrong("another account made it")


def require_ed25519(signature: bytes, message: bytes, key: bytes) -> None:
    """Raise unless a key made a signature.

    Raises:
        QuoteError: `tee.import-signature`.
    """
    try:
        # A key of small order fits many messages: it is refused when it is read.
        public = PublicKey.from_cryptography(Ed25519PublicKey.from_public_bytes(key))
        public.verify(signature, message)
    except (KeyFormatError, SignatureError, ValueError) as error:
        raise _wrong(str(error)) from error


def _wrong(message: str) -> QuoteError:
    return refused("import-signature", f"not a signature of the signer: {message}", "signature")


def _missing(error: ModuleNotFoundError) -> CollateralError:
    return CollateralError(
        f"signatures of accounts need the package {error.name}",
        check="tee.format",
        advice="Install the extra: veridical[tee].",
    )
