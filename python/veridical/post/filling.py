"""A template and an output into a text, in integer arithmetic.

Spec: spec/v1/post.md, section 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from veridical.errors import PostError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from veridical.post.template import Field, Template

__all__ = ["Filled", "fill"]

#: A number of this size or more has no place in a text.
_LIMIT: Final = 2**63


@dataclass(frozen=True, slots=True)
class Filled:
    """A filled text, and which of its bytes came from the output."""

    text: bytes
    #: Byte ranges of the values, in order.
    values: tuple[tuple[int, int], ...]


def fill(
    template: Template, outputs: Mapping[str, NDArray[Any]], *, receipt_id: str, model: str
) -> Filled:
    """Fill a template.

    Raises:
        PostError: a field does not fit the output; the message names it.
    """
    text = bytearray()
    values: list[tuple[int, int]] = []
    for piece in template.pieces:
        if isinstance(piece, str):
            text += piece.encode()
        else:
            value = _value(piece, template, outputs, {"receipt": receipt_id, "model": model})
            values.append((len(text), len(text) + len(value.encode())))
            text += value.encode()
    if not text:
        raise _error("the text is empty", "template")
    return Filled(bytes(text), tuple(values))


def _value(
    field: Field,
    template: Template,
    outputs: Mapping[str, NDArray[Any]],
    names: Mapping[str, str],
) -> str:
    if field.kind in names:
        return names[field.kind]
    where = f"field {field.kind!r} of {field.tensor[:80]!r}"
    row, last = _row(field, outputs, where)
    if field.kind == "largest":
        labels = template.labels[field.labels]
        if len(labels) != len(row):
            raise _error(f"{len(labels)} labels for {len(row)} places", where)
        return labels[last]
    numerator, exponent = _exact(row[last], where)
    if field.kind == "label":
        return _label(template.labels[field.labels], numerator, exponent, where)
    scale = 100 if field.kind == "percent" else 1
    return _decimal(numerator * scale, exponent, field.decimals)


def _row(field: Field, outputs: Mapping[str, NDArray[Any]], where: str) -> tuple[NDArray[Any], int]:
    """Return the row along the last axis that a field reads, and the place in it."""
    array = outputs.get(field.tensor)
    if array is None:
        raise _error("there is no such output", where)
    if len(field.index) + field.is_of_largest != array.ndim:
        raise _error(f"{array.ndim} indices are needed for shape {array.shape}", where)
    if any(i >= size for i, size in zip(field.index, array.shape, strict=False)):
        raise _error(f"index {field.index} is outside shape {array.shape}", where)
    if not field.is_of_largest:
        return array[field.index[:-1]], field.index[-1]
    row = array[field.index]
    if row.dtype.kind == "f" and not np.isfinite(row).all():
        raise _error("an element is not a number", where)
    return row, int(np.argmax(row))  # the lowest place, if several are equal


def _exact(element: Any, where: str) -> tuple[int, int]:  # noqa: ANN401 - a NumPy scalar
    """Return integers with element = numerator * 2**exponent."""
    if element.dtype.kind != "f":
        numerator, exponent = int(element), 0
    elif not np.isfinite(element):
        raise _error("the element is not a number", where)
    else:
        numerator, denominator = float(element).as_integer_ratio()
        exponent = 1 - denominator.bit_length()
    if abs(numerator) >= _LIMIT << -exponent:
        raise _error("the number is out of range", where)
    return numerator, exponent


def _label(labels: tuple[str, ...], numerator: int, exponent: int, where: str) -> str:
    # In lowest terms, so an integer has no exponent.
    if exponent or not 0 <= numerator < len(labels):
        raise _error(f"the element is not the number of one of {len(labels)} labels", where)
    return labels[numerator]


def _decimal(numerator: int, exponent: int, decimals: int) -> str:
    """Return the number, rounded half to even."""
    whole, rest = divmod(abs(numerator) * 10**decimals, 1 << -exponent)
    twice = rest << 1
    if twice > 1 << -exponent or (twice == 1 << -exponent and whole & 1):
        whole += 1
    sign = "-" if numerator < 0 and whole else ""
    digits = str(whole).rjust(decimals + 1, "0")
    if not decimals:
        return sign + digits
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def _error(message: str, where: str) -> PostError:
    return PostError(message, where=where, check="post.fill")
