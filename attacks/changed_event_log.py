"""The enclave loaded another model; the provider writes the promised one into the event log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from attacks.attested import AttestedScene, attested_scene
from attacks.scene import demonstrate
from veridical.tee.runtime import MODEL_EVENT, Event

if TYPE_CHECKING:
    from attacks.scene import Handed, Scene

SCENE, STOPPED_BY = attested_scene, "tee.event-log"


def forge(scene: Scene) -> Handed:
    assert isinstance(scene, AttestedScene)
    loaded = Event.of_application(MODEL_EVENT, bytes(32))
    honest = scene.quoted(scene.with_machine(events=(loaded,)))
    promised = scene.evidence.quotes[0].event_log
    processor = replace(honest.quotes[0], event_log=promised)
    return scene.handed(replace(honest, quotes=(processor, *honest.quotes[1:])))


if __name__ == "__main__":
    demonstrate(forge, stopped_by=STOPPED_BY, scene=SCENE())
