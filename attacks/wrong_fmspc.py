"""The provider hands over collateral of another kind of machine, whose firmware is rated better."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import demonstrate
from veridical.tee import Collateral, Kind

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.collateral-platform"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    ours = scene.evidence.collateral
    other = scene.with_machine(fmspc=bytes.fromhex("90c06f000000")).attest(bytes(32)).collateral
    better = next(item.content for item in other if item.kind is Kind.INTEL)
    items = (replace(item, content=better) if item.kind is Kind.INTEL else item for item in ours)
    return scene.handed(replace(scene.evidence, collateral=Collateral.of(items)))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
