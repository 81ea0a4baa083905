from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest

from examples.minilm import forward
from examples.minilm.export import LayerNorm, Mask, cached, load_weights
from examples.minilm.tokens import sentences, tokenize


@pytest.mark.parametrize("mask", ["additive", "where"])
@pytest.mark.parametrize("layer_norm", ["fused", "decomposed"])
def test_exported_graph_agrees_with_an_independent_float64_forward(
    layer_norm: LayerNorm, mask: Mask
) -> None:
    texts = sentences("test")
    longest = sorted(texts, key=len)[-4:]
    rows = tokenize([*texts[:4], *longest])
    exact = forward.embed(load_weights(), rows["input_ids"], rows["attention_mask"])
    session = ort.InferenceSession(cached(layer_norm, mask), providers=["CPUExecutionProvider"])
    for i, expected in enumerate(exact):
        feed = {name: value[i : i + 1] for name, value in rows.items()}
        (embedding,) = session.run(None, feed)
        assert np.abs(embedding[0] - expected).max() < 2e-6


def test_sentences_of_one_topic_are_closer_than_sentences_of_two() -> None:
    texts = (
        "The central bank raised interest rates.",
        "Borrowing became more expensive after the rate decision.",
        "The cake needs forty minutes in the oven.",
    )
    rows = tokenize(texts)
    rate, loan, cake = forward.embed(load_weights(), rows["input_ids"], rows["attention_mask"])
    assert rate @ loan > 0.4
    assert rate @ cake < 0.2


def test_sentences_reach_the_full_length_and_are_padded() -> None:
    lengths = tokenize(sentences("test"))["attention_mask"].sum(axis=1)
    assert lengths.max() > 120
    assert lengths.min() < 6
    assert len(lengths) == 50


def test_text_longer_than_the_sequence_is_cut() -> None:
    rows = tokenize(["word " * 500])
    assert rows["input_ids"].shape == (1, 128)
    assert rows["attention_mask"].all()
