"""Checks that 32 bytes are the one encoding of an Ed25519 point of prime order.

Source: RFC 8032, sections 5.1.3 and 5.1.4. Common libraries load any 32 bytes as a public key.
Under a key of small order one signature fits many messages; a key with a small-order component is
judged differently by different verifiers. No honest key generation yields either.

Public values only: nothing here needs to run in constant time.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from veridical.errors import NonCanonicalKeyError, PointNotOnCurveError, SmallOrderKeyError

__all__ = ["require_prime_order"]

_P: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_D: Final = -121665 * pow(121666, -1, _P) % _P
_SQRT_MINUS_ONE: Final = pow(2, (_P - 1) // 4, _P)

#: Extended homogeneous coordinates X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z.
Point: TypeAlias = tuple[int, int, int, int]

_IDENTITY: Final[Point] = (0, 1, 1, 0)


def require_prime_order(encoded: bytes) -> None:
    """Return if the bytes encode a point of prime order, canonically.

    Raises:
        NonCanonicalKeyError: y is not reduced, or x = 0 carries a sign.
        PointNotOnCurveError: no x belongs to this y.
        SmallOrderKeyError: the point's order is not the large prime.
    """
    point = _decompress(encoded)
    eightfold = _multiply(8, point)
    if _is_identity(eightfold):
        raise SmallOrderKeyError("the Ed25519 key has small order", check="key")
    if not _is_identity(_multiply(_ORDER, point)):
        raise SmallOrderKeyError("the Ed25519 key has a component of small order", check="key")


def _decompress(encoded: bytes) -> Point:
    y = int.from_bytes(encoded, "little")
    sign = y >> 255
    y &= 2**255 - 1
    if y >= _P:
        raise NonCanonicalKeyError("y of the Ed25519 key is not reduced", check="key")
    # x^2 = u / v; candidate root u v^3 (u v^7)^((p-5)/8), right up to a factor sqrt(-1).
    u, v = (y * y - 1) % _P, (_D * y * y + 1) % _P
    x = u * pow(v, 3, _P) * pow(u * pow(v, 7, _P), (_P - 5) // 8, _P) % _P
    if (v * x * x - u) % _P:
        x = x * _SQRT_MINUS_ONE % _P
    if (v * x * x - u) % _P:
        raise PointNotOnCurveError("the Ed25519 key is no point of the curve", check="key")
    if x == 0 and sign:
        raise NonCanonicalKeyError("x of the Ed25519 key is 0 and has a sign", check="key")
    # Which of x and -x the sign chooses does not matter here: both points have the same order.
    return (x, y, 1, x * y % _P)


def _add(first: Point, second: Point) -> Point:
    # RFC 8032 section 5.1.4; the formulas are complete, so doubling needs no case of its own.
    x1, y1, z1, t1 = first
    x2, y2, z2, t2 = second
    a = (y1 - x1) * (y2 - x2) % _P
    b = (y1 + x1) * (y2 + x2) % _P
    c = 2 * t1 * t2 * _D % _P
    d = 2 * z1 * z2 % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _multiply(scalar: int, point: Point) -> Point:
    result = _IDENTITY
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _is_identity(point: Point) -> bool:
    x, y, z, _ = point
    return x % _P == 0 and (y - z) % _P == 0
