"""The peers' virtual environments: made on first use from hashed requirements, kept in the cache.

They are apart from the project's own: what a peer pins or needs is no concern of ours, and one of
them has wheels for a single version of Python.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benches.machine import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE = ROOT / ".cache" / "bench-zk"
PROBE = "import sys, ensurepip, venv; print('%d.%d' % sys.version_info[:2])"


class UnavailableError(RuntimeError):
    """A contender cannot be measured here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Requirements of one peer, and the least version of Python that has them."""

    name: str
    lock: Path
    minimum: tuple[int, int]

    @property
    def identity(self) -> str:
        """Digest of the pinned packages."""
        return hashlib.sha256(self.lock.read_bytes()).hexdigest()

    @property
    def version(self) -> str:
        """The peer's pinned version."""
        pinned = re.search(rf"^{self.name}==(\S+)", self.lock.read_text("utf-8"), re.MULTILINE)
        return "unknown" if pinned is None else pinned.group(1)

    def python(self) -> Path:
        """Return the environment's interpreter; make the environment if there is none.

        Raises:
            UnavailableError: no Python here has wheels of the pinned packages.
        """
        folder = CACHE / f"{self.name}-{self.identity[:12]}"
        interpreter = folder / "bin" / "python"
        if (folder / "complete").exists():
            return interpreter
        needed = ".".join(map(str, self.minimum))
        tried: list[str] = []
        for version, base in pythons(self.minimum):
            shutil.rmtree(folder, ignore_errors=True)
            print(f"{self.name}: installing for Python {version} ...", file=sys.stderr, flush=True)
            subprocess.run([base, "-m", "venv", str(folder)], check=True)
            command = [str(interpreter), "-m", "pip", "--disable-pip-version-check", "--quiet"]
            command += ["install", "--require-hashes", "--only-binary", ":all:"]
            done = subprocess.run(
                [*command, "-r", str(self.lock)], check=False, capture_output=True, text=True
            )
            if done.returncode == 0:
                (folder / "complete").touch()
                return interpreter
            errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            tried.append(
                f"Python {version}: {(errors or ['pip failed'])[-1].removeprefix('ERROR: ')}"
            )
        shutil.rmtree(folder, ignore_errors=True)
        if tried:
            raise UnavailableError(f"{self.name} {self.version} is skipped: {'; '.join(tried)}")
        raise UnavailableError(
            f"{self.name} {self.version} is skipped: it needs Python {needed} or later, and there "
            f"is none; what to do: put python{needed} on PATH"
        )


def pythons(minimum: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """Yield (version, path) of every version from `minimum` on, oldest first, one of each."""
    found: dict[tuple[int, int], str] = {}
    for candidate in _candidates(minimum):
        version = _version(candidate)
        if version is not None and version >= minimum:
            found.setdefault(version, candidate)
    for version in sorted(found):
        yield ".".join(map(str, version)), found[version]


def _candidates(minimum: tuple[int, int]) -> Iterator[str]:
    yield sys.executable
    major, minor = minimum
    for number in range(minor, minor + 8):
        path = shutil.which(f"python{major}.{number}")
        if path is not None:
            yield path
    # A version manager's shim on PATH may refuse a version that it has installed.
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(root.glob("versions/3.*/bin/python3")))


def _version(candidate: str) -> tuple[int, int] | None:
    try:
        done = subprocess.run(
            [candidate, "-c", PROBE], check=False, capture_output=True, text=True, timeout=20
        )
        major, minor = done.stdout.strip().split(".")
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


EZKL = Environment(name="ezkl", lock=ROOT / "requirements" / "peers-ezkl.txt", minimum=(3, 11))
DSPERSE = Environment(
    name="dsperse", lock=ROOT / "requirements" / "peers-dsperse.txt", minimum=(3, 12)
)
