"""Results: what was measured, and a file of it so that an interrupted run goes on."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from benches.contest import Latency

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

# Figures of one table come from one machine in one state: older ones are measured again.
MAX_AGE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Closeness:
    """Distance to the float model on some samples."""

    max_abs_error: float
    top1_agreement: float | None
    """Share of samples with the same greatest output; None for a single output."""
    samples: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender on one model in one setting. Units: seconds per call, bytes."""

    model: str
    kind: str
    config: str
    version: str
    threads: int
    inputs: int
    seconds: dict[str, list[float]]
    peak_bytes: dict[str, int]
    foreign_load: dict[str, float]
    """Share of all processors that other processes took, by phase."""
    facts: dict[str, Any]
    closeness: Closeness | None = None
    notes: list[str] = field(default_factory=list)
    failure: str | None = None
    is_limit: bool = False
    """Whether the failure is a limit of time or memory, which a second try would meet again."""
    identity: str
    measured_at: str

    @property
    def contender(self) -> str:
        """Name in tables."""
        return f"{self.kind} {self.config}".strip()

    @property
    def setting(self) -> tuple[str, str, int, int]:
        """What is measured, however it came out."""
        return self.model, self.contender, self.threads, self.inputs

    @property
    def prove_seconds(self) -> list[float]:
        """Time to prove, call by call: witness and proof."""
        pairs = zip(self.seconds.get("witness", ()), self.seconds.get("prove", ()), strict=False)
        return [witness + proof for witness, proof in pairs]

    @property
    def is_complete(self) -> bool:
        """Whether the proof covers the whole model."""
        return bool(self.facts.get("slices") == self.facts.get("slices_proved"))

    def median(self, stage: str) -> float | None:
        """Return the median of a stage; `total` is the time to prove."""
        values = self.prove_seconds if stage == "total" else self.seconds.get(stage, [])
        return statistics.median(values) if values else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """The same model without a proof, on the same threads and as many inputs in one call."""

    latency: Latency
    identity: str
    measured_at: str

    @property
    def setting(self) -> tuple[str, int, int]:
        """Model, threads, inputs."""
        return self.latency.model, self.latency.threads, self.latency.batch

    @property
    def fastest(self) -> float:
        """Seconds of the fastest of float32, int8 and our executor."""
        timed = (self.latency.ours, self.latency.float32, self.latency.int8)
        return min(value for value in timed if value is not None)


def best(rows: Iterable[Row], configs: Sequence[str]) -> Row | None:
    """Return the fastest row of these configurations of DSperse; complete proofs go first."""
    ranked = [
        (not row.is_complete, total, row.config, row)
        for row in rows
        if row.kind == "dsperse"
        and row.config in configs
        and (total := row.median("total")) is not None
    ]
    return min(ranked, key=lambda entry: entry[:3])[-1] if ranked else None


def now() -> str:
    """Return the time of a measurement."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Results:
    """All rows of a run, written after every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: list[Row] = []
        self.natives: list[Native] = []
        if path.exists():
            found = json.loads(path.read_text("utf-8"))
            if found.get("fields") != field_names():
                return  # written by another version of the benchmark
            self.rows, self.natives = parse(found)

    def forget(self, models: Collection[str], contenders: Collection[str]) -> None:
        """Drop what is to be measured afresh; the rest stays for another run."""
        self.rows = [
            row for row in self.rows if row.model not in models or row.contender not in contenders
        ]
        self.natives = [entry for entry in self.natives if entry.latency.model not in models]

    def find(self, setting: tuple[str, str, int, int], identity: str) -> Row | None:
        """Return what was measured of this very thing a short time ago."""
        for row in self.rows:
            is_worth_keeping = row.failure is None or row.is_limit
            if row.setting == setting and row.identity == identity and is_worth_keeping:
                return row if is_recent(row.measured_at) else None
        return None

    def find_native(self, setting: tuple[str, int, int], identity: str) -> Native | None:
        """Return the baseline of a setting, if it was measured a short time ago."""
        for native in self.natives:
            if native.setting == setting and native.identity == identity:
                return native if is_recent(native.measured_at) else None
        return None

    def put(self, row: Row) -> None:
        """Add a row in place of the one of the same setting."""
        self.rows = [old for old in self.rows if old.setting != row.setting] + [row]
        self._save()

    def put_native(self, native: Native) -> None:
        """Add a baseline in place of the one of the same setting."""
        self.natives = [old for old in self.natives if old.setting != native.setting] + [native]
        self._save()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_suffix(".tmp")
        content = {"fields": field_names(), **document(self.rows, self.natives)}
        temporary.write_text(json.dumps(content, indent=1), "utf-8")
        temporary.replace(self._path)


def field_names() -> list[str]:
    """Return the names that a file of results has to have been written with."""
    kinds = (Row, Closeness, Native, Latency)
    return [f"{kind.__name__}.{entry.name}" for kind in kinds for entry in fields(kind)]


def is_recent(measured_at: str) -> bool:
    """Say whether a figure is young enough to stand beside new ones."""
    return datetime.now(UTC) - datetime.fromisoformat(measured_at) < MAX_AGE


def document(rows: Sequence[Row], natives: Sequence[Native]) -> dict[str, Any]:
    """Return the results as JSON."""
    return {
        "rows": [asdict(row) for row in rows],
        "natives": [asdict(native) for native in natives],
    }


def parse(found: dict[str, Any]) -> tuple[list[Row], list[Native]]:
    """Return rows and baselines of a document."""
    return [_row(entry) for entry in found["rows"]], [_native(entry) for entry in found["natives"]]


def _row(entry: dict[str, Any]) -> Row:
    close = entry["closeness"]
    return Row(**entry | {"closeness": None if close is None else Closeness(**close)})


def _native(entry: dict[str, Any]) -> Native:
    return Native(**entry | {"latency": Latency(**entry["latency"])})
