"""A program of three lines, so that receipts are tested without an engine.

`y = 3 x - 1` on integers, with an input scale of 1/16 and saturation at ±1000. Keys and salts are
literals: every receipt made here has the same bytes in every run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from veridical.errors import InputError
from veridical.keys import PrivateKey
from veridical.policy import AllOf, ExpectInput, ExpectOutput, Nonce, RequireTier, TrustedSigners
from veridical.receipt import Receipt, issue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Int32 = NDArray[np.int32]

SCALE = 16
LIMIT = 1000
NOW = 1_796_000_000
NONCE = "order-4711"
SIGNER = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_SIGNER = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
P256_SIGNER = PrivateKey(ec.derive_private_key(20261122, ec.SECP256R1()))
X: dict[str, NDArray[Any]] = {"x": np.array([[1.5, -2.25, 0.0625]], dtype=np.float32)}


@dataclass(frozen=True)
class ToyEncoded:
    tensors: dict[str, Int32]
    saturated: int


@dataclass(frozen=True)
class ToyTrace:
    root: bytes


@dataclass(frozen=True)
class ToyProgram:
    """What `veridical.receipt.Program` asks for; `offset` makes another model of it."""

    offset: int = -1
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(b"toy" + str(self.offset).encode()).digest()

    def encode(self, inputs: Mapping[str, NDArray[Any]]) -> ToyEncoded:
        if set(inputs) != {"x"}:
            raise InputError(f"inputs {sorted(inputs)}, expected ['x']")
        x = np.asarray(inputs["x"])
        if x.ndim != 2 or x.dtype.kind not in "fiub":
            raise InputError(f"x has shape {x.shape} and dtype {x.dtype}")
        real = x.astype(np.float64)
        if not np.isfinite(real).all():
            raise InputError("x has NaN or infinite elements")
        exact = np.floor(real * SCALE + 0.5)
        clamped = np.clip(exact, -LIMIT, LIMIT)
        return ToyEncoded({"x": clamped.astype(np.int32)}, int((exact != clamped).sum()))

    def execute(self, tensors: Mapping[str, Int32]) -> dict[str, Int32]:
        return {"y": (tensors["x"] * 3 + self.offset).astype(np.int32)}

    def decode(self, integer_outputs: Mapping[str, Int32]) -> dict[str, NDArray[Any]]:
        return {"y": integer_outputs["y"].astype(np.float64) / SCALE}

    def trace(self, tensors: Mapping[str, Int32]) -> ToyTrace:
        return ToyTrace(hashlib.sha256(tensors["x"].tobytes()).digest())


@dataclass(frozen=True)
class ToyRun:
    program: ToyProgram
    inputs: Mapping[str, NDArray[Any]]
    encoded: ToyEncoded = field(init=False)
    integer_outputs: dict[str, Int32] = field(init=False)
    outputs: dict[str, NDArray[Any]] = field(init=False)

    def __post_init__(self) -> None:
        encoded = self.program.encode(self.inputs)
        integers = self.program.execute(encoded.tensors)
        object.__setattr__(self, "encoded", encoded)
        object.__setattr__(self, "integer_outputs", integers)
        object.__setattr__(self, "outputs", self.program.decode(integers))

    @cached_property
    def trace(self) -> ToyTrace:
        return self.program.trace(self.encoded.tensors)


PROGRAM = ToyProgram()
OTHER_PROGRAM = ToyProgram(offset=-2)


def toy_run(inputs: Mapping[str, NDArray[Any]] = X, program: ToyProgram = PROGRAM) -> ToyRun:
    return ToyRun(program, inputs)


def counting_salts() -> Callable[[int], bytes]:
    """Return a source of salts that are different and the same in every run."""
    numbers = count()
    return lambda size: hashlib.sha256(b"salt" + bytes([next(numbers)])).digest()[:size]


def toy_receipt(
    *,
    private: bool = False,
    reveal: bool = False,
    signer: PrivateKey = SIGNER,
    inputs: Mapping[str, NDArray[Any]] = X,
) -> Receipt:
    return issue(
        toy_run(inputs),
        signer=signer,
        nonce=NONCE,
        private=private,
        reveal=reveal,
        issued_at=NOW,
        random_bytes=counting_salts(),
    )


#: What a careful consumer asks for.
STRICT = AllOf(
    TrustedSigners(SIGNER.public_key, P256_SIGNER.public_key),
    RequireTier("reexecution"),
    ExpectInput(),
    ExpectOutput(),
    Nonce(NONCE),
)
#: What a consumer holds besides the receipt.
GIVEN: dict[str, Any] = {
    "now": NOW,
    "input": X,
    "output": toy_run().outputs,
    "program": PROGRAM,
}
