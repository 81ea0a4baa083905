"""From an ONNX file to program and report: arguments, presets, determinism, figures."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import veridical
from tests.unit.compiler.frontend.models import INT64, model, node, normals
from veridical.compiler import compile_model, show
from veridical.errors import CompileError, InputError, UnsupportedOpError

RNG = np.random.default_rng(5)
X = normals(RNG, 100, 6).clip(-2.0, 2.0)


def saved(proto: onnx.ModelProto, folder: Path, name: str = "model.onnx") -> Path:
    path = folder / name
    path.write_bytes(proto.SerializeToString())
    return path


def mlp(inner: int = 6, activation: str = "Tanh") -> onnx.ModelProto:
    rng = np.random.default_rng(3)
    constants = {
        "w1": normals(rng, inner, 16) / 2,
        "b1": normals(rng, 16),
        "w2": normals(rng, 16, 4) / 4,
    }
    nodes = [
        node("Gemm", ["x", "w1", "b1"], ["a"]),
        node(activation, ["a"], ["h"]),
        node("MatMul", ["h", "w2"], ["z"]),
        node("Softmax", ["z"], ["y"], axis=-1),
    ]
    return model(nodes, {"x": [1, inner]}, constants=constants)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return saved(mlp(), tmp_path)


def test_program_answers_like_the_model(path: Path) -> None:
    compiled = compile_model(path, calibration=X[:60], test=X[60:])
    report = compiled.report
    figures = report.outputs["y"]
    assert figures.max_error < 1e-3
    assert figures.mean_error <= figures.max_error
    assert figures.min_cosine <= figures.cosine
    assert figures.top1 == 1.0
    assert (report.samples, report.calibration_samples) == (40, 60)
    assert report.digest == compiled.program.digest_hex
    assert report.source_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert compiled.program.aliases["onnx"] == f"sha256:{report.source_sha256}"


def test_figures_of_the_report_are_those_of_a_run(path: Path) -> None:
    compiled = compile_model(path, calibration=X)
    answer = veridical.run(compiled.program, {"x": X[:64]}).outputs["y"]
    import onnxruntime as ort

    session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
    expected = np.concatenate([session.run(None, {"x": row[None]})[0] for row in X[:64]])
    error = np.abs(answer - expected).max()
    assert compiled.report.outputs["y"].max_error == pytest.approx(error, abs=1e-6)


def test_compile_returns_the_program_alone(path: Path) -> None:
    program = veridical.compile(path, calibration=X, progress=False)
    assert program.digest == compile_model(path, calibration=X).program.digest


SCRIPT = """
import sys, numpy as np, veridical
print(veridical.compile(sys.argv[1], calibration=np.load(sys.argv[2])).digest_hex)
"""


def test_same_digest_in_other_processes_and_with_other_thread_counts(
    path: Path, tmp_path: Path
) -> None:
    np.save(tmp_path / "x.npy", X)
    digests = set()
    for seed, threads in (("0", "1"), ("1", "2")):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": threads}
        arguments = [sys.executable, "-c", SCRIPT, str(path), str(tmp_path / "x.npy")]
        digests.add(subprocess.check_output(arguments, env=environment, text=True))
    assert len(digests) == 1
    assert digests == {compile_model(path, calibration=X).report.digest + "\n"}


def test_closed_weights_are_salted_anew_each_time(path: Path) -> None:
    first, second = (compile_model(path, calibration=X, closed=True).program for _ in range(2))
    plain = compile_model(path, calibration=X).program
    assert len({first.digest, second.digest, plain.digest}) == 3
    answers = [veridical.run(p, {"x": X[:5]}).outputs["y"] for p in (first, second, plain)]
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])


def test_declared_input_range_replaces_the_calibrated_one(path: Path) -> None:
    wide = compile_model(path, calibration=X, input_ranges={"x": (-50.0, 40.0)}).program
    low, high = wide.inputs[0].real_range
    assert low == pytest.approx(-50.0, rel=1e-3)
    assert high == pytest.approx(40.0, rel=1e-3)
    assert veridical.run(wide, {"x": np.full((1, 6), 39.0)}).saturated == 0
    narrow = compile_model(path, calibration=X, input_ranges={"x": (-0.5, 0.5)})
    clamped = int((np.abs(X) > 0.5).sum())
    outside = narrow.report.outside["calibration"]
    assert abs(outside.clamped - clamped) <= 2  # the ends round to a step
    assert outside.elements == X.size
    assert outside.share == outside.clamped / X.size


def test_test_samples_outside_the_calibrated_range_are_counted(path: Path) -> None:
    report = compile_model(path, calibration=X, test=np.array([[100.0] * 6, [0.0] * 6])).report
    assert report.outside["calibration"].clamped == 0
    assert report.outside["test"].clamped == 6
    assert any("6 of 12 test values (50.0000%)" in line for line in show.summary(report))


@pytest.mark.parametrize(("precision", "bits"), [("int8", 8), ("int16", 16), ("auto", 16)])
def test_presets_limit_widths(path: Path, precision: str, bits: int) -> None:
    compiled = compile_model(path, calibration=X, precision=precision)
    widths = [layer.weight_bits for layer in compiled.report.layers if layer.weight_bits]
    assert max(widths) <= bits
    assert len(widths) == 2
    (entry,) = compiled.program.inputs
    assert max(-entry.lo, entry.hi) < 2 ** (bits - 1)
    assert compiled.report.precision == precision


def test_finer_presets_are_closer(path: Path) -> None:
    coarse, fine = (
        compile_model(path, calibration=X, precision=name).report.outputs["y"]
        for name in ("int8", "auto")
    )
    assert fine.max_error < coarse.max_error / 8


def test_quantised_model_compiles_and_its_deviation_is_reported(tmp_path: Path) -> None:
    step, zero = np.float32(0.05), np.uint8(128)
    quantised = RNG.integers(-127, 128, (6, 4)).astype(np.int8)
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("DequantizeLinear", ["w", "s", "zw"], ["v"]),
        node("MatMul", ["d", "v"], ["y"]),
    ]
    constants = {"s": step, "z": zero, "w": quantised, "zw": np.int8(0)}
    proto = model(nodes, {"x": [1, 6]}, constants=constants)
    report = compile_model(saved(proto, tmp_path), calibration=X).report
    figures = report.outputs["y"]
    assert figures.cosine > 0.9999
    assert any("ONNX Runtime" in note for note in report.notes)


def test_several_inputs_and_outputs_by_name(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", ["a", "w"], ["m"]),
        node("Add", ["m", "b"], ["y"]),
        node("Relu", ["b"], ["z"]),
    ]
    constants = {"w": normals(RNG, 3, 5)}
    proto = model(nodes, {"a": [1, 3], "b": [1, 5]}, ("y", "z"), constants)
    path = saved(proto, tmp_path)
    samples = {"a": normals(RNG, 50, 3), "b": 1e3 * normals(RNG, 50, 5)}
    compiled = compile_model(path, calibration=samples)
    assert [spec.name for spec in compiled.program.outputs] == ["y", "z"]
    assert set(compiled.report.outputs) == {"y", "z"}
    assert compiled.report.outputs["z"].max_error <= 1e3 * 4 / 2**14
    with pytest.raises(InputError, match="several inputs"):
        compile_model(path, calibration=samples["a"])
    with pytest.raises(InputError, match="samples name"):
        compile_model(path, calibration={"a": samples["a"]})
    with pytest.raises(InputError, match="counts"):
        compile_model(path, calibration={"a": samples["a"], "b": samples["b"][:9]})


def embedding(size: Any) -> onnx.ModelProto:
    nodes = [node("Gather", ["w", "ids"], ["e"]), node("ReduceMean", ["e"], ["y"], axes=[1])]
    return model(nodes, {"ids": (INT64, [1, size])}, constants={"w": normals(RNG, 20, 4)})


def test_integer_inputs_take_their_range_from_the_table(tmp_path: Path) -> None:
    ids = RNG.integers(2, 9, (30, 7))
    compiled = compile_model(saved(embedding(7), tmp_path), calibration={"ids": ids})
    (spec,) = compiled.program.inputs
    assert (spec.kind, spec.lo) == ("integer", 0)
    assert spec.hi <= 19
    assert compiled.report.outputs["y"].max_error < 1e-3
    with pytest.raises(InputError, match="ids"):
        veridical.run(compiled.program, {"ids": np.full((1, 7), 20)})


def test_symbolic_dimensions_come_from_samples_or_by_name(tmp_path: Path) -> None:
    path = saved(embedding("words"), tmp_path)
    ids = RNG.integers(0, 20, (30, 5))
    by_samples = compile_model(path, calibration={"ids": ids})
    by_name = compile_model(path, calibration=ids, dims={"words": 5}, input_ranges={"ids": (0, 19)})
    assert by_samples.program.inputs[0].shape == by_name.program.inputs[0].shape == (5,)
    with pytest.raises(CompileError, match="words"):
        compile_model(path, calibration=ids)


def test_report_has_every_layer_as_data(path: Path, tmp_path: Path) -> None:
    compiled = compile_model(path, calibration=X)
    report = compiled.report
    report.save(tmp_path / "report.json")
    data = json.loads((tmp_path / "report.json").read_text())
    assert data == json.loads(report.to_json())
    assert data["outside"] == {"calibration": {"clamped": 0, "elements": 600}}
    layers = data["layers"]
    assert [layer["index"] for layer in layers] == list(range(len(layers)))
    (linear, *_) = (layer for layer in layers if layer["op"] == "linear")
    least, greatest = linear["real_range"]
    assert least <= linear["seen_range"][0] <= linear["seen_range"][1] <= greatest
    assert linear["bits"] <= 32
    assert set(linear["agreement"]) == {
        "cosine", "max_error", "mean_error", "min_cosine", "reach", "top1",
    }  # fmt: skip
    tables = [layer for layer in layers if layer["table"] is not None]
    assert len({layer["table"] for layer in tables}) == data["num_tables"] == 2
    assert sum(layer["table_rows"] for layer in tables) == data["table_rows"]


def test_report_is_drawn_and_tabled(path: Path, tmp_path: Path) -> None:
    report = compile_model(path, calibration=X).report
    show.draw(report, tmp_path / "errors.png")
    picture = (tmp_path / "errors.png").read_bytes()
    assert picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(picture) > 5000
    rows = show.layer_table(report).row_count
    assert rows == sum(layer.op != "reshape" for layer in report.layers)
    assert show.output_table(report).row_count == 1
    assert any(line.startswith("accuracy  y: max error") for line in show.summary(report))


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((0, 6)), "shape"),
        (np.zeros((3, 5)), "shape"),
        (np.full((3, 6), np.nan), "NaN"),
        (np.full((3, 6), np.inf), "infinity"),
    ],
)
def test_unusable_samples_are_named(path: Path, samples: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        compile_model(path, calibration=samples)


def test_unknown_precision_names_the_choices(path: Path) -> None:
    with pytest.raises(InputError, match="auto, int16, int8"):
        compile_model(path, calibration=X, precision="int4")


def test_unsupported_operator_is_named(tmp_path: Path) -> None:
    proto = model([node("Det", ["x"], ["y"], name="determinant")], {"x": [1, 3, 3]})
    with pytest.raises(UnsupportedOpError) as caught:
        compile_model(saved(proto, tmp_path), calibration=normals(RNG, 4, 3, 3))
    assert caught.value.op == "Det"
    assert "determinant" in str(caught.value)


def test_program_without_likeness_is_refused(tmp_path: Path) -> None:
    # The gain of a channel that is always zero leaves the other no step.
    proto = model([node("Mul", ["x", "c"], ["y"])], {"x": [1, 2]}, constants={"c": [1e20, 1.0]})
    samples = X[:, :2] * np.array([0.0, 1.0])
    with pytest.raises(CompileError) as caught:
        compile_model(saved(proto, tmp_path), calibration=samples)
    assert caught.value.check == "accuracy"
    assert "nothing to do with the model" in caught.value.message
