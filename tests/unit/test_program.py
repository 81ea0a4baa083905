"""Programs through the door: files, arrays of every layout, errors with names, runs."""

from __future__ import annotations

import json
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.repository import ROOT
from veridical import _core
from veridical.errors import InputError, ProgramError, ProgramMissingError
from veridical.program import Encoded, Isa, Program, load, run

VECTORS = ROOT / "vectors" / "program"
EXAMPLE = VECTORS / "example.vprog"


@pytest.fixture
def program() -> Program:
    return Program.load(EXAMPLE)


def question(batch: int = 4, *, dtype: str = "float32") -> NDArray[Any]:
    rng = np.random.default_rng(2024)
    return (rng.normal(size=(batch, 3)) * 3).astype(dtype)


# Files


def test_the_digest_is_that_of_the_vectors(program: Program) -> None:
    expected = json.loads((VECTORS / "example.json").read_text())
    assert program.digest_hex == expected["digest"]
    assert program.weight_root.hex() == expected["weight_root"]


def test_bytes_and_file_read_the_same(program: Program) -> None:
    assert Program.from_bytes(EXAMPLE.read_bytes()) == program == load(str(EXAMPLE))
    assert Program.from_bytes(program.to_bytes()).to_bytes() == program.to_bytes()


def test_a_program_is_rebuilt_from_its_parts(program: Program) -> None:
    consts = [program.const(i) for i in range(3)]
    built = Program.build(program.graph, consts, aliases={"onnx-sha256": "00"})
    assert built == program
    assert hash(built) == hash(program)
    assert built.aliases == {"onnx-sha256": "00"}


