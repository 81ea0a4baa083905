"""How fine the compiler may choose, before the no-wrap rule has its say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from veridical.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """Upper limits of widths; the compiler goes below them where the no-wrap rule demands it.

    Units: magnitude bits do not count the sign: 15 is the whole of a signed 16-bit integer.
    """

    name: str
    weight_bits: int = 15
    activation_bits: int = 15
    table_bits: int = 16
    """Most index bits of a table."""
    norm_bits: int = 14
    """Magnitude bits of a LayerNorm result."""
    minimum_weight_bits: int = 7
    """Below this a layer is an error, never silently coarse."""
    input_margin: float = 1.02
    """Declared input range over the calibrated one."""
    inner_margin: float = 1.25
    """Room of inner tensors over the calibrated range before they saturate, in small models."""
    deep_margin: float = 1.05
    """The same in deep models, where steps are powers of two and leave room by themselves."""


PRECISIONS: Final = {
    "auto": Precision(name="auto"),
    "int16": Precision(name="int16", norm_bits=15),
    "int8": Precision(
        name="int8", weight_bits=7, activation_bits=7, norm_bits=7, minimum_weight_bits=4
    ),
}


def parse(name: str) -> Precision:
    """Look a precision up by name.

    Raises:
        InputError: the name is not one of `auto`, `int16`, `int8`.
    """
    try:
        return PRECISIONS[name]
    except KeyError:
        choices = ", ".join(PRECISIONS)
        msg = f"precision {name!r} is not one of {choices}"
        raise InputError(msg) from None
