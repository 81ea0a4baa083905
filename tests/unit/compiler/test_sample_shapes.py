"""Samples fix what a model leaves open, and are compared with what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import veridical
from veridical.errors import InputError


@pytest.fixture
def open_model(tmp_path: Path) -> Path:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["y"])],
        "open",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [-1, "features"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [-1, "features"])],
    )
    path = tmp_path / "open.onnx"
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    return path


def test_samples_by_name_fix_open_dimensions(open_model: Path) -> None:
    samples = {"x": np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3)}
    program = veridical.compile(open_model, calibration=samples, progress=False)
    assert program.inputs[0].shape == (3,)


def test_given_dimension_wins_over_samples(open_model: Path) -> None:
    samples = {"x": np.ones((5, 3), np.float32)}
    with pytest.raises(InputError, match=r"have shape \(5, 3\), expected \(n, 4\)"):
        veridical.compile(open_model, calibration=samples, dims={"features": 4}, progress=False)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ({"wrong": np.ones((5, 3), np.float32)}, "dynamic dimensions without a size"),
        (np.ones((5, 3), np.float32), "dynamic dimensions without a size"),
        ({"x": np.ones((0, 3), np.float32)}, "n > 0"),
    ],
)
def test_samples_that_do_not_fit_are_refused(open_model: Path, samples: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        veridical.compile(open_model, calibration=samples, progress=False)


def test_unknown_name_is_named_with_the_inputs_of_the_model() -> None:
    model = Path(__file__).parents[3] / "examples" / "models" / "tiny_relu.onnx"
    with pytest.raises(InputError, match=r"samples name \['wrong'\], the model's inputs are"):
        veridical.compile(model, calibration={"wrong": np.ones((5, 4), np.float32)})