def test_saving_replaces_the_file_in_one_step(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "model.vprog"
    path.write_bytes(b"old")
    program.save(path)
    assert load(path) == program
    program.save(tmp_path / "model.vkey", vkey=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.vkey", "model.vprog"]


def test_saving_where_nothing_can_be_written_is_an_input_error(
    program: Program, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot write"):
        program.save(tmp_path / "absent" / "model.vprog")


def test_a_key_has_the_identity_but_no_weights(program: Program) -> None:
    key = Program.from_bytes(program.to_bytes(vkey=True))
    assert key.is_vkey
    assert not program.is_vkey
    assert key == program
    assert "verification key" in repr(key)
    with pytest.raises(InputError):
        key.const(0)
    with pytest.raises(ProgramMissingError):
        run(key, {"x": question()})


def test_a_missing_file_a_folder_and_a_pipe_are_input_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "absent.vprog", tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(InputError) as caught:
            load(path)
        assert caught.value.check == "file"
        assert caught.value.where == str(path)


def test_a_file_beyond_the_cap_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.vprog"
    with path.open("wb") as file:
        file.truncate((8 << 30) + 1)
    with pytest.raises(ProgramError, match="at most 8589934592"):
        load(path)


def test_a_rejection_names_node_and_check(program: Program) -> None:
    graph = program.graph.replace(b'"hi":1953', b'"hi":1')
    with pytest.raises(ProgramError) as caught:
        Program.build(graph, [program.const(i) for i in range(3)])
    assert caught.value.check == "ResultRange"
    assert caught.value.where == "node 1 (table)"


def test_wrong_parts_are_named(program: Program) -> None:
    consts = [program.const(i) for i in range(3)]
    with pytest.raises(ProgramError) as caught:
        Program.build(program.graph, consts[:2])
    assert caught.value.check == "ConstCount"
    with pytest.raises(ProgramError) as caught:
        Program.build(program.graph, [consts[0].astype(np.int8), *consts[1:]])
    assert caught.value.check == "ConstDtype"
    with pytest.raises(InputError, match="int8, int16 and int32"):
        Program.build(program.graph, [consts[0].astype(np.float32), *consts[1:]])
    with pytest.raises(InputError, match="32 bytes"):
        Program.build(program.graph, consts, salt=b"short")


# The float boundary


def test_specs_say_what_goes_in_and_comes_out(program: Program) -> None:
    (x,) = program.inputs
    assert (x.name, x.shape, x.kind, x.lo, x.hi, x.mul, x.shift) == (
        "x", (3,), "real", -8192, 8191, 1, -10,
    )  # fmt: skip
    assert x.real_range == (-8.0, 8191 / 1024)
    (y,) = program.outputs
    assert (y.name, y.shape, y.tensor, y.mul, y.shift) == ("y", (2,), 2, 1, 8)


@pytest.mark.parametrize(
    "layout",
    [
        np.ascontiguousarray,
        np.asfortranarray,
        lambda x: np.repeat(x, 2, axis=1)[:, ::2],
        lambda x: x[::-1].copy()[::-1],
        lambda x: x.astype(">f4"),
        lambda x: x.astype("f8"),
        lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(x.dtype).reshape(x.shape),
    ],
    ids=["C", "Fortran", "strided", "reversed", "big-endian", "double", "unaligned"],
)
def test_layout_does_not_matter(program: Program, layout: Any) -> None:
    x = question()
    expected = program.encode({"x": x}).tensors["x"]
    np.testing.assert_array_equal(program.encode({"x": layout(x)}).tensors["x"], expected)


def test_encoding_follows_the_rule_on_exact_rationals(program: Program) -> None:
    x = np.array([[0.5 / 1024, -0.5 / 1024, 1.5 / 1024], [-1.5 / 1024, 100, -100]], np.float32)
    exact = [[(Fraction(float(v)) * 1024 + Fraction(1, 2)) // 1 for v in row] for row in x]
    assert exact == [[1, 0, 2], [-1, 102400, -102400]]
    encoded = program.encode({"x": x})
    assert encoded.tensors["x"].tolist() == [[1, 0, 2], [-1, 8191, -8192]]
    assert encoded.saturated == 2
    assert isinstance(encoded, Encoded)


def test_booleans_are_zero_and_one(program: Program) -> None:
    odd = np.array([[2, 0, 255]], np.uint8).view(np.bool_)
    assert program.encode({"x": odd}).tensors["x"].tolist() == [[1024, 0, 1024]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "missing"),
        ({"y": np.zeros((1, 3))}, "missing"),
        ({"x": np.zeros((1, 3)), "y": np.zeros((1, 3))}, 'no input "y"'),
        ({"x": [[0.0, 0.0, 0.0]]}, "no array"),
        ({"x": np.zeros(3)}, "shape"),
        ({"x": np.zeros((1, 4))}, "shape"),
        ({"x": np.zeros((0, 3))}, "shape"),
        ({"x": np.float64(1.0)}, "no array"),
        ({"x": np.zeros((1, 3), np.complex64)}, "dtype complex64"),
        ({"x": np.zeros((1, 3), np.float16)}, "dtype float16"),
        ({"x": np.zeros((1, 3), object)}, "dtype object"),
        ({"x": np.zeros((1, 3), "datetime64[s]")}, "dtype"),
        ({"x": np.array([["a", "b", "c"]])}, "dtype"),
        ({"x": np.array([[0.0, np.nan, 0.0]])}, "element 1 is not finite"),
        ({"x": np.array([[0.0, 0.0, -np.inf]], np.float32)}, "element 2 is not finite"),
    ],
)
def test_an_unusable_input_is_named(program: Program, inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        program.encode(inputs)
    with pytest.raises(InputError, match=message):
        program.executor().infer(inputs)


def test_integers_are_int32_and_in_range(program: Program) -> None:
    with pytest.raises(InputError, match="int32"):
        program.execute({"x": np.zeros((1, 3), np.int64)})
    with pytest.raises(InputError, match="8192"):
        program.execute({"x": np.full((1, 3), 8192, np.int32)})


def test_decoding_takes_every_output_and_no_other(program: Program) -> None:
    y = np.array([[1, -3]], np.int32)
    assert program.decode({"y": y})["y"].tolist() == [[1 / 256, -3 / 256]]
    with pytest.raises(InputError, match="missing"):
        program.decode({})
    with pytest.raises(InputError, match="no output"):
        program.decode({"y": y, "z": y})


# Runs


def test_one_call_equals_its_parts(program: Program) -> None:
    x = question()
    result = run(program, {"x": x})
    assert result.integer_outputs["y"].dtype == np.int32
    assert result.outputs["y"].dtype == np.float64
    assert result.saturated == result.encoded.saturated
    fused = program.executor().infer({"x": x})
    np.testing.assert_array_equal(fused["y"], result.outputs["y"])
    np.testing.assert_array_equal(result.outputs["y"] * 256, result.integer_outputs["y"])


def test_every_instruction_set_and_thread_count_gives_the_same_trace(program: Program) -> None:
    encoded = program.encode({"x": question(65)})
    isas: list[Isa] = ["auto", *_core.available_isas()]
    roots = {
        program.executor(threads=threads, isa=isa).trace(encoded.tensors).root
        for threads in (1, 2)
        for isa in isas
    }
    assert len(roots) == 1


def test_a_run_keeps_what_it_received(program: Program) -> None:
    x = question()
    kept = x.copy()
    result = run(program, {"x": x})
    x[:] = 0
    np.testing.assert_array_equal(result.inputs["x"], kept)
    with pytest.raises(ValueError, match="read-only"):
        result.inputs["x"][0] = 1


def test_a_trace_holds_every_tensor_and_recomputes_each_element(program: Program) -> None:
    result = run(program, {"x": question(3)})
    trace = result.trace
    assert result.trace is trace
    assert len(trace) == 3
    assert len(trace.root) == len(trace.tensor_root(1)) == 32
    np.testing.assert_array_equal(trace.tensor(0), result.encoded.tensors["x"])
    np.testing.assert_array_equal(trace.tensor(2), result.integer_outputs["y"])
    for tensor in range(3):
        flat = trace.tensor(tensor).ravel()
        assert [trace.step(tensor, k) for k in range(flat.size)] == flat.tolist()
    with pytest.raises(InputError, match="no tensor 3"):
        trace.tensor(3)
    with pytest.raises(InputError, match="no element 6"):
        trace.step(1, 6)


def test_an_unknown_instruction_set_is_an_input_error(program: Program) -> None:
    with pytest.raises(InputError, match="none of auto"):
        program.executor(isa="mmx")  # type: ignore[arg-type]


def test_zero_threads_stand_for_all_processors(program: Program) -> None:
    assert program.executor().threads == len(os.sched_getaffinity(0))
    assert program.executor(threads=3).threads == 3
    assert program.executor().isa == _core.available_isas()[-1]


def test_runs_from_many_threads_do_not_disturb_each_other(program: Program) -> None:
    executor = program.executor(threads=1)
    questions = [question(n + 1) for n in range(8)]
    expected = [executor.infer({"x": x})["y"] for x in questions]
    failures: list[int] = []

    def work(n: int) -> None:
        for _ in range(200):
            answer = executor.infer({"x": questions[n]})["y"]
            failures.extend([n] * (not np.array_equal(answer, expected[n])))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_an_empty_row_is_an_input_error() -> None:
    program = load(VECTORS / "empty_row.vprog")
    inputs = json.loads((VECTORS / "empty_row.json").read_text())["inputs"]
    tensors = {name: np.array(values, np.int32) for name, values in inputs.items()}
    with pytest.raises(InputError, match="row"):
        program.execute(tensors)


def test_changed_bytes_raise_errors_of_the_package_only() -> None:
    rng = np.random.default_rng(7)
    good = EXAMPLE.read_bytes()
    refused = 0
    for _ in range(300):
        mutant = bytearray(good)
        for position in rng.integers(0, 1500, size=3):
            mutant[position] = rng.integers(0, 256)
        try:
            Program.from_bytes(bytes(mutant))
        except ProgramError as error:
            refused += error.check is not None
    assert refused > 250
