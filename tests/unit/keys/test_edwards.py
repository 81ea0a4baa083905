"""Ed25519 keys that libraries load and nobody should: small order, not canonical, off the curve."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import FULL_CAMPAIGN
from veridical.errors import NonCanonicalKeyError, PointNotOnCurveError, SmallOrderKeyError
from veridical.keys import PublicKey
from veridical.keys.edwards import require_prime_order

pytestmark = pytest.mark.timeout(1800 if FULL_CAMPAIGN else 60)


P = 2**255 - 19

# The eight points of order 1, 2, 4, 4, 8, 8, 8, 8 in their canonical encodings (RFC 8032 curve).
SMALL_ORDER = {
    "order_1": "0100000000000000000000000000000000000000000000000000000000000000",
    "order_2": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "order_4_even": "0000000000000000000000000000000000000000000000000000000000000000",
    "order_4_odd": "0000000000000000000000000000000000000000000000000000000000000080",
    "order_8_a": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "order_8_b": "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "order_8_c": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "order_8_d": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}
# The same points, and others, in encodings that RFC 8032 forbids.
NON_CANONICAL = {
    "order_1_with_sign": "0100000000000000000000000000000000000000000000000000000000000080",
    "order_2_with_sign": "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "y_is_p": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "y_is_p_with_sign": "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "y_is_p_plus_1": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "y_is_p_plus_1_with_sign": "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "y_is_p_plus_18": "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "y_is_p_plus_18_with_sign": "ff" * 32,
}


@pytest.mark.parametrize("encoded", SMALL_ORDER.values(), ids=SMALL_ORDER.keys())
def test_small_order_keys_are_refused_by_name(encoded: str) -> None:
    with pytest.raises(SmallOrderKeyError, match="small order"):
        require_prime_order(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", NON_CANONICAL.values(), ids=NON_CANONICAL.keys())
def test_non_canonical_keys_are_refused_by_name(encoded: str) -> None:
    with pytest.raises(NonCanonicalKeyError):
        require_prime_order(bytes.fromhex(encoded))


@pytest.mark.parametrize("encoded", [*SMALL_ORDER.values(), *NON_CANONICAL.values()])
def test_the_library_alone_would_load_them(encoded: str) -> None:
    # If this ever fails the check has become redundant; until then it is what protects us.
    loaded = Ed25519PublicKey.from_public_bytes(bytes.fromhex(encoded))
    with pytest.raises((SmallOrderKeyError, NonCanonicalKeyError)):
        PublicKey.from_cryptography(loaded)


def test_a_small_order_key_signs_what_nobody_signed() -> None:
    # Why the check exists: the identity as key, and R = identity, S = 0, fits every message.
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(SMALL_ORDER["order_1"]))
    forged = bytes.fromhex(SMALL_ORDER["order_1"]) + bytes(32)
    key.verify(forged, b"one message")
    key.verify(forged, b"and another")


def test_a_key_with_a_small_order_component_is_refused() -> None:
    # An honest key plus the point of order 2: (x, y) becomes (-x, -y).
    honest = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    require_prime_order(honest)
    number = int.from_bytes(honest, "little")
    y, sign = number & (2**255 - 1), number >> 255
    mixed = ((P - y) | ((1 - sign) << 255)).to_bytes(32, "little")
    with pytest.raises(SmallOrderKeyError, match="component"):
        require_prime_order(mixed)


def test_half_of_all_y_are_no_point() -> None:
    refused = 0
    for y in range(2, 66):
        try:
            require_prime_order(y.to_bytes(32, "little"))
        except PointNotOnCurveError:
            refused += 1
        except SmallOrderKeyError:
            continue
    assert 16 < refused < 48


@given(st.binary(min_size=32, max_size=32))
def test_honest_keys_are_accepted(seed: bytes) -> None:
    require_prime_order(Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw())
