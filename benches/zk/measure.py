"""Measure one contender on one model: each phase a process of its own, one at a time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime as ort

from benches import baseline, contest, machine
from benches.subject import Subject
from benches.zk import limits
from benches.zk.cases import flat_rows, rewrite_relu
from benches.zk.environments import CACHE
from benches.zk.record import Closeness, Native, Row, now
from benches.zk.stages import Job
from examples.zoo import float_outputs, num_samples, take

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benches.zk.cases import Entry
    from benches.zk.contenders import Contender
    from benches.zk.record import Results
    from benches.zk.stages import Phase

NUM_CALIBRATION = 8
NUM_JUDGED = 20
# A model of this size is proved one input at a time.
MAX_LARGE_INPUTS = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of every contender."""

    threads: Sequence[int]
    inputs: Sequence[int]
    """Inputs in one proof; a peer proves one."""
    repeats: int
    slow_seconds: float
    limits: limits.Limits

    def settings(self, contender: Contender, entry: Entry) -> list[tuple[int, int]]:
        """Return (threads, inputs) pairs, most threads first; a peer has one, on most threads."""
        if contender.kind != "veridical":
            return [(max(self.threads), 1)]
        inputs = list(self.inputs)
        if entry.case.is_large:
            inputs = [count for count in inputs if count <= MAX_LARGE_INPUTS]
        return [(count, many) for count in sorted(self.threads, reverse=True) for many in inputs]


class _PhaseError(Exception):
    """A phase failed or met a limit."""

    def __init__(self, phase: Phase, reason: str) -> None:
        super().__init__(f"{phase}: {reason}")
        self.is_limit = reason.startswith("took more than")


class Attempt:
    """One contender on one model, with the files that its phases leave to each other."""

    def __init__(self, contender: Contender, entry: Entry, plan: Plan) -> None:
        self.contender = contender
        self.entry = entry
        self.plan = plan
        self.options = contender.options | entry.options.get(contender.kind, {})
        measured = contender.identity() + json.dumps(self.options, sort_keys=True)
        self.identity = identity(measured, entry.case.path(), plan.repeats)
        self.foreign_load: dict[str, float] = {}
        self.folder = CACHE / "work" / contender.name.replace(" ", "-") / entry.case.name

    def measure(self, results: Results, python: Path) -> list[Row]:
        """Return the rows of all settings; those that the results lack are measured first."""
        rows: list[Row] = []
        is_prepared = False
        for setting in self.plan.settings(self.contender, self.entry):
            row = results.find((self.entry.case.name, self.contender.name, *setting), self.identity)
            if row is None:
                try:
                    if not is_prepared:
                        self._prepare(python)
                        is_prepared = True
                    row = self._prove(python, setting)
                except _PhaseError as error:
                    row = self._row(setting, failure=error)
                results.put(row)
            rows.append(row)
            if row.failure is not None and row.failure.startswith(("compile", "setup")):
                break  # there is nothing to prove with in the other settings either
        shutil.rmtree(self.folder, ignore_errors=True)  # keys of a peer take gigabytes
        return rows

    def _prepare(self, python: Path) -> None:
        """Compile and set up on most threads, unless an interrupted run has done so."""
        mark = self.folder / "identity"
        if not mark.exists() or mark.read_text("utf-8") != self.identity:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            mark.write_text(self.identity, "utf-8")
        for phase in self.contender.phases:
            if phase in {"compile", "setup"} and not self._result(phase).get("done"):
                self._run(python, phase, max(self.plan.threads), 1)

    def _prove(self, python: Path, setting: tuple[int, int]) -> Row:
        for phase in ("prove", "verify"):
            (self.folder / f"{phase}.json").unlink(missing_ok=True)
        self._run(python, "prove", *setting)
        self._run(python, "verify", *setting)
        return self._row(setting)

    def _run(self, python: Path, phase: Phase, threads: int, inputs: int) -> None:
        case = self.entry.case
        name = f"{case.name}, {self.contender.name}, {threads} thread(s), {inputs} input(s)"
        print(f"  {name}: {phase} ...", file=sys.stderr, flush=True)
        model = self.folder / "model.onnx"
        if not model.exists() and self.contender.kind == "dsperse":
            rewrite_relu(case.path(), model)
        elif not model.exists():
            shutil.copyfile(case.path(), model)
        is_peer = self.contender.kind != "veridical"
        options = self.options if is_peer else self.options | self._write_samples()
        cpus = sorted(os.sched_getaffinity(0))[-threads:]
        job = Job(
            case=case.name,
            model=str(model),
            folder=str(self.folder),
            srs_folder=str(CACHE / "srs"),
            calibration=flat_rows(case.calibration(), NUM_CALIBRATION) if is_peer else [],
            judged=flat_rows(case.test(), NUM_JUDGED) if is_peer else [],
            threads=threads,
            cpus=cpus,
            inputs=inputs,
            repeats=self.plan.repeats,
            slow_seconds=self.plan.slow_seconds,
            options=options,
        )
        path = self.folder / "job.json"
        job.save(path)
        outcome = limits.run(
            [str(python), "-m", self.contender.driver, phase, str(path)],
            cwd=machine.ROOT,
            env=os.environ | {"RAYON_NUM_THREADS": str(threads)},
            log=self.folder / f"{phase}.log",
            limits=self.plan.limits,
        )
        self.foreign_load[phase] = outcome.foreign_load
        if outcome.failure is not None:
            raise _PhaseError(phase, outcome.failure)

    def _write_samples(self) -> dict[str, Any]:
        """Write what our driver reads, so that it need not load the float model's tools."""
        case = self.entry.case
        rows = baseline.repeat(case.test(), 0, max(*self.plan.inputs, NUM_JUDGED))
        for name, samples in (("calibration", case.calibration()), ("test", rows)):
            path = self.folder / f"{name}.npz"
            if not path.exists():
                np.savez(path, allow_pickle=False, **samples)
        judged = min(NUM_JUDGED, num_samples(case.test()))
        return {"dims": dict(case.dims), "judged": judged}

    def _result(self, phase: Phase) -> dict[str, Any]:
        path = self.folder / f"{phase}.json"
        if not path.exists():
            return {}
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return document

    def _row(self, setting: tuple[int, int], *, failure: _PhaseError | None = None) -> Row:
        phases = {phase: self._result(phase) for phase in self.contender.phases}
        seconds: dict[str, list[float]] = {}
        facts: dict[str, Any] = {}
        for result in phases.values():
            seconds |= result.get("seconds", {})
            facts |= result.get("facts", {})
        outputs = facts.pop("outputs", None)
        note = self.entry.notes.get(self.contender.kind)
        return Row(
            model=self.entry.case.name,
            kind=self.contender.kind,
            config=self.contender.config,
            version=self.contender.version,
            threads=setting[0],
            inputs=setting[1],
            seconds=seconds,
            peak_bytes={name: r["peak_bytes"] for name, r in phases.items() if "peak_bytes" in r},
            foreign_load=dict(self.foreign_load),
            facts=facts,
            closeness=None if outputs is None else closeness(self.entry, outputs),
            notes=[] if note is None else [note],
            failure=None if failure is None else str(failure),
            is_limit=failure is not None and failure.is_limit,
            identity=self.identity,
            measured_at=now(),
        )


