"""Products of activations between transposes, which an executor may read and write in place.

Chains of them, with other readers and outputs in between: what is seen through must not be missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.differential.draft import Draft

if TYPE_CHECKING:
    Random = np.random.Generator

#: Operands stay that small, so that every product fits 16 bits.
REACH = 9


def product_program(seed: int) -> Draft:
    """Return a valid draft; the seed decides everything."""
    rng = np.random.default_rng(seed)
    draft = Draft()
    shape = tuple(int(i) for i in rng.choice([1, 2, 3, 4, 5], 3, p=[0.3, 0.2, 0.2, 0.2, 0.1]))
    pool = [draft.add_input(shape, -REACH, REACH), draft.add_input(shape, 0, REACH)]
    for _ in range(int(rng.integers(3, 9))):
        # The last tensor most often, so that chains grow.
        x = pool[-1] if rng.random() < 0.7 else int(rng.choice(pool))
        kind = rng.random()
        if kind < 0.45:
            pool.append(_product(draft, rng, x))
        elif kind < 0.9:
            pool.append(draft.add_node("transpose", [x], perm=rng.permutation(3).tolist()))
        else:
            pool.append(draft.add_node("reshape", [x], shape=draft.tensors[x]["shape"]))
    last = len(draft.tensors) - 1
    between = rng.choice(last, int(rng.integers(0, 2)), replace=False)
    for tensor in sorted({last, *between.tolist()}):
        draft.add_output(tensor)
    return draft


def _product(draft: Draft, rng: Random, x: int) -> int:
    """Append a product of `x` with anything that fits, at least itself; keep it small."""
    lead, _, depth = draft.tensors[x]["shape"]
    choices = [(x, 1)]
    for t, entry in enumerate(draft.tensors):
        if max(abs(entry["lo"]), entry["hi"]) <= REACH:
            choices += [(t, 0)] * (entry["shape"][:2] == [lead, depth])
            choices += [(t, 1)] * (entry["shape"][::2] == [lead, depth])
    other, transposed = choices[int(rng.integers(0, len(choices)))]
    is_mean = not transposed and draft.tensors[x]["lo"] >= 0 and rng.random() < 0.5
    if is_mean:
        return draft.add_node("weighted_mean", [x, other])
    y = draft.add_node("matmul", [x, other], transpose_b=transposed)
    low = int(rng.choice([-REACH, 1]))  # a weighted mean takes rows that are never empty
    return draft.add_node("clamp", [y], lo=low, hi=REACH)
