"""Random models compile to an accepted program close to the model, or are refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, reject, settings

from tests.unit.compiler.random_models import Builder, Recipe, Step, recipes, samples_of
from veridical.compiler import Compiled, compile_model
from veridical.errors import CompileError, UnsupportedOpError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("random")


def compiled(recipe: Recipe, folder: Path) -> Compiled:
    path = folder / "model.onnx"
    path.write_bytes(Builder(recipe).finish().SerializeToString())
    return compile_model(path, calibration=samples_of(recipe), progress=False)


def recipe_of(shape: tuple[int, ...], *kinds: str, scale: float = 1.0, seed: int = 1) -> Recipe:
    steps = tuple(Step(kind, scale, seed + i) for i, kind in enumerate(kinds))
    return Recipe(shape, steps, "normal", 1.0, seed)


def test_ordinary_models_stay_close(folder: Path) -> None:
    @settings(max_examples=60)
    @given(recipes(absurd=False))
    # A wide tensor times a gain per channel; a sum that cancels; a constant far outside the range.
    @example(recipe_of((2, 6, 6), "conv", "gain"))
    @example(recipe_of((3, 8), "linear", "difference", "linear"))
    @example(recipe_of((5, 1), "bias_only", "pad", "norm"))
    @example(recipe_of((1, 6), "gain", "difference"))
    @example(recipe_of((1, 6), "mean", "flatten", "linear"))
    @example(recipe_of((2, 6, 6), "attention", "gain", "max_pool", "norm"))
    def check(recipe: Recipe) -> None:
        try:
            result = compiled(recipe, folder)
        except UnsupportedOpError:
            reject()
        for figures in result.report.outputs.values():
            assert figures.max_error <= 0.05 * figures.reach
        assert result.report.outside["calibration"].clamped == 0

    check()


def test_absurd_models_are_refused_or_accepted_by_the_loader(folder: Path) -> None:
    seen = set()

    @settings(max_examples=120)
    @given(recipes(absurd=True))
    @example(recipe_of((4,), "linear", scale=0.0))
    @example(recipe_of((1500,), "scale", "norm", scale=1e-30))
    @example(recipe_of((3, 8), "scale", "attention", scale=1e30))
    @example(recipe_of((4,), "shift", "linear", scale=1e6))
    @example(recipe_of((17,), "norm", "gain", "difference", "bias_only", scale=1e30))
    def check(recipe: Recipe) -> None:
        try:
            result = compiled(recipe, folder)
        except CompileError:
            seen.add("refused")
        else:
            seen.add("accepted")
            for figures in result.report.outputs.values():
                assert figures.cosine >= 0.5 or figures.max_error <= 0.5 * figures.reach

    check()
    assert seen == {"refused", "accepted"}
