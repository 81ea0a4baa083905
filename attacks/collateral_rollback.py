"""The maker found a weakness; the provider goes on handing over collateral from before that.

The old one has not expired yet. The consumer has seen the new one.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import NONCE, NOW, demonstrate
from veridical.receipt import issue
from veridical.tee.context import TeeContext
from veridical.tee.evidence import Tee

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

STOPPED_BY = "tee.rollback"


@cache
def SCENE() -> AttestedScene:  # noqa: N802 - what attacks call their scene
    """Return the scene after the maker's new evaluation, which provider and consumer have."""
    before = attested_scene()
    evidence = before.quoted(before.with_machine(evaluation=21))
    return replace(
        before,
        evidence=before.evidence,
        receipt=issue(
            before.run,
            signer=before.provider,
            nonce=NONCE,
            issued_at=NOW,
            evidence=Tee(keys=evidence),
        ),
        tee=TeeContext(time=NOW, collateral=evidence.collateral),
    )


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    return scene.handed(scene.evidence)


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
