"""The reference against vectors/program, and vectors/program against their generator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.differential import write_vectors
from veridical import _core, reference
from veridical.errors import InputError, ProgramError
from veridical.reference import boundary
from veridical.reference.graph import RealScale

FOLDER = write_vectors.FOLDER
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.vprog"))
BROKEN = sorted(path.stem for path in (FOLDER / "broken").glob("*.vprog"))


def expected_of(name: str) -> dict[str, Any]:
    described: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return described


def test_there_are_vectors() -> None:
    assert len(PROGRAMS) > 30
    assert len(BROKEN) > 100


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_its_digest_outputs_and_trace(name: str) -> None:
    expected = expected_of(name)
    program = reference.load((FOLDER / f"{name}.vprog").read_bytes())
    assert program.digest == expected["digest"]
    assert program.weight_root.hex() == expected["weight_root"]
    inputs = {key: np.array(values) for key, values in expected["inputs"].items()}
    if "error" in expected:
        with pytest.raises(InputError) as caught:
            program.run(inputs)
        assert caught.value.check == expected["error"]
        return
    run = program.run(inputs)
    assert {key: values.tolist() for key, values in run.outputs.items()} == expected["outputs"]
    assert run.trace_root().hex() == expected["trace_root"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_extension_confirms_a_program(name: str) -> None:
    expected = expected_of(name)
    program = _core.Program.from_bytes((FOLDER / f"{name}.vprog").read_bytes())
    assert f"sha256:{program.digest.hex()}" == expected["digest"]
    assert program.weight_root.hex() == expected["weight_root"]
    inputs = {key: np.array(values, np.int32) for key, values in expected["inputs"].items()}
    executor = _core.Executor(program)
    if "error" in expected:
        with pytest.raises(InputError, match=r"row \d+ is empty"):
            executor.run(inputs)
        return
    outputs = executor.run(inputs)
    assert {key: values.tolist() for key, values in outputs.items()} == expected["outputs"]
    assert executor.trace(inputs).root.hex() == expected["trace_root"]


@pytest.mark.parametrize("name", BROKEN)
def test_the_extension_refuses_a_broken_program(name: str) -> None:
    content = (FOLDER / "broken" / f"{name}.vprog").read_bytes()
    with pytest.raises(ProgramError):
        _core.Program.from_bytes(content)


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_program_is_refused(name: str) -> None:
    with pytest.raises(ProgramError):
        reference.load((FOLDER / "broken" / f"{name}.vprog").read_bytes())


def test_the_key_file_has_the_digest_of_its_program() -> None:
    key = reference.load_key((FOLDER / "salted.vkey").read_bytes())
    assert key.digest == expected_of("salted")["digest"]
    assert key.weight_root.hex() == expected_of("salted")["weight_root"]


def test_aliases_are_outside_the_digest_and_salt_is_inside() -> None:
    assert expected_of("aliases")["digest"] == expected_of("example")["digest"]
    assert expected_of("salted")["digest"] != expected_of("example")["digest"]


def test_floats_become_their_integers() -> None:
    for item in json.loads((FOLDER / "encode.json").read_text()):
        values = np.array(
            [int(bits, 16) for bits in item["bits"]],
            "u4" if item["dtype"] == "float32" else "u8",
        ).view(item["dtype"])
        scale, bounds = RealScale(mul=item["mul"], shift=item["shift"]), (item["lo"], item["hi"])
        encoded, saturated = boundary.encode_real(values, scale, bounds, "x")
        assert encoded.tolist() == item["q"]
        assert saturated == item["saturation_count"]


def test_the_generator_writes_the_same_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "program"
    write_vectors.write(folder)
    written = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    stored = {path.relative_to(FOLDER): path.read_bytes() for path in FOLDER.rglob("*.*")}
    assert written == stored
