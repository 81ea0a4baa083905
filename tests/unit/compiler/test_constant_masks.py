"""A constant attention mask reaches the program as an exact 0/1 tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.unit.compiler.frontend.models import model, node
from veridical.compiler import compile_model

if TYPE_CHECKING:
    from pathlib import Path

LENGTH = 6


@pytest.mark.parametrize("fused", [True, False])
def test_causal_mask_compiles_and_stays_exact(tmp_path: Path, fused: bool) -> None:
    rng = np.random.default_rng(5)
    if fused:
        shape = [1, 2, LENGTH, 4]
        proto = model(
            [node("Attention", ["q", "k", "v"], ["y"], is_causal=1)],
            dict.fromkeys("qkv", shape),
            opset=23,
        )
        samples = {name: rng.normal(size=(32, 2, LENGTH, 4)).astype(np.float32) for name in "qkv"}
    else:
        mask = np.triu(np.full((LENGTH, LENGTH), -np.inf, np.float32), 1)
        proto = model(
            [node("Add", ["x", "m"], ["a"]), node("Softmax", ["a"], ["y"])],
            {"x": [1, 2, LENGTH, LENGTH]},
            constants={"m": mask},
        )
        samples = {"x": rng.normal(size=(32, 2, LENGTH, LENGTH)).astype(np.float32)}
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    report = compile_model(path, calibration=samples, progress=False).report
    assert report.outputs["y"].max_error < 5e-3
