"""The Merkle root of a run.

Spec: spec/v1/program.md, section 8.
"""

from __future__ import annotations

import struct
from hashlib import sha256
from typing import TYPE_CHECKING

from veridical.reference.digest import frame, tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

CHUNK_ELEMENTS = 32
_ELEMENT_BYTES = 4


def trace_root(tensors: Sequence[NDArray[np.int32]]) -> bytes:
    """Return the root over all tensors of a run, in order of tensor id."""
    domain = b"\x00" + frame(b"veridical.trace.tensor.v1")
    return tree(
        [
            sha256(
                domain + struct.pack("<IQ", tensor, values.size) + _root(tensor, values)
            ).digest()
            for tensor, values in enumerate(tensors)
        ]
    )


def _root(tensor: int, values: NDArray[np.int32]) -> bytes:
    """Return the root over the chunks of one tensor, in row-major order."""
    content = values.astype("<i4", copy=False).tobytes()
    domain = b"\x00" + frame(b"veridical.trace.chunk.v1") + struct.pack("<I", tensor)
    size = CHUNK_ELEMENTS * _ELEMENT_BYTES
    return tree(
        [
            sha256(
                domain + struct.pack("<Q", chunk) + frame(content[start : start + size])
            ).digest()
            for chunk, start in enumerate(range(0, len(content), size))
        ]
    )
