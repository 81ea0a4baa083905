"""One side of a condition and the other: how the cases are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.differential.draft import Draft
from veridical.reference.graph import MAX_MAGNITUDE

M = MAX_MAGNITUDE
WIDE = (-M, M)


class Case(NamedTuple):
    """`build(False)` is valid; `build(True)` fails the check of that name."""

    name: str
    check: str
    build: Callable[[bool], Draft]


CASES: list[Case] = []


def case(name: str, check: str, build: Callable[[bool], Draft]) -> None:
    CASES.append(Case(name, check, build))


def one(
    op: str,
    operands: list[tuple[tuple[int, ...], int, int]],
    shape: tuple[int, ...],
    bounds: tuple[int, int] = WIDE,
    consts: list[tuple[str, str, Any]] | None = None,
    /,
    **attributes: Any,
) -> Draft:
    """Return a program of one node, with the shape and range that are told."""
    draft = Draft()
    for operand in operands:
        draft.add_input(*operand)
    ids = [draft.add_const(*const) for const in consts or []]
    draft.add_output(
        draft.add_raw_node(op, list(range(len(operands))), ids, bounds, shape, **attributes)
    )
    return draft


def weight(dtype: str, values: Any) -> tuple[str, str, Any]:
    return ("weight", dtype, values)


def table(values: Any, dtype: str = "i16") -> tuple[str, str, Any]:
    return ("table", dtype, values)
