"""Changes to the graph of a program in canonical form: the loader must decide by its rules."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from veridical.reference.graph import FIELD_PRIME, MAX_MAGNITUDE, OPS

if TYPE_CHECKING:
    import numpy as np

INTERESTING = [0, 1, 2, -1, 2**15 - 1, 2**15, -(2**15), 2**16, 2**24, 2**28, 2**31, 2**53]
INTERESTING += [MAX_MAGNITUDE, MAX_MAGNITUDE + 1, -MAX_MAGNITUDE, FIELD_PRIME]

#: Ops with the same attributes and consts, which may take each other's place.
TWINS = {
    op: [
        other
        for other, schema in OPS.items()
        if other != op
        and set(schema.attributes) == set(OPS[op].attributes)
        and schema.const_kinds == OPS[op].const_kinds
    ]
    for op in OPS
}


def mutate_graph(root: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Return a copy with one or two changes."""
    changed = copy.deepcopy(root)
    for _ in range(int(rng.integers(1, 3))):
        kind = int(rng.integers(0, 8))
        if kind < 4:
            _change_integer(changed, rng)
        elif kind < 6:
            _change_list(changed, rng)
        elif kind == 6:
            _change_op(changed, rng)
        else:
            _move_operand(changed, rng)
    return changed


def _containers(value: Any) -> list[Any]:
    """Return all lists and objects of a document."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in _containers(item))]
    if isinstance(value, list):
        return [value, *(found for item in value for found in _containers(item))]
    return []


def _change_integer(root: dict[str, Any], rng: np.random.Generator) -> None:
    places = [
        (container, key)
        for part in (root["nodes"], root["tensors"], root["consts"], root["inputs"])
        for container in _containers(part)
        for key, value in (
            container.items() if isinstance(container, dict) else enumerate(container)
        )
        if isinstance(value, int)
    ]
    container, key = places[int(rng.integers(0, len(places)))]
    if rng.random() < 0.6:
        container[key] += int(rng.choice([-2, -1, 1, 2]))
    else:
        container[key] = int(rng.choice(INTERESTING))


def _change_list(root: dict[str, Any], rng: np.random.Generator) -> None:
    parts = [found for found in _containers(root["nodes"]) if isinstance(found, list) and found]
    parts += [tensor["shape"] for tensor in root["tensors"] if tensor["shape"]]
    if not parts:
        return
    part = parts[int(rng.integers(0, len(parts)))]
    i, j = (int(place) for place in rng.integers(0, len(part), 2))
    kind = int(rng.integers(0, 3))
    if kind == 0:
        part[i], part[j] = part[j], part[i]
    elif kind == 1:
        part.insert(i, copy.deepcopy(part[j]))
    else:
        del part[i]


def _change_op(root: dict[str, Any], rng: np.random.Generator) -> None:
    if not root["nodes"]:
        return
    node = root["nodes"][int(rng.integers(0, len(root["nodes"])))]
    twins = TWINS.get(node["op"], [])
    if twins:
        node["op"] = str(rng.choice(twins))


def _move_operand(root: dict[str, Any], rng: np.random.Generator) -> None:
    if not root["nodes"]:
        return
    node = root["nodes"][int(rng.integers(0, len(root["nodes"])))]
    if node["in"]:
        place = int(rng.integers(0, len(node["in"])))
        node["in"][place] = int(rng.integers(0, len(root["tensors"])))
