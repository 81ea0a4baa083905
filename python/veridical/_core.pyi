# Types of the Rust extension; `stubtest` compares them with it.

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Executor",
    "Program",
    "Timeline",
    "Trace",
    "WeightCommitment",
    "__version__",
    "available_isas",
    "beacon_verify",
    "cpu_features",
    "gumbel_noise",
    "gumbel_sample",
    "proof_costs",
    "prove",
    "register",
    "registration_costs",
    "verify_proof",
    "verify_registration",
    "vrf_prove",
    "vrf_public_key",
    "vrf_verify",
]

__version__: str
_Isa: TypeAlias = Literal["portable", "avx2", "avx512"]

@final
class Program:
    @staticmethod
    def from_bytes(untrusted_file: bytes, /) -> Program: ...
    @staticmethod
    def from_file(path: str | PathLike[str], /) -> Program: ...
    @staticmethod
    def build(
        graph_json: bytes,
        consts: list[NDArray[Any]],
        *,
        salt: bytes | None = None,
        aliases: dict[str, str] | None = None,
    ) -> Program: ...
    def to_bytes(self, *, vkey: bool = False) -> bytes: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def weight_root(self) -> bytes: ...
    @property
    def graph(self) -> bytes: ...
    @property
    def is_vkey(self) -> bool: ...
    @property
    def aliases(self) -> dict[str, str]: ...
    def const(self, index: int, /) -> NDArray[Any]: ...
    def encode(
        self, inputs: dict[str, NDArray[Any]], /
    ) -> tuple[dict[str, NDArray[np.int32]], int]: ...
    def decode(
        self, integer_outputs: dict[str, NDArray[np.int32]], /
    ) -> dict[str, NDArray[np.float64]]: ...

@final
class Executor:
    def __new__(
        cls,
        program: Program,
        /,
        *,
        threads: int = 0,
        isa: Literal["auto"] | _Isa = "auto",
    ) -> Executor: ...
    def run(self, inputs: dict[str, NDArray[np.int32]], /) -> dict[str, NDArray[np.int32]]: ...
    def infer(self, inputs: dict[str, NDArray[Any]], /) -> dict[str, NDArray[np.float64]]: ...
    def trace(self, inputs: dict[str, NDArray[np.int32]], /) -> Trace: ...
    @property
    def isa(self) -> _Isa: ...
    @property
    def threads(self) -> int: ...

@final
class Trace:
    @property
    def root(self) -> bytes: ...
    def tensor(self, tensor: int, /) -> NDArray[np.int32]: ...
    def tensor_root(self, tensor: int, /) -> bytes: ...
    def step(self, tensor: int, element: int, /) -> int: ...
    def __len__(self) -> int: ...

def available_isas() -> list[_Isa]: ...
def cpu_features() -> list[str]: ...

@final
class Timeline:
    def __new__(cls) -> Timeline: ...
    def enter(self, name: str) -> None: ...
    def leave(self) -> None: ...
    def spans(self) -> list[tuple[str, int | None, int, int]]: ...

@final
class WeightCommitment:
    def __new__(
        cls,
        program: Program,
        /,
        *,
        profile: str,
        threads: int = 0,
        timeline: Timeline | None = None,
    ) -> WeightCommitment: ...
    @property
    def root(self) -> bytes: ...

def proof_costs(program: Program, /, *, batch: int, profile: str) -> dict[str, Any]: ...
def prove(
    executor: Executor,
    weights: WeightCommitment,
    inputs: list[dict[str, NDArray[np.int32]]],
    statements: list[bytes],
    /,
    *,
    progress: Callable[[str], None] | None = None,
    timeline: Timeline | None = None,
) -> bytes: ...
def register(
    program: Program,
    weights: WeightCommitment,
    /,
    *,
    threads: int = 0,
    progress: Callable[[str], None] | None = None,
) -> bytes: ...
def registration_costs(program: Program, /, *, profile: str) -> dict[str, Any]: ...
def verify_registration(
    program: Program, profile: str, weight_root: bytes, proof: bytes, /
) -> int: ...
def verify_proof(
    program: Program,
    profile: str,
    weight_root: bytes,
    statements: list[bytes],
    inputs: list[dict[str, NDArray[np.int32]]],
    outputs: list[dict[str, NDArray[np.int32]]],
    proof: bytes,
    /,
) -> int: ...
def vrf_public_key(secret: bytes, /) -> bytes: ...
def vrf_prove(secret: bytes, alpha: bytes, /) -> tuple[bytes, bytes]: ...
def vrf_verify(public: bytes, alpha: bytes, proof: bytes, /) -> bytes: ...
def beacon_verify(key: bytes, number: int, signature: bytes, /) -> bytes: ...
def gumbel_noise(seed: bytes, row: int, count: int, /) -> NDArray[np.int32]: ...
def gumbel_sample(
    seed: bytes,
    logits: NDArray[np.int32],
    /,
    *,
    mul: int,
    shift: int,
    temperature: tuple[int, int],
) -> NDArray[np.int64]: ...
