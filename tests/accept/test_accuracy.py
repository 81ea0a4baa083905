"""Accuracy at the default precision, for inputs inside the calibrated range."""

from __future__ import annotations

import numpy as np
import pytest

import veridical
from examples.zoo import (
    ModelCase,
    Target,
    exact_outputs,
    float_outputs,
    measure,
    num_samples,
    take,
    zoo,
)
from tests.accept.conftest import CompiledPath
from tests.acceptance import RecordCriterion

pytestmark = pytest.mark.accept

# The large models are judged on as many samples as their bound speaks of.
MAX_SAMPLES = {"minilm": 50, "filetype": 200}


def bound_of(target: Target) -> str:
    """Say what a target requires."""
    if target.at_most is not None:
        return f"max abs error <= {target.at_most:g}"
    worst = "" if target.minimum is None else f", worst >= {target.minimum:g}"
    return f"mean {target.metric.replace('_', ' ')} >= {target.at_least:g}{worst}"


def judged(case: ModelCase) -> int:
    return min(num_samples(case.test()), MAX_SAMPLES.get(case.name, 10**9))


@pytest.mark.parametrize("name", sorted(zoo()))
def test_accuracy(name: str, compiled: CompiledPath, criterion: RecordCriterion) -> None:
    case = zoo()[name]
    samples = take(case.test(), slice(0, judged(case)))
    run = veridical.run(veridical.load(compiled(name)), samples)
    exact = case.target.metric == "max_abs_error"
    expected = (exact_outputs if exact else float_outputs)(case, samples)
    first = next(iter(expected))
    measured = measure(case, expected[first], run.outputs[first])
    criterion(
        f"accuracy of {name}, {num_samples(samples)} samples",
        required=bound_of(case.target),
        measured=f"mean {measured.mean:.6g}, worst {measured.worst:.6g}",
    )
    assert case.target.is_met(measured)
    assert run.saturated == 0


def test_bound_of_the_encoder_covers_padded_sentences() -> None:
    # Full rows would hide what the mask does.
    mask = take(zoo()["minilm"].test(), slice(0, MAX_SAMPLES["minilm"]))["attention_mask"]
    lengths = mask.sum(axis=1)
    assert len(lengths) == MAX_SAMPLES["minilm"]
    assert np.unique(lengths).size > 1
    assert mask.shape[1] == 128
    assert lengths.min() < mask.shape[1]
