"""Hardware that is none: quotes in every family's own format, under a root of the simulator's.

Spec: spec/v1/tee.md, section 9. For development and tests. The root is never pinned, so a receipt
that rests on it says SIMULATED, and is rejected by every policy that does not name the root.

| Module   | Purpose                                             |
|----------|-----------------------------------------------------|
| `pki`    | the root, and certificates under it                  |
| `der`    | as much DER as a PCK certificate needs               |
| `intel`  | SGX and TDX                                          |
| `snp`    | SEV-SNP                                              |
| `nitro`  | Nitro                                                |
| `nvidia` | GPUs                                                 |
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol, Self

from veridical.errors import InputError
from veridical.tee.binding import gpu_nonce
from veridical.tee.claims import Family
from veridical.tee.collateral import Collateral
from veridical.tee.evidence import Attestation
from veridical.tee.simulator.intel import SimulatedIntel
from veridical.tee.simulator.nitro import SimulatedNitro
from veridical.tee.simulator.nvidia import SimulatedGpu
from veridical.tee.simulator.pki import Authority
from veridical.tee.simulator.snp import SimulatedSnp

if TYPE_CHECKING:
    from veridical.tee.collateral import CollateralItem
    from veridical.tee.evidence import QuoteBlob

__all__ = ["Simulator"]

_REPORT_DATA: Final = 64


class Machine(Protocol):
    """A simulated machine."""

    def quote(self, value: bytes, /) -> tuple[QuoteBlob, tuple[CollateralItem, ...]]:
        """Make a quote that holds a value, and the collateral it needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """An attester without hardware; `Simulator.of` makes one for a family."""

    root: Authority
    family: Family
    machine: Machine
    gpus: tuple[Machine, ...] = field(default=())

    @classmethod
    def of(
        cls,
        family: Family = Family.TDX,
        *,
        gpus: int = 0,
        root: Authority | None = None,
        now: datetime | None = None,
    ) -> Self:
        """Make a simulator of a family's processor, and of GPUs beside it.

        `now` is when its collateral is issued; the present, unless it is given.

        Raises:
            InputError: the family is of no processor.
        """
        now = (now or datetime.now(tz=UTC)).replace(microsecond=0)
        root = root or Authority.root(now=now)
        machine: Machine
        if family in {Family.SGX, Family.TDX}:
            machine = SimulatedIntel(root=root, family=family, issued=now)
        elif family is Family.SEV_SNP:
            machine = SimulatedSnp(root=root)
        elif family is Family.NITRO:
            machine = SimulatedNitro(root=root)
        else:
            raise InputError(f"{family.value} is no processor")
        devices = tuple(SimulatedGpu(root=root, serial=f"51D{i}") for i in range(gpus))
        return cls(root=root, family=family, machine=machine, gpus=devices)

    @property
    def fingerprint(self) -> str:
        """What a policy has to name: `TeePolicy(simulators=frozenset({fingerprint}))`."""
        return self.root.fingerprint

    def attest(self, value: bytes, /) -> Attestation:
        """Make quotes that hold a value of 32 bytes; see `Attester`."""
        padded = value if self.family is Family.NITRO else value.ljust(_REPORT_DATA, b"\0")
        made = [self.machine.quote(padded)]
        made += [gpu.quote(gpu_nonce(value)) for gpu in self.gpus]
        items = {(item.kind, item.subject): item for _, carried in made for item in carried}
        return Attestation(
            quotes=tuple(blob for blob, _ in made), collateral=Collateral.of(items.values())
        )
