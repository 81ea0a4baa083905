"""What the caller gave to compare with, in the form that the checks use.

A mistake here is the caller's: it raises `InputError` and is never a verdict.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veridical.commitment import tensors_from_bytes, tensors_to_bytes
from veridical.errors import InputError, MalformedError
from veridical.seeds.beacon import QUICKNET
from veridical.tee.context import TeeContext

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veridical.receipt.program import Program, Tensors
    from veridical.seeds.beacon import Beacon

__all__ = ["Given", "Value"]

#: As far as floats count seconds one by one; an integer beyond every float is refused as well.
MAX_SECONDS: Final = 2**53

#: Named arrays, their canonical bytes, or one array where the program has one input or output.
Value: TypeAlias = Mapping[str, ArrayLike] | bytes | NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The caller's own question, answer and program, as far as they were given."""

    now: int
    input: Tensors | None = None
    output: Tensors | None = None
    program: Program | None = None
    #: Chains whose rounds can be checked.
    beacons: tuple[Beacon, ...] = (QUICKNET,)
    #: Trusted time and collateral for quotes of hardware.
    tee: TeeContext = field(default_factory=TeeContext)

    @classmethod
    def of(
        cls,
        *,
        now: float,
        input: Value | None,  # noqa: A002 - the public name of the argument
        output: Value | None,
        program: Program | None,
        beacons: Iterable[Beacon] = (QUICKNET,),
        tee: TeeContext | None = None,
    ) -> Self:
        """Check the caller's arguments.

        Raises:
            InputError: an argument cannot be used.
        """
        seconds: object = now
        is_number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
        if not is_number or not abs(now) <= MAX_SECONDS:  # neither does NaN
            raise InputError(f"`now` is seconds since 1970, not {now!r:.80}")
        digest: Any = getattr(program, "digest", None)
        if program is not None and not (isinstance(digest, bytes) and len(digest) == 32):  # noqa: PLR2004
            raise InputError(f"`program` is not a program: {type(program).__name__}")
        return cls(
            now=math.floor(now),
            input=_tensors("input", input, _names(program, "inputs")),
            output=_tensors("output", output, _names(program, "outputs")),
            program=program,
            beacons=tuple(beacons),
            tee=tee or TeeContext(),
        )


def _names(program: Program | None, attribute: str) -> list[str]:
    """Return the names of inputs or outputs, where the program tells them."""
    return [entry.name for entry in getattr(program, attribute, ())]


def _tensors(argument: str, value: Value | None, names: list[str]) -> Tensors | None:
    if value is None:
        return None
    if isinstance(value, np.ndarray) and len(names) == 1:
        value = {names[0]: value}
    if isinstance(value, bytes):
        try:
            return tensors_from_bytes(value, where=f"`{argument}`")
        except MalformedError as error:
            raise InputError(f"not canonical tensor bytes: {error.message}", error.where) from error
    if not isinstance(value, Mapping):
        raise InputError(
            f"`{argument}` is a {type(value).__name__}; expected arrays by name, or their "
            "canonical bytes",
            advice=f"Pass {{'name': array}}; `veridical.run` takes the same form as {argument}.",
        )
    try:
        tensors = {str(name): np.asarray(array) for name, array in value.items()}
    except (ValueError, TypeError) as error:
        raise InputError(f"`{argument}` holds something that is no array: {error}") from error
    tensors_to_bytes(tensors)  # raises if they have no canonical form
    return tensors
