from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from examples.allocation import market, train
from examples.zoo import float_outputs, take, zoo


def test_features_are_known_before_the_month_they_predict() -> None:
    data = market.load()
    fit, check, test = data.split()
    assert data.months[fit.stop - 1] < market.TRAIN_END <= data.months[check.start]
    assert data.months[check.stop - 1] < market.VALIDATION_END <= data.months[test.start]
    parts = [np.load(train.FOLDER / f"{part}.npz")["features"] for part in ("calibration", "test")]
    assert len(parts[0]) == fit.stop
    assert np.allclose(np.concatenate(parts), data.features, atol=1e-6)


def test_gradient_agrees_with_differences_of_the_utility() -> None:
    data = market.load()
    features, returns = data.features[:50], data.returns[:50]
    network = train.Network.initialise((23, 6, 10), "softmax", np.random.default_rng(1))
    for i_layer, (slope, _) in enumerate(network.gradient(features, returns)):
        weight = network.layers[i_layer][0]
        losses = []
        for step in (1e-6, -2e-6):
            weight[0, 1] += step
            earned = (network.weights(features) * returns).sum(axis=1)
            losses.append(-np.mean((1.0 + earned) ** -4.0) / -4.0)
        assert slope[0, 1] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-3)


@pytest.mark.slow
def test_training_script_reproduces_the_committed_model() -> None:
    data = market.load()
    start = train.Network.initialise((23, 32, 16, 10), "softmax", np.random.default_rng(train.SEED))
    trained = train.train(start, data.features, data.returns, data.split()[:2])
    committed = onnx.load(zoo()["weights"].path())
    parts = [numpy_helper.to_array(tensor) for tensor in committed.graph.initializer]
    for (weight, bias), stored, offset in zip(
        trained.layers, parts[0::2], parts[1::2], strict=True
    ):
        assert np.abs(weight - stored).max() < 1e-2
        assert np.abs(bias - offset).max() < 1e-2


@pytest.mark.parametrize("name", ["weights", "exposure"])
def test_answer_depends_on_the_market(name: str) -> None:
    case = zoo()[name]
    (answers,) = float_outputs(case, take(case.test(), slice(None))).values()
    assert answers.std(axis=0).max() > 0.1
