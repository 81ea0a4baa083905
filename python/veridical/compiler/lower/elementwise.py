"""Unary functions: one table each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from veridical.compiler.lower.requantise import requantise
from veridical.compiler.lower.value import Value
from veridical.errors import CompileError

if TYPE_CHECKING:
    from veridical.compiler import expression as ex
    from veridical.compiler.ir import FloatNode
    from veridical.compiler.lower.context import Lowering


_WIDE_BITS = 20


def unary(low: Lowering, node: FloatNode) -> None:
    """Lower a function of one variable to an S-LUT."""
    name = node.inputs[0]
    function: ex.Expression = node.attrs["fn"]
    value = low.emitted(name)
    if node.output in low.graph.integers:
        _integer_unary(low, node, function, value)
        return
    bits = min(low.precision.activation_bits, low.operand_bits(node.output))
    low_end, high_end = low.tensor(value).range
    points = np.linspace(low_end, high_end, 4097) * float(value.gain) * 2.0**-value.exponent
    with np.errstate(all="ignore"):
        image = np.abs(function.evaluate(points))
    finite = image[np.isfinite(image)]
    worst = float(finite.max()) if finite.size else low.reach(node.output)
    reach = low.reach(node.output) * low.margin
    reach = min(reach, worst) if worst > 0.0 else reach
    if not low.wants_narrow(node.output) and low.precision.activation_bits >= 15:  # noqa: PLR2004
        # Nothing multiplies the result: it may be wide, so it need not saturate.
        bits, reach = _WIDE_BITS, max(worst, 0.0)
    low.values[node.output] = requantise(low, name, value, function, bits=bits, reach=reach)


def _integer_unary(low: Lowering, node: FloatNode, fn: ex.Expression, value: Value) -> None:
    """Lower an exact integer function of a small integer tensor (masks)."""
    first, last = low.tensor(value).range
    if last - first >= 1 << low.precision.table_bits:
        msg = f"{node.source or node.output}: integer range [{first}, {last}] exceeds a table"
        raise CompileError(msg)
    group, bounds = low.pool.add_site(
        fn,
        indices=(first, last),
        shift=0,
        index_exponent=0,
        output_exponent=0,
        clamp=(-(2**15), 2**15 - 1),
    )
    emitted = low.builder.emit(
        "table",
        [value.tensor],
        low.tensor(value).shape,
        bounds,
        shift=0,
        first=0,
        round=1,
        source=node.output,
    )
    group.sites.append(low.builder.nodes[-1])
    low.values[node.output] = Value(tensor=emitted, exponent=0)
