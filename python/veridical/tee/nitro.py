"""AWS Nitro Enclaves: attestation documents of the hypervisor's security module.

Spec: spec/v1/tee.md, section 3.3. A COSE_Sign1 message whose payload carries its own chain; nothing
else is needed but the root.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from veridical.tee.cbor import decode, encode
from veridical.tee.claims import Claims, Family
from veridical.tee.quote import Genuine, refused
from veridical.tee.x509 import parse_der, verify_chain, window_of

if TYPE_CHECKING:
    from veridical.tee.cbor import Item
    from veridical.tee.collateral import Collateral

__all__ = ["DOCUMENT_MAX_BYTES", "ROOT", "NitroDocument"]

#: SHA-256 of the root of AWS Nitro Enclaves.
ROOT: Final = "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b"
DOCUMENT_MAX_BYTES: Final = 16 * 1024

#: {1: -35}: ECDSA with SHA-384.
_PROTECTED: Final = encode({1: -35})
_SIGNATURE: Final = 96
_PCR_BYTES: Final = 48
_MAX_PCRS: Final = 32
_MAX_FIELD: Final = 1024
_MAX_TIMESTAMP: Final = 2**53 - 1
_REQUIRED: Final = frozenset(
    {"module_id", "timestamp", "digest", "pcrs", "certificate", "cabundle"}
)
_OPTIONAL: Final = ("public_key", "user_data", "nonce")
#: PCRs that no image leaves at zero: in debug mode they are.
_CODE_PCRS: Final = (0, 1, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class NitroDocument:
    """One attestation document."""

    payload: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    module_id: str
    #: Milliseconds since 1970, by the clock of the hypervisor.
    timestamp: int
    pcrs: dict[int, bytes] = field(repr=False)
    #: Leaf first, root last.
    chain: tuple[bytes, ...] = field(repr=False)
    user_data: bytes
    nonce: bytes
    public_key: bytes
    family: Family = Family.NITRO

    @classmethod
    def from_bytes(cls, untrusted: bytes) -> Self:
        """Parse a document.

        Raises:
            QuoteError: it is not a document in deterministic CBOR.
        """
        if len(untrusted) > DOCUMENT_MAX_BYTES:
            raise refused("format", f"{len(untrusted)} bytes; at most {DOCUMENT_MAX_BYTES}")
        message = decode(untrusted, what="document")
        match message:
            case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
                pass
            case _:
                raise refused("format", "not a COSE_Sign1 message", "document")
        if protected != _PROTECTED or unprotected:
            raise refused("format", "the headers are not those of ES384", "document")
        if len(signature) != _SIGNATURE:
            raise refused("format", f"a signature of {len(signature)} bytes", "document")
        return cls(payload=payload, signature=signature, **_members(payload))  # type: ignore[arg-type] # read one by one below

    def unverified_claims(self) -> Claims:
        """Return what it says."""
        return self._claims(root="", is_simulated=False)

    def verify(self, collateral: Collateral, *, time: int | None) -> Genuine:  # noqa: ARG002 - protocol
        """Check chain and signature."""
        chain = [parse_der(der, what="certificate") for der in self.chain]
        root, is_simulated = verify_chain(chain, roots=(ROOT,), what="document chain")
        key = chain[0].public_key()
        if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(
            key.curve, ec.SECP384R1
        ):
            raise refused("signature", "the key of the leaf is not on P-384", "document")
        half = _SIGNATURE // 2
        r, s = (int.from_bytes(self.signature[i : i + half], "big") for i in (0, half))
        signed = encode(["Signature1", _PROTECTED, b"", self.payload])
        try:
            key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA384()))
        except InvalidSignature as error:
            raise refused("signature", "the document is not signed by its leaf") from error
        windows = (window_of(c, f"certificate {i} of the document") for i, c in enumerate(chain))
        return Genuine(
            claims=self._claims(root=root, is_simulated=is_simulated), windows=tuple(windows)
        )

    def _claims(self, *, root: str, is_simulated: bool) -> Claims:
        is_debug = any(not any(self.pcrs.get(index, b"\0")) for index in _CODE_PCRS)
        return Claims(
            family=self.family,
            generation="nitro",
            root=root,
            is_simulated=is_simulated,
            platform=self.module_id,
            bound=self.user_data,
            measurements={f"pcr{index}": value.hex() for index, value in self.pcrs.items()},
            security={"debug": int(is_debug), "timestamp_ms": self.timestamp},
            firmware={"nonce": self.nonce.hex(), "public_key": self.public_key.hex()},
        )


def _members(payload: bytes) -> dict[str, object]:
    """Read the members of a document."""
    document = decode(payload, what="payload", may_be_open=True)
    if not isinstance(document, dict):
        raise refused("format", "the payload is no map", "payload")
    names = frozenset(document)
    if not _REQUIRED <= names <= _REQUIRED | set(_OPTIONAL):
        raise refused("format", "members are missing or unknown", "payload")
    if document["digest"] != "SHA384":
        raise refused("format", "the digest is not SHA384", "payload")
    module_id, timestamp = document["module_id"], document["timestamp"]
    if not isinstance(module_id, str) or not module_id.isascii() or not module_id.isprintable():
        raise refused("format", "the module id is not printable text", "payload")
    if not 1 <= len(module_id) <= 128 or set(module_id) & set('"\\'):  # noqa: PLR2004 - as in canonical JSON
        raise refused("format", "the module id is not a name", "payload")
    if not isinstance(timestamp, int) or not 0 <= timestamp <= _MAX_TIMESTAMP:
        raise refused("format", "the timestamp is no time", "payload")
    return {
        "module_id": module_id,
        "timestamp": timestamp,
        "pcrs": _pcrs(document["pcrs"]),
        "chain": _chain(document["certificate"], document["cabundle"]),
        **{name: _optional(document.get(name), name) for name in _OPTIONAL},
    }


def _pcrs(value: Item) -> dict[int, bytes]:
    if not isinstance(value, dict) or not 1 <= len(value) <= _MAX_PCRS:
        raise refused("format", "no PCRs", "payload")
    pcrs = {}
    for index, content in value.items():
        if not isinstance(index, int) or not 0 <= index < _MAX_PCRS:
            raise refused("format", f"PCR {index!r:.40} does not exist", "payload")
        if not isinstance(content, bytes) or len(content) != _PCR_BYTES:
            raise refused("format", f"PCR {index} has not {_PCR_BYTES} bytes", "payload")
        pcrs[index] = content
    return pcrs


def _chain(leaf: Item, bundle: Item) -> tuple[bytes, ...]:
    if not isinstance(bundle, list) or not 1 <= len(bundle) <= 7:  # noqa: PLR2004 - one less than a chain may have
        raise refused("format", "no chain of certificates", "payload")
    chain = (leaf, *reversed(bundle))
    if not all(isinstance(der, bytes) and der for der in chain):
        raise refused("format", "a certificate is no byte string", "payload")
    return chain  # type: ignore[return-value] # every one was compared above


def _optional(value: Item, name: str) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, bytes) or len(value) > _MAX_FIELD:
        raise refused("format", f"{name} is not a short byte string", "payload")
    return value
