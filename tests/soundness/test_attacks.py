"""Every attack is stopped by the check that it names."""

from __future__ import annotations

import re
from importlib import import_module

import pytest

from attacks.__main__ import names, scene_of
from attacks.scene import Handed, Scene, demonstrate
from tests.repository import ROOT

README = (ROOT / "attacks" / "README.md").read_text()


@pytest.mark.parametrize("name", names())
def test_the_attack_is_stopped_by_the_check_it_names(name: str) -> None:
    attack = import_module(f"attacks.{name}")
    demonstrate(attack.forge, stopped_by=attack.STOPPED_BY, scene=scene_of(attack))


def test_an_attack_that_would_succeed_is_noticed() -> None:
    def honest(scene: Scene) -> Handed:
        return Handed(receipt=scene.receipt, answer=scene.run.outputs)

    with pytest.raises(AssertionError, match="should have stopped it"):
        demonstrate(honest, stopped_by="tier")


def test_the_table_lists_every_attack_and_its_check() -> None:
    rows = re.findall(r"^\| `(\w+)\.py` \|.*\| ([\w.-]+) \|$", README, flags=re.MULTILINE)
    assert dict(rows) == {name: import_module(f"attacks.{name}").STOPPED_BY for name in names()}


def test_attacks_cover_every_check_that_a_forgery_can_meet() -> None:
    stopping = {import_module(f"attacks.{name}").STOPPED_BY for name in names()}
    assert {"size", "encoding", "signer", "signature", "binding", "model", "input"} <= stopping
    assert {"tee.binding", "tee.nonce", "tee.gpu-nonce", "tee.key", "tee.simulated"} <= stopping
    assert {"output", "tier", "policy", "key", "seed.key", "seed.vrf"} <= stopping
