"""Sentences and their tokens, padded or cut to the length that the encoder expects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from tokenizers import Tokenizer

from examples.carriers import SENTENCE_TOKENIZER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SEQUENCE = 128


def sentences(part: Literal["calibration", "test"]) -> list[str]:
    """Return one of the two disjoint lists of sentences of this folder."""
    return Path(__file__).with_name(f"{part}.txt").read_text("utf-8").splitlines()


def tokenize(texts: Sequence[str], *, sequence: int = SEQUENCE) -> dict[str, NDArray[np.int64]]:
    """Split texts into word pieces.

    Shape: input_ids and attention_mask (texts, sequence).
    """
    tokenizer = Tokenizer.from_file(str(SENTENCE_TOKENIZER.path()))
    tokenizer.enable_truncation(sequence)
    tokenizer.enable_padding(length=sequence)
    encodings = tokenizer.encode_batch(list(texts))
    return {
        "input_ids": np.array([encoding.ids for encoding in encodings], dtype=np.int64),
        "attention_mask": np.array(
            [encoding.attention_mask for encoding in encodings], dtype=np.int64
        ),
    }
