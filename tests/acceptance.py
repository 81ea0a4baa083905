"""The acceptance table: what is required, what was measured, in one view at the end of a run."""

from __future__ import annotations

import ast
import json
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest import CollectReport, TestReport  # noqa: PT013 - types only

PROPERTY = "criterion"


class RecordCriterion(Protocol):
    """Notes one line of the table; call it before the assertion that may fail."""

    def __call__(self, item: str, *, required: str, measured: str) -> None:
        """Note what is required of an item and what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: a figure that a test has noted, or all tests of a file that noted none."""

    item: str
    required: str
    measured: str
    outcome: str
    seconds: float


def lines_of(reports: Iterable[TestReport | CollectReport]) -> list[Line]:
    """Return the table: figures first, then the files whose tests only pass or fail."""
    figures: list[Line] = []
    files: dict[str, list[TestReport | CollectReport]] = {}
    for report in sorted(reports, key=lambda report: report.nodeid):
        noted = [
            value for name, value in getattr(report, "user_properties", []) if name == PROPERTY
        ]
        if not noted:
            files.setdefault(report.nodeid.partition("::")[0], []).append(report)
        for item, required, measured in noted:
            figures.append(
                Line(
                    item=item,
                    required=required,
                    measured=measured,
                    outcome="missed" if hasattr(report, "wasxfail") else report.outcome,
                    seconds=seconds_of(report),
                )
            )
    return figures + [line_of_file(file, found) for file, found in files.items()]


def line_of_file(file: str, reports: Sequence[TestReport | CollectReport]) -> Line:
    """Put the tests of one file together under the first sentence that the file says of itself."""
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    sentence = (ast.get_docstring(module) or file).splitlines()[0].rstrip(".")
    counts = Counter(report.outcome for report in reports)
    worst = next(outcome for outcome in ("failed", "skipped", "passed") if counts[outcome])
    return Line(
        item=sentence,
        required="every test passes",
        measured=", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())),
        outcome=worst,
        seconds=round(sum(seconds_of(report) for report in reports), 1),
    )


def seconds_of(report: TestReport | CollectReport) -> float:
    """Return how long a test took; a file that could not be collected took none."""
    return round(getattr(report, "duration", 0.0), 1)


def show(lines: Sequence[Line], console: Console) -> None:
    """Print the table."""
    table = Table(title="acceptance", title_justify="left")
    for heading in ("item", "required", "measured"):
        table.add_column(heading, overflow="fold")
    table.add_column("", no_wrap=True)
    for line in lines:
        cells = (line.item, line.required, line.measured, line.outcome)
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)


def write(lines: Sequence[Line], path: Path) -> None:
    """Write the table as data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(line) for line in lines], indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")
