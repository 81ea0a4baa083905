"""Inputs that only attested code can read: encrypted to a key from a quote that was checked.

Spec: spec/v1/tee.md, section 12. `AttestedKeys.check` is the only way to what `seal` takes, so
nothing can be encrypted to a key before the quote over it was judged by the caller's policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from veridical.commitment import frame
from veridical.errors import CollateralError, InputError, QuoteError
from veridical.tee.attested import Attested, establish
from veridical.tee.binding import Key, KeySet
from veridical.tee.claims import Outcome
from veridical.tee.evidence import TeeEvidence
from veridical.tee.quote import refused

if TYPE_CHECKING:
    from veridical.tee.context import TeeContext
    from veridical.tee.policy import TeePolicy

__all__ = ["OVERHEAD_BYTES", "AttestedKeys", "InputKey", "seal"]

_TAG: Final = b"veridical.sealed-input.v1"
_DIGEST_BYTES: Final = 32
_NO_STATEMENT: Final = bytes(32)
_SUITE: Final = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)
#: By how much a sealed input is longer: the sender's share of the key, and the tag.
OVERHEAD_BYTES: Final = 32 + 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AttestedKeys:
    """Keys that attested code holds, as a quote shows that a policy accepted."""

    key_set: KeySet
    attested: Attested
    #: What the acceptance does not show.
    not_covered: tuple[str, ...]
    #: The trusted time at which it was accepted.
    time: int

    @classmethod
    def check(cls, untrusted: bytes, *, policy: TeePolicy, context: TeeContext) -> Self:
        """Judge evidence of purpose `key-set` before anything is sent.

        Raises:
            QuoteError: it is rejected; `check` says why.
            CollateralError: it is undecided: without a trusted time, or collateral.
        """
        evidence = TeeEvidence.from_bytes(untrusted)
        if evidence.key_set is None:
            raise refused("key", "the quotes are about statements, not about keys", "evidence")
        time = context.time
        if time is None:
            raise CollateralError("no trusted time was given", check="tee.time")
        signer = next((k for k in evidence.key_set.keys if k.use == "receipt"), None)
        if signer is None:
            raise refused("key", "no key of the set signs receipts", "key set")
        attested = establish(
            evidence,
            statement=_NO_STATEMENT,
            model=b"",
            signer=signer.key_id,
            issued_at=time,
            context=context,
        )
        findings = attested.judge(policy)
        worst = min(findings, key=lambda one: one.outcome)
        if worst.outcome is Outcome.REJECTED:
            raise QuoteError(worst.detail, check=worst.check)
        if worst.outcome is Outcome.UNDECIDED:
            raise CollateralError(worst.detail, check=worst.check)
        return cls(
            key_set=evidence.key_set,
            attested=attested,
            not_covered=attested.not_covered(policy),
            time=time,
        )

    def input_key(self) -> Key:
        """Return the key to which inputs are encrypted.

        Raises:
            QuoteError: the set has none that is valid at the trusted time.
        """
        for key in self.key_set.keys:
            if key.use == "input" and key.not_before <= self.time <= key.not_after:
                return key
        raise refused("key", "no key of the set takes inputs at this time", "key set")


def _info(key_set: KeySet, key: Key, model: bytes, request_id: str) -> bytes:
    """Return what both sides bind a sealed input to."""
    if len(model) != _DIGEST_BYTES:
        raise InputError(f"a model digest has {_DIGEST_BYTES} bytes, not {len(model)}")
    return frame(_TAG, key_set.digest, key.spki, model, request_id.encode("utf-8"))


def seal(plaintext: bytes, keys: AttestedKeys, *, model: bytes, request_id: str) -> bytes:
    """Encrypt an input so that only the attested code reads it, for one model and one request.

    `model` are the 32 bytes of the model digest. The length of the input stays visible.

    Raises:
        QuoteError: no attested key takes inputs.
    """
    key = keys.input_key()
    info = _info(keys.key_set, key, model, request_id)
    public = load_der_public_key(key.spki)
    if not isinstance(public, X25519PublicKey):
        raise refused("key", "the key is not of X25519", "key set")
    try:
        return _SUITE.encrypt(plaintext, public, info=info)
    except ValueError as error:  # a point of small order, with which everybody shares a secret
        raise refused("key", "the key shares no secret", "key set") from error


@dataclass(frozen=True, slots=True)
class InputKey:
    """The side of the attested code: a key that never leaves its memory."""

    private: X25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        """Make a key."""
        return cls(X25519PrivateKey.generate())

    def describe(self, *, not_before: int, not_after: int) -> Key:
        """Return the key as it stands in a key set."""
        spki = self.private.public_key().public_bytes(
            Encoding.DER, PublicFormat.SubjectPublicKeyInfo
        )
        return Key(
            algorithm="x25519",
            spki=spki,
            not_before=not_before,
            not_after=not_after,
            use="input",
        )

    def open(self, sealed: bytes, key_set: KeySet, *, model: bytes, request_id: str) -> bytes:
        """Decrypt an input that was sealed to this key in this set, for this model and request.

        Raises:
            InputError: it was not, or it was changed; nothing says which.
        """
        spki = self.describe(not_before=0, not_after=0).spki
        key = next((one for one in key_set.keys if one.spki == spki), None)
        if key is None:
            raise InputError("this key is not in the key set", check="tee.sealed")
        info = _info(key_set, key, model, request_id)
        try:
            return _SUITE.decrypt(sealed, self.private, info=info)
        except (InvalidTag, ValueError) as error:
            message = "the input was not sealed to this key, for this model and request"
            raise InputError(message, check="tee.sealed") from error
