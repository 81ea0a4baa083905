"""ONNX in, float graph out.

| Module                | Purpose                                                          |
|-----------------------|------------------------------------------------------------------|
| `safe_load`           | reads a file that may be hostile                                 |
| `external`            | reads external data, only inside the model's folder              |
| `dimensions`          | fixes dynamic dimensions                                         |
| `constants`           | evaluates what is known, with sizes checked first                |
| `convert`             | walks the graph; registry of the converters in `ops_*`           |
| `builder`, `layout`   | the graph under construction                                     |
| `arithmetic`, `masks` | elementwise fusion, attention masks                              |
| `normalise`           | recognises written-out softmax, LayerNorm, masked mean           |
| `optimise`            | folds per-channel factors into weights                           |
| `types`               | element types, by ONNX's inference                               |
| `check`               | compares the result with ONNX Runtime                            |
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler.frontend import (
    ops_attention,
    ops_einsum,
    ops_elementwise,
    ops_layout,
    ops_linear,
    ops_quantised,
    ops_reduce,
    ops_resample,
    ops_spatial,
    safe_load,
)
from veridical.compiler.frontend.check import Deviation, check_against_onnxruntime, compare
from veridical.compiler.frontend.convert import CONVERTERS, convert
from veridical.compiler.frontend.dimensions import fix_shapes
from veridical.compiler.frontend.optimise import optimise

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from veridical.compiler.ir import FloatGraph

__all__ = [
    "Deviation",
    "ImportedModel",
    "check_against_onnxruntime",
    "compare",
    "import_model",
    "load",
    "supported_operators",
]

# Importing a module registers its converters.
_OPERATOR_MODULES = (
    ops_attention,
    ops_einsum,
    ops_elementwise,
    ops_layout,
    ops_linear,
    ops_quantised,
    ops_reduce,
    ops_resample,
    ops_spatial,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A float graph with the model it came from."""

    graph: FloatGraph
    model: bytes
    """The model as one self-contained ONNX file: external data are inside."""
    source: bytes
    """The bytes of the file as it was given."""


def import_model(
    source: str | os.PathLike[str] | bytes,
    *,
    dims: Mapping[str, int] | None = None,
    integer_ranges: Mapping[str, tuple[int, int]] | None = None,
    max_bytes: int = safe_load.MAX_BYTES,
    hints: Mapping[str, int] | None = None,
) -> ImportedModel:
    """Read an ONNX model and rewrite it in the closed set of float operators.

    Args:
        source: a path or the bytes of a model.
        dims: sizes of dynamic dimensions, by symbol or as ``"input[axis]"``.
        integer_ranges: inclusive range of integer inputs that no table bounds.
        max_bytes: limit on the file together with its external data.
        hints: sizes by place for dimensions that nothing else fixes.

    Raises:
        CompileError: the file is malformed, hostile, or lacks a size or a range.
        UnsupportedOpError: a node has no float operator; carries node name and op.
    """
    model, data = safe_load.read_model(source, max_bytes=max_bytes)
    initialisers = safe_load.arrays(model)
    shapes = fix_shapes(model, dims or {}, set(initialisers), hints)
    with np.errstate(all="ignore"):  # what a hostile weight makes NumPy say is checked by value
        graph = convert(model, shapes, integer_ranges or {}, initialisers)
        optimise(graph)
    return ImportedModel(graph=graph, model=model.SerializeToString(), source=data)


def load(
    source: str | os.PathLike[str] | bytes,
    *,
    dims: Mapping[str, int] | None = None,
    integer_ranges: Mapping[str, tuple[int, int]] | None = None,
    max_bytes: int = safe_load.MAX_BYTES,
) -> FloatGraph:
    """Return the float graph of a model; see `import_model`."""
    return import_model(source, dims=dims, integer_ranges=integer_ranges, max_bytes=max_bytes).graph


def supported_operators() -> list[str]:
    """Return the names of the ONNX operators that have a converter."""
    return sorted(CONVERTERS)
