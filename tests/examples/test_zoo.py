from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from examples.zoo import exact_outputs, float_outputs, num_samples, take, zoo

CASES = sorted(zoo())


@pytest.mark.parametrize("name", CASES)
def test_samples_fit_the_inputs_of_the_model(name: str) -> None:
    case = zoo()[name]
    session = ort.InferenceSession(case.path(), providers=["CPUExecutionProvider"])
    assert set(case.shapes()) == {value.name for value in session.get_inputs()}
    for samples in (case.calibration(), case.test(), case.random(2, seed=5)):
        outputs = session.run(None, take(samples, slice(0, 1)))
        assert all(np.isfinite(value).all() for value in outputs)


@pytest.mark.parametrize("name", CASES)
def test_calibration_and_test_share_no_row(name: str) -> None:
    case = zoo()[name]
    seen, judged = (
        {
            b"".join(value[i].tobytes() for value in samples.values())
            for i in range(num_samples(samples))
        }
        for samples in (case.calibration(), case.test())
    )
    assert not seen & judged


@pytest.mark.parametrize("name", CASES)
def test_test_samples_lie_inside_the_calibrated_range(name: str) -> None:
    case = zoo()[name]
    for key, value in case.test().items():
        if value.dtype.kind == "f":
            assert value.min() >= case.calibration()[key].min()
            assert value.max() <= case.calibration()[key].max()


@pytest.mark.parametrize("name", [name for name in CASES if zoo()[name].labels])
def test_float_model_answers_most_of_its_test_samples_correctly(name: str) -> None:
    case = zoo()[name]
    assert case.labels is not None
    (logits,) = float_outputs(case, case.test()).values()
    assert np.mean(logits.argmax(axis=1) == case.labels()) >= 0.7


@pytest.mark.parametrize(
    "name", [name for name in CASES if zoo()[name].target.metric == "max_abs_error"]
)
def test_float32_and_float64_agree(name: str) -> None:
    case = zoo()[name]
    (single,), (double,) = (
        outputs(case, case.test()).values() for outputs in (float_outputs, exact_outputs)
    )
    assert np.abs(single - double).max() < 1e-6
    assert np.abs(single - double).max() > 0.0


def test_there_are_enough_real_files_and_many_types() -> None:
    case = zoo()["filetype"]
    (shares,) = float_outputs(case, case.test()).values()
    assert len(shares) >= 200
    assert len(set(shares.argmax(axis=1))) >= 20
