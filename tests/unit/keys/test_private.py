"""Private keys, their files, and signers outside the process."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from securesystemslib.signer._crypto_signer import CryptoSigner

from tests.toy import P256_SIGNER, SIGNER
from veridical.errors import InputError, KeyFormatError, UnsupportedKeyError
from veridical.keys import ExternalSigner, PrivateKey, PublicKey, generate

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.keys import Algorithm


@pytest.mark.parametrize("algorithm", ["ed25519", "p256"])
def test_a_new_key_is_saved_for_its_owner_alone_and_read_back(
    algorithm: Algorithm, tmp_path: Path
) -> None:
    key = generate(algorithm)
    assert key.public_key.algorithm == algorithm
    os.umask(0)  # even where everything is open by default
    key.save(tmp_path / "a.key")
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    again = PrivateKey.load(tmp_path / "a.key")
    assert again.public_key == key.public_key
    key.public_key.verify(again.sign(b"m"), b"m")


def test_two_new_keys_differ() -> None:
    assert generate().public_key != generate().public_key


def test_an_unknown_algorithm_is_refused() -> None:
    unknown: Any = "rsa"
    with pytest.raises(InputError, match="unknown algorithm"):
        generate(unknown)


def test_an_existing_file_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_bytes(b"precious")
    with pytest.raises(InputError, match="cannot write"):
        SIGNER.save(tmp_path / "a.key")
    assert (tmp_path / "a.key").read_bytes() == b"precious"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_key_that_others_may_read_is_refused(mode: int, tmp_path: Path) -> None:
    SIGNER.save(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(mode)
    with pytest.raises(InputError, match="others may read") as caught:
        PrivateKey.load(tmp_path / "a.key")
    assert "chmod 600" in caught.value.diagnostics()


@pytest.mark.parametrize("signer", [SIGNER, P256_SIGNER], ids=["ed25519", "p256"])
def test_signatures_are_deterministic(signer: PrivateKey) -> None:
    assert signer.sign(b"m") == signer.sign(b"m") != signer.sign(b"n")


def test_a_key_does_not_show_itself() -> None:
    secret = SIGNER.to_pem().split(b"\n")[1].decode()
    assert secret not in repr(SIGNER)
    assert SIGNER.public_key.key_id[:16] in repr(SIGNER)


def test_other_keys_and_no_keys_are_refused() -> None:
    pkcs8 = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    for other in (
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
    ):
        with pytest.raises(UnsupportedKeyError):
            PrivateKey.from_pem(other.private_bytes(*pkcs8))
    locked = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        *pkcs8[:2], serialization.BestAvailableEncryption(b"password")
    )
    for wrong in (b"", b"garbage", SIGNER.public_key.to_pem(), locked):
        with pytest.raises(KeyFormatError):
            PrivateKey.from_pem(wrong)


@pytest.mark.parametrize("make", [CryptoSigner.generate_ed25519, CryptoSigner.generate_ecdsa])
def test_a_signer_outside_the_process_gives_the_one_encoding(make: Any) -> None:
    outside = make()
    pem = outside._private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signer = ExternalSigner(outside, PublicKey.from_pem(pem))
    for number in range(16):  # half of all ECDSA signatures come with the high s
        message = bytes([number])
        signer.public_key.verify(signer.sign(message), message)


@pytest.mark.parametrize("own", [SIGNER, P256_SIGNER], ids=["ed25519", "p256"])
@pytest.mark.parametrize("make", [CryptoSigner.generate_ed25519, CryptoSigner.generate_ecdsa])
def test_an_external_signer_with_another_key_is_refused(own: PrivateKey, make: Any) -> None:
    signer = ExternalSigner(make(), own.public_key)
    with pytest.raises(KeyFormatError, match="private half"):
        signer.sign(b"m")
