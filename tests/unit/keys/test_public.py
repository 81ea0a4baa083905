"""Public keys and signatures: one encoding, and no weak point."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from tests.toy import OTHER_SIGNER, P256_SIGNER, SIGNER
from veridical.errors import (
    InputError,
    KeyFormatError,
    NonCanonicalKeyError,
    PointNotOnCurveError,
    SignatureError,
    SmallOrderKeyError,
    UnsupportedKeyError,
)
from veridical.keys import PublicKey
from veridical.keys.public import P256_ORDER

if TYPE_CHECKING:
    from pathlib import Path

    from veridical.keys import PrivateKey

MESSAGE = b"what is signed"
SIGNERS = pytest.mark.parametrize("signer", [SIGNER, P256_SIGNER], ids=["ed25519", "p256"])
# SubjectPublicKeyInfo headers of both algorithms, before the point.
P256_HEADER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")
P256_COMPRESSED_HEADER = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
ED25519_HEADER = bytes.fromhex("302a300506032b6570032100")


def pem_of(der: bytes) -> bytes:
    body = base64.encodebytes(der).decode().replace("\n", "")
    lines = [body[i : i + 64] for i in range(0, len(body), 64)]
    text = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
    return text.encode()


@SIGNERS
def test_a_key_is_read_back(signer: PrivateKey, tmp_path: Path) -> None:
    signer.public_key.save(tmp_path / "key.pub")
    assert PublicKey.load(tmp_path / "key.pub") == signer.public_key


@SIGNERS
def test_the_key_id_is_the_hash_of_the_encoded_key(signer: PrivateKey) -> None:
    body = b"".join(signer.public_key.to_pem().split(b"\n")[1:-2])
    assert signer.public_key.key_id == hashlib.sha256(base64.b64decode(body)).hexdigest()


@SIGNERS
def test_a_signature_is_the_key_owners_and_of_this_message(signer: PrivateKey) -> None:
    signature = signer.sign(MESSAGE)
    signer.public_key.verify(signature, MESSAGE)
    with pytest.raises(SignatureError, match="not by key"):
        signer.public_key.verify(signature, MESSAGE + b"!")
    with pytest.raises(SignatureError, match="not by key"):
        OTHER_SIGNER.public_key.verify(signature, MESSAGE)
    for wrong in (b"", signature[:-1], signature + b"\0"):
        with pytest.raises(SignatureError, match="64 bytes"):
            signer.public_key.verify(wrong, MESSAGE)


@SIGNERS
def test_no_bit_of_a_signature_can_change(signer: PrivateKey) -> None:
    signature = signer.sign(MESSAGE)
    for bit in range(8 * len(signature)):
        mutant = bytearray(signature)
        mutant[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureError):
            signer.public_key.verify(bytes(mutant), MESSAGE)


def test_the_other_s_of_a_p256_signature_is_refused() -> None:
    signature = P256_SIGNER.sign(MESSAGE)
    r, s = signature[:32], int.from_bytes(signature[32:], "big")
    assert s <= P256_ORDER // 2
    high = r + (P256_ORDER - s).to_bytes(32, "big")
    der = utils.encode_dss_signature(int.from_bytes(r, "big"), P256_ORDER - s)
    key = serialization.load_pem_public_key(P256_SIGNER.public_key.to_pem())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(der, MESSAGE, ec.ECDSA(SHA256()))  # ECDSA itself accepts it
    with pytest.raises(SignatureError, match="out of range"):
        P256_SIGNER.public_key.verify(high, MESSAGE)


@pytest.mark.parametrize(
    ("r", "s"), [(0, 1), (1, 0), (0, 0), (P256_ORDER, 1), (1, P256_ORDER), (2**256 - 1, 1)]
)
def test_p256_numbers_out_of_range_are_refused(r: int, s: int) -> None:
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    with pytest.raises(SignatureError, match="out of range"):
        P256_SIGNER.public_key.verify(signature, MESSAGE)


def test_the_other_s_of_an_ed25519_signature_is_refused() -> None:
    order = 2**252 + 27742317777372353535851937790883648493
    signature = SIGNER.sign(MESSAGE)
    s = int.from_bytes(signature[32:], "little") + order
    with pytest.raises(SignatureError):
        SIGNER.public_key.verify(signature[:32] + s.to_bytes(32, "little"), MESSAGE)


def p256_point() -> bytes:
    key = serialization.load_pem_public_key(P256_SIGNER.public_key.to_pem())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    point = serialization.PublicFormat.UncompressedPoint
    return key.public_bytes(serialization.Encoding.X962, point)


def test_a_p256_point_off_the_curve_is_refused() -> None:
    point = bytearray(p256_point())
    point[-1] ^= 1
    with pytest.raises(PointNotOnCurveError):
        PublicKey.from_pem(pem_of(P256_HEADER + bytes(point)))


@pytest.mark.parametrize("coordinate", [bytes(64), b"\xff" * 64])
def test_odd_p256_coordinates_are_refused(coordinate: bytes) -> None:
    with pytest.raises(PointNotOnCurveError):
        PublicKey.from_pem(pem_of(P256_HEADER + b"\x04" + coordinate))


def test_the_p256_point_at_infinity_is_refused() -> None:
    header = bytes.fromhex("3019301306072a8648ce3d020106082a8648ce3d030107030200")
    with pytest.raises(KeyFormatError):
        PublicKey.from_pem(pem_of(header + b"\x00"))


def test_a_compressed_p256_point_is_a_second_encoding() -> None:
    point = p256_point()
    compressed = bytes([2 + (point[-1] & 1)]) + point[1:33]
    with pytest.raises(NonCanonicalKeyError):
        PublicKey.from_pem(pem_of(P256_COMPRESSED_HEADER + compressed))


def test_a_small_order_key_file_is_refused_and_named() -> None:
    pem = pem_of(ED25519_HEADER + (1).to_bytes(32, "little"))
    with pytest.raises(SmallOrderKeyError) as caught:
        PublicKey.from_pem(pem, where="provider.pub")
    assert caught.value.where == "provider.pub"


def test_other_algorithms_are_refused() -> None:
    others: list[ec.EllipticCurvePublicKey | ed448.Ed448PublicKey | rsa.RSAPublicKey] = [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ]
    for other in others:
        pem = other.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        with pytest.raises(UnsupportedKeyError):
            PublicKey.from_pem(pem)


def test_line_ends_do_not_matter_and_everything_else_does() -> None:
    pem = SIGNER.public_key.to_pem()
    assert PublicKey.from_pem(pem.replace(b"\n", b"\r\n")) == SIGNER.public_key
    assert PublicKey.from_pem(pem.rstrip()) == SIGNER.public_key
    for changed in (b"comment\n" + pem, pem + pem, pem + b"trailing", pem.replace(b"\n", b"\n ")):
        with pytest.raises(KeyFormatError):
            PublicKey.from_pem(changed)


def test_a_private_key_in_place_of_a_public_one_is_named() -> None:
    with pytest.raises(KeyFormatError, match="this is a private key"):
        PublicKey.from_pem(SIGNER.to_pem())


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"-----BEGIN PUBLIC KEY-----\n", b"key"])
def test_bytes_that_are_no_key_are_refused(content: bytes) -> None:
    with pytest.raises(KeyFormatError):
        PublicKey.from_pem(content)


def test_a_missing_and_a_large_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        PublicKey.load(tmp_path / "missing.pub")
    (tmp_path / "large.pub").write_bytes(bytes(20_000))
    with pytest.raises(KeyFormatError, match="more than"):
        PublicKey.load(tmp_path / "large.pub")


def test_equal_keys_are_equal_and_usable_in_sets() -> None:
    again = PublicKey.from_pem(SIGNER.public_key.to_pem())
    assert {again, SIGNER.public_key} == {again}
    assert again != OTHER_SIGNER.public_key
    raw = Ed25519PublicKey.from_public_bytes(bytes.fromhex("58" + "66" * 31))
    assert PublicKey.from_cryptography(raw).algorithm == "ed25519"  # the base point


@SIGNERS
def test_every_changed_byte_of_a_key_is_refused_or_another_key(signer: PrivateKey) -> None:
    lines = signer.public_key.to_pem().split(b"\n")
    encoded = base64.b64decode(b"".join(lines[1:-2]))
    refused = others = 0
    for offset in range(len(encoded)):
        for flip in (1, 0x80, 0xFF):
            mutant = bytearray(encoded)
            mutant[offset] ^= flip
            try:
                key = PublicKey.from_pem(pem_of(bytes(mutant)))
            except KeyFormatError:
                refused += 1
                continue
            assert key != signer.public_key
            assert key.to_pem() == pem_of(bytes(mutant))
            others += 1
    assert (
        refused > others
    )  # half of all y are no point; of the points one in eight is of prime order


@given(st.binary(max_size=120))
def test_arbitrary_bytes_raise_nothing_but_a_named_error(content: bytes) -> None:
    for candidate in (content, pem_of(content), pem_of(ED25519_HEADER + content)):
        try:
            PublicKey.from_pem(candidate)
        except KeyFormatError:
            continue
