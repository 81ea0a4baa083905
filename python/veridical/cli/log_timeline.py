"""A picture of an audit: what became of the intents of each stream, over time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from veridical.errors import InputError
from veridical.tlog.audit import Audit, StreamAudit

__all__ = ["draw"]

#: The year 2200 and all after it: an entry may name a time that no calendar can.
_LATEST = 7_258_118_400
#: Streams in one picture; the largest are drawn.
MAX_STREAMS = 24
#: Told apart by shape as well as by colour.
_KINDS = {
    "result": ("#1b7837", "."),
    "void": ("#c51b7d", "x"),
    "open": ("#e08214", "^"),
}


def draw(report: Audit, path: Path) -> None:
    """Draw one row for each stream: time of the intent across, its number upwards.

    Raises:
        InputError: the file cannot be written, or there is nothing to draw.
    """
    streams = sorted(report.streams.values(), key=lambda one: -len(one.intents))[:MAX_STREAMS]
    if not streams:
        raise InputError("the log has no intent to draw", where=str(path))
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 1.2 + 1.6 * len(streams)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(streams), 1, sharex=True, squeeze=False)[:, 0]
    broken = {finding.leaf for finding in report.findings}
    for axis, stream in zip(axes, streams, strict=True):
        for kind, (colour, marker) in _KINDS.items():
            times, numbers = _points(stream, kind)
            axis.plot(times, numbers, marker, color=colour, label=f"{kind} ({len(times)})")
        marked = [one for one in stream.intents if one.leaf in broken]
        where: Any = [_when(one.time) for one in marked]
        numbers = [one.number for one in marked]
        label = f"finding ({len(marked)})"
        axis.plot(where, numbers, "s", mfc="none", color="red", ms=9, label=label)
        axis.set_title(
            f"{stream.stream}: {stream.void_rate:.1%} of closed intents are void",
            loc="left",
            fontsize=9,
            parse_math=False,  # a stream may be named like a formula
        )
        axis.set_ylabel("number")
        axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8, frameon=False)
    axes[-1].set_xlabel("time of the intent, as the provider says (UTC)")
    try:
        figure.savefig(path, dpi=120)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot draw: {error}", where=str(path)) from error


def _points(stream: StreamAudit, kind: str) -> tuple[Any, list[int]]:
    chosen = [
        one
        for one in stream.intents
        if kind == ("open" if one.closing is None else "void" if one.closing.reason else "result")
    ]
    return [_when(one.time) for one in chosen], [one.number for one in chosen]


def _when(seconds: int) -> datetime:
    return datetime.fromtimestamp(min(seconds, _LATEST), UTC)
