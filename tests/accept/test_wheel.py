"""The wheel: what is in it, and that every build of the extension gives the same proofs.

`VERIDICAL_WHEEL` names a wheel that is built already; otherwise one is built.
"""

from __future__ import annotations

import hashlib
import json
import os
import site
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest

import veridical
from benches import baseline
from examples.zoo import zoo
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion
from tests.differential.proofs import STATEMENT, prove
from tests.repository import ROOT
from veridical import _core, builds

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.accept, pytest.mark.timeout(7200)]

MODELS: Final = (("alloc_softmax", 1), ("lenet", 1), ("tblock", 1), ("lenet", 64))
REPEATS: Final = 5

# Proves with nothing but the installed package, verifies, and says how long it took.
PROVER: Final = """
import hashlib, json, statistics, sys, time
from pathlib import Path
import numpy as np
import veridical
from veridical import _core, builds, zk
program_path, inputs_path, statement, repeats = sys.argv[1:]
statement = bytes.fromhex(statement)
program = veridical.load(program_path)
with np.load(inputs_path) as archive:
    inputs = dict(archive)
executor, weights = program.executor(), zk.commit(program)
outputs = executor.run(inputs)
seconds = []
for _ in range(int(repeats) + 1):
    began = time.perf_counter()
    proof = _core.prove(executor, weights.core, [inputs], [statement])
    seconds.append(time.perf_counter() - began)
bits = _core.verify_proof(
    program.core, "standard", weights.root, [statement], [inputs], [outputs], proof
)
print(json.dumps({
    "build": builds.BUILD,
    "extension": _core.__file__,
    "package": str(Path(veridical.__file__).parent),
    "root": weights.root.hex(),
    "proof": hashlib.sha256(proof).hexdigest(),
    "bits": bits,
    "seconds": statistics.median(seconds[1:]),
}))
"""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel of this tree; the crates of other projects are compiled once."""
    named = os.environ.get("VERIDICAL_WHEEL")
    if named is not None:
        return Path(named)
    folder = tmp_path_factory.mktemp("dist")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(ROOT / "scripts" / "wheel.sh"), str(folder)]
    subprocess.run(command, env=os.environ | {"PATH": path}, check=True)
    (found,) = folder.glob("*.whl")
    return found


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of a new environment that has the wheel and no source tree."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    subprocess.run([*command, "--no-index", "--no-deps", str(wheel)], check=True)
    return python


def call(python: Path, arguments: Sequence[str], build: str | None, folder: Path) -> dict[str, Any]:
    """Run the prover in the new environment, away from the source tree."""
    given = {name: value for name, value in os.environ.items() if name != builds.VARIABLE}
    # Dependencies come from this environment; the package does not lie there, it is editable.
    given["PYTHONPATH"] = os.pathsep.join(site.getsitepackages())
    if build is not None:
        given[builds.VARIABLE] = build
    done = subprocess.run(
        [str(python), "-c", PROVER, *arguments],
        cwd=folder,
        env=given,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert Path(result["package"]).is_relative_to(python.parent.parent)
    return result


def test_wheel_names_its_platform_and_carries_builds_and_licences(
    wheel: Path, criterion: RecordCriterion
) -> None:
    with zipfile.ZipFile(wheel) as archive:
        sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        places = [f"{place}/".encode() for place in (Path.home(), tempfile.gettempdir(), ROOT)]
        leaks = [
            name
            for name in sizes
            if not name.endswith(".py") and any(at in archive.read(name) for at in places)
        ]
        licences = [name for name in sizes if name.endswith("/LICENSE-THIRD-PARTY.txt")]
        listed = archive.read(licences[0]).decode() if licences else ""
    extensions = {name: size for name, size in sizes.items() if name.endswith(".so")}
    criterion(
        "wheel",
        required="abi3, manylinux, three builds, licences of the crates, no path of the builder",
        measured=f"{wheel.name}, {wheel.stat().st_size / 1e6:.1f} MB; extensions "
        + ", ".join(f"{size / 1e6:.1f} MB" for size in extensions.values())
        + f"; {listed.count(chr(10) + 'p3-')} crates of Plonky3 listed",
    )
    tags = wheel.stem.split("-")[2:]
    assert tags[:2] == ["cp311", "abi3"]
    assert tags[2].startswith("manylinux_2_")
    assert tags[2].endswith("_x86_64")
    assert set(extensions) == {
        "veridical/_core.abi3.so",
        *(f"veridical/_builds/{name}/_core.abi3.so" for name in builds.FEATURES),
    }
    assert not leaks
    assert "\np3-whir " in listed
    assert any(name.endswith("/LICENSE") for name in sizes)


def test_wheel_carries_the_page_as_it_is_committed(wheel: Path) -> None:
    folder = ROOT / "python" / "veridical" / "page"
    committed = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert {"index.html", "dashboard.html", "veridical.wasm"} <= set(committed)
    with zipfile.ZipFile(wheel) as archive:
        carried = {name: archive.read(f"veridical/page/{name}") for name in committed}
    assert carried == committed


@pytest.mark.parametrize(("name", "batch"), MODELS)
def test_every_build_gives_the_same_proof(
    name: str,
    batch: int,
    installed: Path,
    compiled: CompiledPath,
    tmp_path: Path,
    criterion: RecordCriterion,
) -> None:
    program = veridical.load(compiled(name))
    inputs = dict(program.encode(baseline.repeat(zoo()[name].test(), 0, batch)).tensors)
    np.savez(tmp_path / "inputs.npz", allow_pickle=False, **inputs)
    arguments = [str(compiled(name)), str(tmp_path / "inputs.npz"), STATEMENT.hex(), str(REPEATS)]
    features = set(_core.cpu_features())
    able = [build for build, needed in builds.FEATURES.items() if needed <= features]
    found = {
        build: call(installed, arguments, build, tmp_path) for build in (*able, builds.DEFAULT)
    }
    from_source = prove(program, inputs)
    digests = {result["proof"] for result in found.values()}
    digests.add(hashlib.sha256(from_source.proof).hexdigest())
    criterion(
        f"proof of {name}, {batch} input(s), by {len(found)} builds of the wheel and from source",
        required="the same bytes",
        measured=f"{len(digests)} different; "
        + ", ".join(f"{build} {result['seconds'] * 1e3:.1f} ms" for build, result in found.items()),
    )
    assert {build: result["build"] for build, result in found.items()} == {b: b for b in found}
    assert len({result["extension"] for result in found.values()}) == len(found)
    assert {result["root"] for result in found.values()} == {from_source.weight_root.hex()}
    assert len(digests) == 1
    assert all(result["bits"] >= 100 for result in found.values())


def test_fastest_build_is_taken_by_itself(
    installed: Path, compiled: CompiledPath, tmp_path: Path
) -> None:
    program = veridical.load(compiled("alloc_softmax"))
    inputs = dict(program.encode(baseline.repeat(zoo()["alloc_softmax"].test(), 0, 1)).tensors)
    np.savez(tmp_path / "inputs.npz", allow_pickle=False, **inputs)
    files = [str(compiled("alloc_softmax")), str(tmp_path / "inputs.npz")]
    result = call(installed, [*files, STATEMENT.hex(), "1"], None, tmp_path)
    features = set(_core.cpu_features())
    able = [build for build, needed in builds.FEATURES.items() if needed <= features]
    assert result["build"] == (able or [builds.DEFAULT])[0]
