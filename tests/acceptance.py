"""The acceptance table: what is required, what was measured, in one view at the end of a run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from pathlib import Path

PROPERTY = "criterion"


class RecordCriterion(Protocol):
    """Notes one line of the table; call it before the assertion that may fail."""

    def __call__(self, item: str, *, required: str, measured: str) -> None:
        """Note what is required of an item and what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: the figures of a test and whether it passed."""

    item: str
    required: str
    measured: str
    outcome: str
    seconds: float
    test: str


def lines_of(
    properties: list[tuple[str, object]], test: str, outcome: str, seconds: float
) -> list[Line]:
    """Return the lines that a finished test has noted; one that noted none stands for itself."""
    noted = [value for name, value in properties if name == PROPERTY]
    if not noted:
        sentence = test.rpartition("::")[2].removeprefix("test_").replace("_", " ")
        noted = [(sentence, "passes", outcome)]
    lines = []
    for value in noted:
        assert isinstance(value, tuple)
        item, required, measured = value
        lines.append(
            Line(
                item=item,
                required=required,
                measured=measured,
                outcome=outcome,
                seconds=round(seconds, 1),
                test=test,
            )
        )
    return lines


def show(lines: list[Line], console: Console) -> None:
    """Print the table."""
    table = Table(title="acceptance", title_justify="left", expand=False)
    table.add_column("item", overflow="fold")
    table.add_column("required", overflow="fold")
    table.add_column("measured", overflow="fold")
    table.add_column("", no_wrap=True)
    for line in lines:
        cells = (line.item, line.required, line.measured, line.outcome)
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)


def write(lines: list[Line], path: Path) -> None:
    """Write the table as data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
