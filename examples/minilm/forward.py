"""The sentence encoder in NumPy float64, straight from the weights: a check on the ONNX export."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import erf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

HEADS = 12


def embed(
    weights: Mapping[str, NDArray[np.float32]],
    input_ids: NDArray[np.int64],
    attention_mask: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return one unit vector per row.

    Padding is left out instead of masked: a row is cut to its tokens, which is the same function
    by another route.

    Shape: input_ids and attention_mask (rows, sequence); result (rows, 384).
    """
    tensors = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    rows = zip(input_ids, attention_mask, strict=True)
    return np.stack([_embed_tokens(tensors, ids[mask == 1]) for ids, mask in rows])


def _embed_tokens(
    tensors: Mapping[str, NDArray[np.float64]], ids: NDArray[np.int64]
) -> NDArray[np.float64]:
    def dense(value: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        product: NDArray[np.float64] = value @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]
        return product

    def norm(value: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        centred = value - value.mean(axis=-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        scaled: NDArray[np.float64] = unit * tensors[f"{name}.weight"] + tensors[f"{name}.bias"]
        return scaled

    value = tensors["embeddings.word_embeddings.weight"][ids]
    value = value + tensors["embeddings.position_embeddings.weight"][: len(ids)]
    value = norm(
        value + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm"
    )
    for i_layer in range(6):
        name = f"encoder.layer.{i_layer}"
        heads = {
            part: dense(value, f"{name}.attention.self.{part}").reshape(len(ids), HEADS, -1)
            for part in ("query", "key", "value")
        }
        scores = np.einsum("qhd,khd->hqk", heads["query"], heads["key"]) / np.sqrt(384 / HEADS)
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares = powers / powers.sum(axis=-1, keepdims=True)
        context = np.einsum("hqk,khd->qhd", shares, heads["value"]).reshape(len(ids), -1)
        attended = dense(context, f"{name}.attention.output.dense") + value
        attended = norm(attended, f"{name}.attention.output.LayerNorm")
        hidden = dense(attended, f"{name}.intermediate.dense")
        hidden = 0.5 * hidden * (1.0 + erf(hidden / np.sqrt(2.0)))
        value = norm(dense(hidden, f"{name}.output.dense") + attended, f"{name}.output.LayerNorm")
    mean = value.mean(axis=0)
    unit: NDArray[np.float64] = mean / np.linalg.norm(mean)
    return unit
