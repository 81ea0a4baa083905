"""Runs every attack of this folder and prints which check stopped it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from attacks.scene import demonstrate, honest_scene

NOT_ATTACKS = {"__init__", "__main__", "scene"}


def names() -> list[str]:
    found = {path.stem for path in Path(__file__).parent.glob("*.py")}
    return sorted(found - NOT_ATTACKS)


def main() -> None:
    for name in names():
        attack = import_module(f"attacks.{name}")
        print(f"{name:<34} ", end="")
        scene = honest_scene(getattr(attack, "ALGORITHM", "ed25519"))
        demonstrate(attack.forge, stopped_by=attack.STOPPED_BY, scene=scene)
    print(f"{len(names())} attacks, all rejected by the check they name")


if __name__ == "__main__":
    main()
