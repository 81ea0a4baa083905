"""The picture: overhead of a proof against the width of an MLP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benches.zk.cases import WIDTH_LAYERS, entries
from benches.zk.contenders import SUCCINCT
from benches.zk.record import best
from benches.zk.report import overhead

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benches.zk.record import Native, Row

Line = list[tuple[int, float]]
MARKERS = "os^vD"


def lines(rows: Sequence[Row], natives: Sequence[Native]) -> dict[str, Line]:
    """Return (width, overhead) points by contender, threads and inputs, widths ascending."""
    found: dict[str, Line] = {}
    widths = {name: entry.width for name, entry in entries().items() if entry.width is not None}
    for native in sorted(natives, key=lambda entry: widths.get(entry.latency.model, 0)):
        model, threads, inputs = native.setting
        if model not in widths:
            continue
        here = [row for row in rows if (row.model, row.threads, row.inputs) == native.setting]
        shown = {row.kind: row for row in here if row.kind != "dsperse"}
        dsperse = best(here, SUCCINCT)
        if dsperse is not None:
            shown["dsperse"] = dsperse
        for kind, row in shown.items():
            value = overhead(row, native)
            if value is not None:
                label = f"{kind}, {_counted(threads, 'thread')}, {_counted(inputs, 'input')}"
                found.setdefault(label, []).append((widths[model], value))
    return found


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def draw(points: dict[str, Line], path: Path, *, subtitle: str) -> None:
    """Draw the lines as one PNG."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    mpl.use("Agg")
    figure = Figure(figsize=(7.0, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for i_line, (label, line) in enumerate(sorted(points.items())):
        widths, values = zip(*line, strict=True)
        axes.plot(widths, values, marker=MARKERS[i_line % len(MARKERS)], ms=5, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({width for line in points.values() for width, _ in line})
    axes.set_xticks(ticks, [str(width) for width in ticks])
    axes.set_xlabel(f"width of each of {WIDTH_LAYERS} layers")
    axes.set_ylabel("time to prove / fastest run without a proof")
    axes.set_title(f"Overhead of a succinct proof\n{subtitle}", fontsize=10)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130, format="png")
