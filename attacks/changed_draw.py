"""A provider proves its seed honestly, and signs the label beside the one that was drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attacks.scene import Handed, Scene, demonstrate
from attacks.seeded import require_seeded, seeded_scene
from veridical.seeds import SampledRun

if TYPE_CHECKING:
    from veridical.receipt.program import Tensors

STOPPED_BY = "tier"
SCENE = seeded_scene


@dataclass(frozen=True)
class Lie(SampledRun):
    """A draw whose label is changed by one."""

    @property
    def outputs(self) -> Tensors:
        """What the provider says that was drawn."""
        honest = SampledRun.outputs.fget(self)  # type: ignore[attr-defined]
        return {**honest, "y": (honest["y"] + 1) % 2}


def forge(scene: Scene) -> Handed:
    honest = require_seeded(scene)
    run = honest.sampled()
    lie = Lie(run.run, run.sampler, run.seed)
    return Handed(receipt=honest.signed(run=lie), answer=lie.outputs)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
