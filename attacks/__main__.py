"""Runs every attack of this folder and prints which check stopped it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from attacks.scene import demonstrate, honest_scene

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from attacks.scene import Scene

#: Scenes, and the simulation, which forges nothing.
NOT_ATTACKS = {"attested", "__init__", "__main__", "logged", "rerolls", "scene", "seeded"}


def names() -> list[str]:
    found = {path.stem for path in Path(__file__).parent.glob("*.py")}
    return sorted(found - NOT_ATTACKS)


def scene_of(attack: ModuleType) -> Scene:
    make: Callable[[], Scene] | None = getattr(attack, "SCENE", None)
    return make() if make else honest_scene(getattr(attack, "ALGORITHM", "ed25519"))


def main() -> None:
    for name in names():
        attack = import_module(f"attacks.{name}")
        print(f"{name:<34} ", end="")
        demonstrate(attack.forge, stopped_by=attack.STOPPED_BY, scene=scene_of(attack))
    print(f"{len(names())} attacks, all rejected by the check they name")


if __name__ == "__main__":
    main()
