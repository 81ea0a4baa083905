"""What receipts need of a program and of a run: five methods and six values.

Spec: spec/v1/program.md. The receipt layer knows no executor; whatever fits these protocols can be
stated about and verified, the Rust engine and the NumPy reference alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from numpy.typing import NDArray

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Encoded", "Program", "Run", "Tensors", "Trace"]

#: Named tensors of any dtype that a program takes or gives.
Tensors: TypeAlias = Mapping[str, NDArray[Any]]


class Encoded(Protocol):
    """The integers that the float boundary makes of an input."""

    @property
    def tensors(self) -> Mapping[str, NDArray[np.int32]]:
        """Integer input tensors by name."""

    @property
    def saturated(self) -> int:
        """How many elements were clamped to the declared range."""


class Trace(Protocol):
    """Every integer of one run."""

    @property
    def root(self) -> bytes:
        """The 32-byte trace root of spec/v1/program.md, section 8."""


class Program(Protocol):
    """A program that can be run again."""

    @property
    def digest(self) -> bytes:
        """The 32-byte model digest."""

    @property
    def aliases(self) -> Mapping[str, str]:
        """Digests of the source model by other names."""

    def encode(self, inputs: Tensors, /) -> Encoded:
        """Encode real inputs; raises `InputError` if one does not fit the program."""

    def execute(self, tensors: Mapping[str, NDArray[np.int32]], /) -> Tensors:
        """Run on encoded integers and return the integer outputs."""

    def decode(self, integer_outputs: Mapping[str, NDArray[np.int32]], /) -> Tensors:
        """Return the real values of integer outputs, float64."""


class Run(Protocol):
    """One finished run, as the issuer holds it."""

    @property
    def program(self) -> Program:
        """The program that ran."""

    @property
    def inputs(self) -> Tensors:
        """The inputs as they were received."""

    @property
    def encoded(self) -> Encoded:
        """What the program made of them."""

    @property
    def integer_outputs(self) -> Mapping[str, NDArray[np.int32]]:
        """What the program gave."""

    @property
    def outputs(self) -> Tensors:
        """The same as real values."""

    @property
    def trace(self) -> Trace:
        """The trace, made when it is first asked for."""
