"""ONNX's own test cases for its operators: agreement or a named error, never a wrong result."""

from __future__ import annotations

import warnings
from collections import Counter
from random import Random
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from veridical.compiler.evaluate import FloatEvaluator
from veridical.compiler.frontend import import_model, load, supported_operators
from veridical.errors import CompileError

NEWEST = 23
TOLERANCE = 1e-3
#: Cases whose expected values are those of bfloat16 arithmetic, or define what a row without any
#: position gives; an integer program reports such a row as an error when it runs.
OUTSIDE = ("bf16", "fullymasked", "nan_robustness", "structural_empty", "mode3_softmax_precision")


def outcome(case: Any) -> str:
    """Import a case with as few real inputs as work, the others as constants, and compare."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    for entry in model.opset_import:
        if entry.domain in ("", "ai.onnx"):
            entry.version = min(entry.version, NEWEST)
    model.ir_version = min(model.ir_version, 10)
    given, expected = case.data_sets[0]
    if not all(isinstance(value, np.ndarray | np.generic) for value in [*given, *expected]):
        return "no tensors"
    feeds = dict(zip((i.name for i in model.graph.input), map(np.asarray, given), strict=False))
    names = list(feeds)
    result = "rejected"
    for count in range(1, len(names) + 1):
        attempt = onnx.ModelProto()
        attempt.CopyFrom(model)
        real = [i for i in model.graph.input if i.name in names[:count]]
        del attempt.graph.input[:]
        attempt.graph.input.extend(real)
        attempt.graph.initializer.extend(
            numpy_helper.from_array(feeds[name], name) for name in names[count:]
        )
        ranges = {
            name: (int(feeds[name].min()), int(feeds[name].max()))
            for name in names[:count]
            if feeds[name].dtype.kind in "iu" and feeds[name].size
        }
        try:
            graph = import_model(attempt.SerializeToString(), integer_ranges=ranges).graph
        except CompileError:
            continue
        found = FloatEvaluator(graph).outputs({n: feeds[n][np.newaxis] for n in names[:count]})
        return compare(found, {p: e for (p, _), e in zip(graph.outputs, expected, strict=False)})
    return result


def compare(found: dict[str, Any], expected: dict[str, Any]) -> str:
    for name, value in expected.items():
        wanted = np.atleast_1d(np.asarray(value, np.float64))
        ours = found[name][0]
        if ours.shape != wanted.shape:
            return f"shape {ours.shape}, expected {wanted.shape}"
        error = float(np.abs(ours - wanted).max())
        if not error <= TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            return f"error {error}"
    return "agreed"


@pytest.fixture(scope="module")
def cases() -> list[Any]:
    """Return ONNX's cases that are about numbers and have a data set."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [case for case in collect_testcases(None) if case.data_sets]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore")
def test_onnx_node_cases_agree_or_are_rejected(cases: list[Any]) -> None:
    counts: Counter[str] = Counter()
    wrong = {}
    for case in cases:
        if any(word in case.name for word in OUTSIDE):
            continue
        result = outcome(case)
        if result not in ("agreed", "rejected", "no tensors"):
            wrong[case.name] = result
        counts[result] += 1
    assert wrong == {}
    assert counts["agreed"] >= 800


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_mutants_of_onnx_node_cases_raise_named_errors_only(cases: list[Any]) -> None:
    seed, count = 20261122, 5000
    random = Random(seed)  # noqa: S311 - a seeded campaign, no secret
    models = []
    for case in cases:
        model = onnx.ModelProto()
        model.CopyFrom(case.model)
        if {node.op_type for node in model.graph.node} <= set(supported_operators()):
            for entry in model.opset_import:
                entry.version = min(entry.version, NEWEST)
            models.append(model.SerializeToString())
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        mutant = bytearray(random.choice(models))
        for _ in range(random.choice((1, 1, 2, 3))):
            mutant[random.randrange(len(mutant))] = random.choice((0, 1, 2, 127, 128, 255))
        try:
            load(bytes(mutant))
            outcomes["loaded"] += 1
        except CompileError as error:
            assert error.check, (seed, error)  # noqa: PT017 - every rejection has a stable name
            outcomes[error.check] += 1
    assert len(outcomes) > 8, outcomes
