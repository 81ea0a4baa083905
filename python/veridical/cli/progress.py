"""A bar with the stages of a proof, on a terminal; and the tree of where time went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from veridical.cli.console import emit, terminal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from veridical.zk import Span

__all__ = ["Stages", "print_spans"]

_MILLI: Final = 1_000_000
_NAME_WIDTH: Final = 36


class Stages:
    """Follows work stage by stage: call it with the name of each stage as it begins."""

    def __init__(self, stages: Sequence[str]) -> None:
        """Expect these stages, in order; one that is not among them is shown and not counted."""
        self._stages = stages
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Show an empty bar, if anybody watches."""
        console = terminal()
        if console is not None and self._stages:
            columns = (TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn())
            self._progress = Progress(*columns, console=console, transient=True)
            # One stage has no parts to count.
            total = len(self._stages) if len(self._stages) > 1 else None
            self._task = self._progress.add_task("", total=total)
            self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, stage: str) -> None:
        """Enter a stage."""
        if self._progress is None or self._task is None:
            return
        done = self._stages.index(stage) if stage in self._stages else None
        self._progress.update(self._task, description=stage, completed=done)


def print_spans(spans: Iterable[Span]) -> None:
    """Print a tree of spans: milliseconds in all, those of no child, and calls."""
    table = Table(box=None, pad_edge=False)
    table.add_column("span", min_width=_NAME_WIDTH, no_wrap=True)
    for heading in ("ms", "own ms", "calls"):
        table.add_column(heading, justify="right")
    for span, depth in _walk(spans, 0):
        table.add_row(
            "  " * depth + span.name,
            f"{span.nanoseconds / _MILLI:.2f}",
            f"{span.own_nanoseconds / _MILLI:.2f}",
            str(span.calls),
        )
    console = Console(width=_NAME_WIDTH + 48, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        emit(line.rstrip())


def _walk(spans: Iterable[Span], depth: int) -> Iterable[tuple[Span, int]]:
    for span in spans:
        yield span, depth
        yield from _walk(span.children, depth + 1)
