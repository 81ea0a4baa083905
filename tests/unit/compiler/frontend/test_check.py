"""The comparison with ONNX Runtime catches a wrong graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import model, node, normals
from veridical.compiler.frontend import check_against_onnxruntime, import_model
from veridical.errors import CompileError

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = {"x": np.random.default_rng(0).normal(size=(4, 3))}


def data() -> bytes:
    constants = {"w": normals(np.random.default_rng(1), 3, 2)}
    proto = model([node("MatMul", ["x", "w"], ["y"])], {"x": ["N", 3]}, constants=constants)
    return bytes(proto.SerializeToString())


def test_right_graph_passes_from_bytes_and_path(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data())
    graph = import_model(path).graph
    for source in (path, str(path), data()):
        notes = check_against_onnxruntime(graph, source, SAMPLES)
        assert len(notes) == 1
        assert "'y'" in notes[0]


@pytest.mark.parametrize("wrong", [1.01, -1.0, np.nan])
def test_wrong_weight_is_caught(wrong: float) -> None:
    graph = import_model(data()).graph
    graph.nodes[0].params["weight"][0, 0] *= wrong
    with pytest.raises(CompileError, match="'y' deviates") as caught:
        check_against_onnxruntime(graph, data(), SAMPLES)
    assert caught.value.check == "agreement with ONNX Runtime"


def test_tolerance_is_an_argument() -> None:
    graph = import_model(data()).graph
    graph.nodes[0].params["weight"] *= 1.01
    with pytest.raises(CompileError):
        check_against_onnxruntime(graph, data(), SAMPLES)
    assert check_against_onnxruntime(graph, data(), SAMPLES, tolerance=0.1)


def test_model_that_onnx_runtime_refuses_is_named() -> None:
    graph = import_model(data()).graph
    with pytest.raises(CompileError, match="cannot run the model") as caught:
        check_against_onnxruntime(graph, data(), {"other": np.zeros((1, 3))})
    assert caught.value.check == "agreement with ONNX Runtime"
