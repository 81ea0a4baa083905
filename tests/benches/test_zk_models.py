from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from benches.zk import cases
from benches.zk.cases import entries, flat_rows, rewrite_relu

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["mlp100k", "lenet", "tblock"])
def test_relu_as_max_gives_the_same_answers(name: str, tmp_path: Path) -> None:
    case = entries()[name].case
    target = tmp_path / "rewritten.onnx"
    relus = sum(node.op_type == "Relu" for node in onnx.load(case.path()).graph.node)
    assert rewrite_relu(case.path(), target) == relus > 0
    assert "Relu" not in {node.op_type for node in onnx.load(target).graph.node}
    feed = {key: value[:1] for key, value in case.test().items()}
    before, after = (
        ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed)[0]
        for path in (case.path(), target)
    )
    assert np.allclose(before, after, atol=1e-6)


def test_model_without_relu_gets_no_constant(tmp_path: Path) -> None:
    target = tmp_path / "rewritten.onnx"
    assert rewrite_relu(entries()["tiny_sigmoid"].case.path(), target) == 0
    before, after = (onnx.load(path) for path in (entries()["tiny_sigmoid"].case.path(), target))
    assert len(before.graph.initializer) == len(after.graph.initializer)


def test_every_model_of_the_comparison_is_measured_with_all_provers() -> None:
    found = entries()
    assert all(found[name].kinds == ("veridical", "ezkl", "dsperse") for name in cases.SIX)
    assert all(found[name].kinds == ("veridical",) for name in cases.OURS_ONLY)
    # A forced scale makes a peer faster and coarser: nobody reads its figure without being told.
    for name in cases.FORCED_SCALES:
        assert str(found[name].options["ezkl"]["scale"]) in found[name].notes["ezkl"]


def test_models_of_the_plot_differ_in_width_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases, "CACHE", tmp_path)
    narrow, wide = entries()["width32"], entries()["width64"]
    assert set(narrow.kinds) == set(wide.kinds) == set(cases.KINDS)
    assert "ezkl" not in entries()["width1024"].kinds
    models = [onnx.load(entry.case.path()) for entry in (narrow, wide)]
    assert [node.op_type for node in models[0].graph.node] == [
        node.op_type for node in models[1].graph.node
    ]
    assert models[0].graph.initializer[0].dims == [32, 32]
    assert models[1].graph.initializer[0].dims == [64, 64]
    # Activations keep their size, or a wide model would be another problem for a quantiser.
    for entry in (narrow, wide):
        session = ort.InferenceSession(entry.case.path(), providers=["CPUExecutionProvider"])
        feed = {key: value[:1] for key, value in entry.case.test().items()}
        assert 0.1 < np.std(session.run(None, feed)[0]) < 3.0


def test_peers_get_flat_rows_of_the_only_input() -> None:
    samples = {"x": np.arange(12, dtype=np.float32).reshape(3, 2, 2)}
    assert flat_rows(samples, 2) == [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]
