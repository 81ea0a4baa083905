"""Inputs that only attested code reads; the cipher is compared with RFC 9180, written out here."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.toy import NOW, SIGNER
from tests.unit.tee.scenes import CHALLENGE, CONTEXT, HOUR, PROCESSORS, simulator
from veridical.commitment import frame
from veridical.errors import CollateralError, InputError, QuoteError
from veridical.tee import (
    Family,
    Freshness,
    FreshnessKind,
    Key,
    KeySet,
    Tee,
    TeeContext,
    TeePolicy,
    attest_batch,
)
from veridical.tee.sealing import OVERHEAD_BYTES, AttestedKeys, InputKey, seal

if TYPE_CHECKING:
    from veridical.tee.simulator import Simulator

MODEL = hashlib.sha256(b"a model").digest()
OTHER_MODEL = hashlib.sha256(b"another").digest()
NONCE = "order-4711"
PROMPT = b"nobody else may read this"
INSIDE = InputKey.generate()
SIGNING = Key.for_receipts(SIGNER.public_key, not_before=NOW - HOUR, not_after=NOW + HOUR)
READING = INSIDE.describe(not_before=NOW - HOUR, not_after=NOW + HOUR)
KEYS = KeySet.of(SIGNING, READING)


def evidence_of(attester: Simulator, keys: KeySet = KEYS) -> bytes:
    made = Tee.of_keys(attester, keys, CHALLENGE).keys
    assert made is not None
    return made.to_bytes()


def named(attester: Simulator, **members: object) -> TeePolicy:
    return TeePolicy(simulators=frozenset({attester.fingerprint}), **members)  # type: ignore[arg-type] # members of the policy


def checked(keys: KeySet = KEYS, family: Family = Family.TDX) -> AttestedKeys:
    attester = simulator(family)
    evidence = evidence_of(attester, keys)
    return AttestedKeys.check(evidence, policy=named(attester), context=CONTEXT)


# --- the quote is checked first


@pytest.mark.parametrize("family", PROCESSORS)
def test_an_input_reaches_the_attested_code_alone(family: Family) -> None:
    keys = checked(family=family)
    sealed = seal(PROMPT, keys, model=MODEL, request_id=NONCE)
    assert len(sealed) == len(PROMPT) + OVERHEAD_BYTES
    assert PROMPT not in sealed
    assert INSIDE.open(sealed, KEYS, model=MODEL, request_id=NONCE) == PROMPT
    assert sealed != seal(PROMPT, keys, model=MODEL, request_id=NONCE)
    assert keys.not_covered[0].startswith("SIMULATED")


def test_no_key_comes_from_a_quote_that_a_policy_rejects() -> None:
    attester, other = simulator(), simulator()
    evidence = evidence_of(attester)
    for policy, check in (
        (TeePolicy(), "tee.simulated"),
        (named(other), "tee.simulated"),
        (named(attester, nonce=bytes(32)), "tee.nonce"),
        (named(attester, families=frozenset({Family.NITRO})), "tee.family"),
    ):
        with pytest.raises(QuoteError) as raised:
            AttestedKeys.check(evidence, policy=policy, context=CONTEXT)
        assert raised.value.check == check


def test_without_a_trusted_time_nothing_is_decided() -> None:
    attester = simulator()
    with pytest.raises(CollateralError) as raised:
        AttestedKeys.check(evidence_of(attester), policy=named(attester), context=TeeContext())
    assert raised.value.check == "tee.time"


def test_a_key_that_was_exchanged_is_not_bound() -> None:
    attester = simulator()
    made = Tee.of_keys(attester, KEYS, CHALLENGE).keys
    assert made is not None
    hosts = InputKey.generate().describe(not_before=NOW - HOUR, not_after=NOW + HOUR)
    forged = replace(made, key_set=KeySet.of(SIGNING, hosts)).to_bytes()
    with pytest.raises(QuoteError) as raised:
        AttestedKeys.check(forged, policy=named(attester), context=CONTEXT)
    assert raised.value.check == "tee.binding"


def test_quotes_over_statements_give_no_key() -> None:
    attester = simulator()
    (made,) = attest_batch(attester, [bytes(32)], Freshness(FreshnessKind.NONE))
    with pytest.raises(QuoteError) as raised:
        AttestedKeys.check(made.to_bytes(), policy=named(attester), context=CONTEXT)
    assert raised.value.check == "tee.key"


@pytest.mark.parametrize(
    "keys",
    [
        KeySet.of(SIGNING),
        KeySet.of(SIGNING, replace(READING, not_after=NOW - 1)),
        KeySet.of(SIGNING, replace(READING, not_before=NOW + 1)),
    ],
)
def test_a_set_without_a_valid_input_key_takes_no_input(keys: KeySet) -> None:
    with pytest.raises(QuoteError) as raised:
        seal(PROMPT, checked(keys), model=MODEL, request_id=NONCE)
    assert raised.value.check == "tee.key"


def test_a_set_without_a_receipt_key_is_refused() -> None:
    with pytest.raises(QuoteError) as raised:
        checked(KeySet.of(READING))
    assert raised.value.check == "tee.key"


def test_a_key_with_which_everybody_shares_a_secret_is_refused() -> None:
    zero = READING.spki[:-32] + bytes(32)
    keys = checked(KeySet.of(SIGNING, replace(READING, spki=zero)))
    with pytest.raises(QuoteError) as raised:
        seal(PROMPT, keys, model=MODEL, request_id=NONCE)
    assert raised.value.check == "tee.key"


# --- what is sealed is for one key set, one model, one request


def test_what_was_sealed_for_something_else_does_not_open() -> None:
    sealed = seal(PROMPT, checked(), model=MODEL, request_id=NONCE)
    longer = KeySet.of(SIGNING, replace(READING, not_after=NOW + 2 * HOUR))
    attempts = [
        (INSIDE, sealed, KEYS, OTHER_MODEL, NONCE),
        (INSIDE, sealed, KEYS, MODEL, NONCE + "0"),
        (INSIDE, sealed, longer, MODEL, NONCE),
        (InputKey.generate(), sealed, KEYS, MODEL, NONCE),
        *((INSIDE, sealed[:size], KEYS, MODEL, NONCE) for size in (0, 31, 32, len(sealed) - 1)),
        (INSIDE, sealed + b"\0", KEYS, MODEL, NONCE),
    ]
    for key, content, keys, model, request_id in attempts:
        with pytest.raises(InputError) as raised:
            key.open(content, keys, model=model, request_id=request_id)
        assert raised.value.check == "tee.sealed"
    for bit in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(InputError):
            INSIDE.open(bytes(changed), KEYS, model=MODEL, request_id=NONCE)
    with pytest.raises(InputError, match="32"):
        seal(PROMPT, checked(), model=b"short", request_id=NONCE)


# --- RFC 9180, mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM


def extract(salt: bytes, suite: bytes, label: bytes, content: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + suite + label + content, "sha256")


def expand(secret: bytes, suite: bytes, label: bytes, info: bytes, size: int) -> bytes:
    full = size.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info
    return hmac.digest(secret, full + b"\x01", "sha256")[:size]


def opened_by_the_rfc(private: X25519PrivateKey, sealed: bytes, info: bytes) -> bytes:
    share, cipher = sealed[:32], sealed[32:]
    kem, suite = b"KEM\x00\x20", b"HPKE\x00\x20\x00\x01\x00\x02"
    secret = private.exchange(X25519PublicKey.from_public_bytes(share))
    context = share + private.public_key().public_bytes_raw()
    shared = expand(extract(b"", kem, b"eae_prk", secret), kem, b"shared_secret", context, 32)
    schedule = b"\x00" + extract(b"", suite, b"psk_id_hash", b"")
    schedule += extract(b"", suite, b"info_hash", info)
    secret = extract(shared, suite, b"secret", b"")
    key = expand(secret, suite, b"key", schedule, 32)
    nonce = expand(secret, suite, b"base_nonce", schedule, 12)
    return AESGCM(key).decrypt(nonce, cipher, b"")


def test_the_cipher_is_that_of_the_specification() -> None:
    sealed = seal(PROMPT, checked(), model=MODEL, request_id=NONCE)
    tag = b"veridical.sealed-input.v1"
    info = frame(tag, KEYS.digest, READING.spki, MODEL, NONCE.encode())
    assert opened_by_the_rfc(INSIDE.private, sealed, info) == PROMPT
