"""A constant shared by too many nodes is refused by both implementations, and not before."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save

from veridical import Program, reference
from veridical.errors import ProgramError

ELEMENTS = 2**18
MOST_NODES = 64 + 2**24 // ELEMENTS


def program_file(num_nodes: int) -> bytes:
    """Return a program in which so many nodes gather from one embedding."""
    node = {"c": [0], "in": [0], "op": "gather"}
    tensor = {"hi": 1, "lo": 0, "shape": [1]}
    graph = {
        "consts": [{"dtype": "i8", "kind": "weight", "shape": [ELEMENTS]}],
        "format": 1,
        "inputs": [{"encode": {"kind": "integer"}, "name": "x"}],
        "nodes": [node] * num_nodes,
        "outputs": [{"decode": {"mul": 1, "shift": 0}, "name": "y", "tensor": num_nodes}],
        "salted": 0,
        "tensors": [tensor] * (num_nodes + 1),
    }
    text = json.dumps(graph, sort_keys=True, separators=(",", ":"))
    metadata = {"format": "veridical-program/1", "graph": text}
    return bytes(save({"c0": np.ones(ELEMENTS, np.int8)}, metadata=metadata))


def test_limit_of_uses_is_the_same_in_both() -> None:
    content = program_file(MOST_NODES)
    assert reference.load(content).digest == Program.from_bytes(content).digest_hex


@pytest.mark.parametrize("load", [Program.from_bytes, reference.load])
def test_one_use_more_is_refused(load: object) -> None:
    assert callable(load)
    with pytest.raises(ProgramError, match="elements of const"):
        load(program_file(MOST_NODES + 1))