def closeness(entry: Entry, outputs: list[list[float]]) -> Closeness:
    """Compare outputs of the first test samples with the float model's."""
    actual = np.array(outputs)
    samples = take(entry.case.test(), slice(0, len(actual)))
    expected = next(iter(float_outputs(entry.case, samples).values())).reshape(len(actual), -1)
    actual = actual.reshape(expected.shape)
    top1 = None
    if expected.shape[1] > 1:
        top1 = float((expected.argmax(axis=1) == actual.argmax(axis=1)).mean())
    return Closeness(
        max_abs_error=float(np.abs(expected - actual).max()),
        top1_agreement=top1,
        samples=len(actual),
    )


def measure_native(
    entry: Entry, settings: Sequence[tuple[int, int]], results: Results, ours: str
) -> list[Native]:
    """Time the model without a proof in every setting; `ours` identifies our executor."""
    case = entry.case
    name = identity(f"{ours} {ort.__version__} resident", case.path(), 0)
    places = [(case.name, *setting) for setting in settings]
    missing = [place for place in places if results.find_native(place, name) is None]
    if missing:
        print(f"  {case.name}: without a proof ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="veridical-bench-zk-") as folder:
            subject = Subject.compile(case, Path(folder))
            for inputs in sorted({inputs for _, _, inputs in missing}):
                variants, _ = baseline.candidates(case, inputs, Path(folder))
                counts = [threads for _, threads, many in missing if many == inputs]
                raced = contest.race(case, subject, variants, inputs, counts, resident=True)
                for latency in raced:
                    results.put_native(Native(latency=latency, identity=name, measured_at=now()))
    found = (results.find_native(place, name) for place in places)
    return [native for native in found if native is not None]


def identity(measured: str, model: Path, repeats: int) -> str:
    """Digest of all that a figure depends on: code, model, machine, number of calls."""
    described = machine.describe()
    parts = [measured, _digest(model), str(repeats)]
    parts += [described[name] for name in ("processor", "cores", "memory", "system")]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
