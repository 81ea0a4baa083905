"""Prints the digest of everything that the WebAssembly module is made of, or writes its record.

Usage: python scripts/wasm_sources.py [--record MODULE COMPILER]

The record stands beside the module, `veridical.wasm.json`. A test compares its digest with the
sources, so that a change of a crate without a new module is noticed; `make wasm` compares bytes.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = "wasm32-unknown-unknown"
TREE = ("tree", "--locked", "--package", "veridical-wasm", "--target", TARGET)


def packages() -> list[str]:
    """Return name, version and features of each crate in the module, and of what builds it."""
    command = ("cargo", *TREE, "--edges", "normal,build", "--prefix", "none", "--format", "{p} {f}")
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = (line.removesuffix(" (*)").strip() for line in run.stdout.splitlines())
    # A crate of this workspace is named with its folder, and that is another one on each machine.
    return sorted({line.replace(f" ({ROOT}/crates/", " (crates/") for line in lines if line})


def own_files(lines: list[str]) -> list[Path]:
    """Return the sources of the workspace's crates among them."""
    names = {line.split()[0] for line in lines if "(crates/" in line}
    folders = [ROOT / "crates" / name.removeprefix("veridical-") for name in sorted(names)]
    found = [folder / "Cargo.toml" for folder in folders]
    found += [path for folder in folders for path in sorted((folder / "src").rglob("*.rs"))]
    return found


def digest() -> str:
    """Return the SHA-256 over crates, checksums, profiles and sources."""
    lines = packages()
    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    checksums = {f"{one['name']} v{one['version']}": one.get("checksum", "") for one in lock}
    profiles = {name: manifest["profile"][name] for name in ("release", "wasm")}
    hasher = hashlib.sha256(json.dumps(profiles, sort_keys=True).encode())
    for line in lines:
        hasher.update(f"{line} {checksums[' '.join(line.split()[:2])]}\n".encode())
    for path in own_files(lines):
        content = path.read_bytes()
        hasher.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode() + content)
    return hasher.hexdigest()


def main() -> None:
    """Print the digest, or write the record of a module."""
    if sys.argv[1:2] != ["--record"]:
        sys.stdout.write(digest() + "\n")
        return
    module = Path(sys.argv[2])
    content = module.read_bytes()
    record = {
        "bytes": len(content),
        "compiler": sys.argv[3],
        "module": hashlib.sha256(content).hexdigest(),
        "sources": digest(),
    }
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    module.with_suffix(".wasm.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
