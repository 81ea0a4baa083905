"""Shared lookup tables: sites with the same function and steps use one table.

A site fixes the function, the index step and the output step; its index range comes from the worst
case of its operand. Tables of equal content are merged over the union of their index ranges, as
long as every site keeps `rows * 2^shift <= p`. Source: spec/v1/program.md, sections 4.4 and 9.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from veridical.compiler import field as modulus
from veridical.compiler.expression import round_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from veridical.compiler.builder import ProgramBuilder
    from veridical.compiler.expression import Expression
    from veridical.compiler.ranges import Range


@dataclass(slots=True)
class _Group:
    """One table in the making: rows `first .. first + len(rows) - 1`."""

    expression: Expression
    index_exponent: int
    output_exponent: int
    clamp: Range
    first: int
    rows: NDArray[np.int64]
    max_shift: int
    sites: list[dict[str, Any]] = field(default_factory=list)

    def make_rows(self, first: int, last: int) -> NDArray[np.int64]:
        return round_table(
            self.expression,
            _step(self.index_exponent),
            first,
            last - first + 1,
            _step(self.output_exponent),
            *self.clamp,
        )


def _step(exponent: int) -> Fraction:
    return Fraction(1, 2**exponent) if exponent >= 0 else Fraction(2**-exponent)


@dataclass(slots=True)
class TablePool:
    """All tables of a program; `finish` stores them as consts and patches their sites."""

    groups: dict[tuple[object, ...], list[_Group]] = field(default_factory=dict)

    def add_site(
        self,
        expression: Expression,
        *,
        indices: Range,
        shift: int,
        index_exponent: int,
        output_exponent: int,
        clamp: Range,
    ) -> tuple[_Group, Range]:
        """Reserve rows for `indices` and return the group and the range of the site's results."""
        key = (expression.key(), index_exponent, output_exponent, clamp)
        groups = self.groups.setdefault(key, [])
        for group in groups:
            first = min(group.first, indices[0])
            last = max(group.first + len(group.rows) - 1, indices[1])
            count = last - first + 1
            most = max(group.max_shift, shift)
            if count <= modulus.MAX_TABLE_ROWS and count << most <= modulus.P:
                break
        else:
            group = _Group(
                expression, index_exponent, output_exponent, clamp, indices[0],
                np.zeros(0, np.int64), shift,
            )  # fmt: skip
            groups.append(group)
            first, last, most = indices[0], indices[1], shift
        old_first, old_last = group.first, group.first + len(group.rows) - 1
        if len(group.rows) == 0:
            group.rows = group.make_rows(first, last)
        else:
            parts = [group.rows]
            if first < old_first:
                parts.insert(0, group.make_rows(first, old_first - 1))
            if last > old_last:
                parts.append(group.make_rows(old_last + 1, last))
            group.rows = np.concatenate(parts)
        group.first, group.max_shift = first, most
        mine = group.rows[indices[0] - first : indices[1] - first + 1]
        return group, (int(mine.min()), int(mine.max()))

    def finish(self, builder: ProgramBuilder) -> None:
        """Store every table and point its sites at it."""
        for groups in self.groups.values():
            for group in groups:
                width = "i16" if np.abs(group.rows).max() < 2**15 else "i32"
                const = builder.add_const(group.rows, "table", dtype=width)
                for node in group.sites:
                    node["c"], node["first"] = [const], group.first
