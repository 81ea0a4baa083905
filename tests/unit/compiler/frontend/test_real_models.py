"""Every model of the examples: the import agrees with ONNX Runtime and finds what is in it."""

from __future__ import annotations

import numpy as np
import pytest

from examples.minilm.export import build, load_weights
from examples.zoo import ModelCase, take, zoo
from tests.unit.compiler.frontend.models import ops
from veridical.compiler.frontend import check_against_onnxruntime, import_model

MASKS = {"attention_mask": (0, 1)}
#: Magika takes a variance as E[x^2] - (E x)^2, which costs float32 five digits.
TOLERANCE = 1e-4

#: Operators that must be found, and how many of each; none of these is found by accident.
FOUND = {
    "tiny_relu": {"Linear": 3, "Unary": 2},
    "tiny_sigmoid": {"Linear": 3, "Unary": 3},
    "alloc_softmax": {"Linear": 3, "Unary": 2, "Softmax": 1},
    "weights": {"Linear": 3, "Softmax": 1},
    "exposure": {"Linear": 2, "Unary": 2},
    "newcomer": {"Conv": 3, "Unary": 3, "LayerNorm": 1, "Linear": 1},
    "tblock": {"Linear": 6, "LayerNorm": 2, "Softmax": 1, "MatMul": 2, "Add": 2, "Unary": 1},
    "mlp100k": {"Linear": 2, "Unary": 1},
    "mlp1m": {"Linear": 3, "Unary": 2},
    "lenet": {"Conv": 2, "MaxPool": 2, "Linear": 3, "Unary": 4},
    "textdirection": {"Conv": 53, "Mul": 9, "Add": 7, "Softmax": 1, "Linear": 1, "Affine": 0},
    "filetype": {"Gather": 1, "LayerNorm": 2, "Conv": 1, "Unary": 1, "Linear": 1, "Softmax": 1},
    "minilm": {"Gather": 1, "Linear": 36, "LayerNorm": 14, "Softmax": 6, "WeightedMean": 1,
               "MatMul": 12, "Unary": 6, "Mul": 0},
}  # fmt: skip


def cases() -> list[object]:
    return [
        pytest.param(case, id=name, marks=[pytest.mark.slow] if case.is_large else [])
        for name, case in zoo().items()
    ]


def test_every_model_of_the_zoo_is_listed() -> None:
    assert set(FOUND) == set(zoo())


@pytest.mark.parametrize("case", cases())
def test_model_of_the_zoo_agrees(case: ModelCase) -> None:
    samples = take(case.calibration(), slice(0, 3))
    ranges = {name: bounds for name, bounds in MASKS.items() if name in samples}
    imported = import_model(case.path(), dims=case.dims, integer_ranges=ranges)
    notes = check_against_onnxruntime(imported.graph, case.path(), samples, tolerance=TOLERANCE)
    assert len(notes) == len(imported.graph.outputs)
    found = ops(imported.graph)
    assert {op: found[op] for op in FOUND[case.name]} == FOUND[case.name]


@pytest.mark.slow
def test_sentence_encoder_is_the_same_however_it_is_written() -> None:
    case = zoo()["minilm"]
    weights = load_weights()
    samples = take(case.calibration(), slice(0, 1))
    plain = import_model(build(weights).SerializeToString(), integer_ranges=MASKS)
    other = build(weights, layer_norm="decomposed", mask="where").SerializeToString()
    written = import_model(other, integer_ranges=MASKS)
    assert ops(plain.graph) == ops(written.graph)
    check_against_onnxruntime(written.graph, other, samples, tolerance=1e-5)
    for one, two in zip(plain.graph.nodes, written.graph.nodes, strict=True):
        assert one.op == two.op
        for key, array in one.params.items():
            assert np.allclose(array, two.params[key], rtol=1e-6, atol=1e-9), (one.op, key)
