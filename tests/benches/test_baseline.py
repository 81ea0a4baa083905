from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from benches import baseline
from examples.zoo import float_outputs, zoo

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["tblock", "lenet", "newcomer"])
def test_rows_of_a_batch_are_answered_as_if_they_were_alone(name: str, tmp_path: Path) -> None:
    case = zoo()[name]
    feed = baseline.repeat(case.test(), 0, 3)
    variants, _ = baseline.candidates(case, 3, tmp_path)
    assert variants[0].name == "float32"
    (together,) = variants[0].session(1).run(None, feed)
    (alone,) = float_outputs(case, feed).values()
    assert np.allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("name", ["lenet", "mlp100k"])
def test_bound_inputs_give_the_same_answers(name: str, tmp_path: Path) -> None:
    case = zoo()[name]
    feed = baseline.repeat(case.test(), 0, 64)
    variants, _ = baseline.candidates(case, 64, tmp_path)
    (expected,) = float_outputs(case, feed).values()
    for variant in variants:
        (plain,) = variant.session(1).run(None, feed)
        call = variant.resident(1, feed)
        for _ in range(2):
            (bound,) = call()
            assert np.array_equal(bound, plain)
        if variant.name == "float32":
            assert np.allclose(plain, expected, atol=1e-5)


def test_int8_variants_are_built_and_answer_nearly_the_same(tmp_path: Path) -> None:
    case = zoo()["mlp100k"]
    variants, failures = baseline.candidates(case, 1, tmp_path)
    assert {variant.name for variant in variants} >= {"float32", "qdq", "qoperator", "dynamic"}
    assert not failures
    feed = baseline.repeat(case.test(), 0, 1)
    (expected,) = float_outputs(case, feed).values()
    for variant in variants[1:]:
        (answer,) = variant.session(1).run(None, feed)
        assert 0.0 < np.abs(answer - expected).max() < 1.0
        assert variant.path.stat().st_size < case.path().stat().st_size / 2


def test_samples_begin_again_at_the_end() -> None:
    samples = {"x": np.arange(3)}
    assert baseline.repeat(samples, 2, 5)["x"].tolist() == [2, 0, 1, 2, 0]
