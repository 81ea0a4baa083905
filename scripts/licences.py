"""Write the licences of all crates that the extension is compiled from.

Run: python scripts/licences.py OUTPUT. Needs no network: it reads the sources that cargo has.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
EXTENSION = "veridical-python"
TARGET = "x86_64-unknown-linux-gnu"
TEXTS = ("LICEN[CS]E*", "COPYING*", "COPYRIGHT*", "NOTICE*", "UNLICENSE*")
HEAD = """\
The extension of this package is compiled from the Rust crates below, beside the package's own, and
from the Rust standard library (MIT OR Apache-2.0, https://github.com/rust-lang/rust). Each crate is
named with its release, its licence and the numbers of the texts that its release comes with. A
number stands for the same text wherever it occurs. Where a release comes without a text, the one of
Apache-2.0 is this package's own LICENSE.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crate:
    """A crate that is linked into the extension."""

    name: str
    version: str
    licence: str
    texts: tuple[str, ...]


def linked() -> list[Crate]:
    """Return all foreign crates that are linked, by name; build tools and macros are not."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--offline"]
    command += ["--filter-platform", TARGET]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    packages = {package["id"]: package for package in found["packages"]}
    nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
    (start,) = (package["id"] for package in found["packages"] if package["name"] == EXTENSION)
    reached, waiting = set(), [start]
    while waiting:
        here = waiting.pop()
        kinds = {kind for target in packages[here]["targets"] for kind in target["kind"]}
        if here in reached or "proc-macro" in kinds:
            continue
        reached.add(here)
        waiting += [
            dependency["pkg"]
            for dependency in nodes[here]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
        ]
    foreign = [packages[name] for name in reached if packages[name]["source"] is not None]
    return sorted(map(_crate, foreign), key=lambda crate: (crate.name, crate.version))


def _crate(package: dict[str, Any]) -> Crate:
    folder = Path(package["manifest_path"]).parent
    files = sorted({path for pattern in TEXTS for path in folder.glob(pattern) if path.is_file()})
    return Crate(
        name=package["name"],
        version=package["version"],
        licence=package["license"] or "",
        texts=tuple(path.read_text("utf-8", errors="replace").strip() for path in files),
    )


def document(crates: list[Crate]) -> str:
    """Return the file: the list, then every text once."""
    numbers: dict[str, int] = {}
    lines = []
    for crate in crates:
        shown = [str(numbers.setdefault(text, len(numbers) + 1)) for text in crate.texts]
        texts = f"texts {', '.join(shown)}" if shown else "its release comes without a text"
        lines.append(f"{crate.name} {crate.version}: {crate.licence}; {texts}")
    rule = "=" * 80
    parts = [HEAD, "\n".join(lines) + "\n"]
    parts += [f"{rule}\nText {number}\n{rule}\n\n{text}\n" for text, number in numbers.items()]
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(linked()), "utf-8")
