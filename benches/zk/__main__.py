"""Measure succinct proofs: ours, EZKL and DSperse, beside running without a proof.

Run: python -m benches.zk [MODEL ...] [--peers dsperse,ezkl] [--repeats 5] [--resume]
     python -m benches.zk --report-only out/bench-zk.json --output docs/measurements-zk

Writes OUTPUT.md, OUTPUT.json and OUTPUT.png and prints the tables; progress goes to stderr. Figures
are kept in .cache/bench-zk: with --resume those of the last 24 hours that were measured on this
machine, from the same files and with the same code, are not measured again. Ours are measured on
all models first, and the slowest peer last; the report is written after each. With --report-only
nothing is measured: the report is written again from the figures of one.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benches import machine
from benches.zk import bars, plot, report
from benches.zk.cases import Kind, entries
from benches.zk.contenders import DSPERSE_CONFIGS, RAW, contenders
from benches.zk.environments import CACHE, UnavailableError
from benches.zk.limits import Limits
from benches.zk.measure import Attempt, Plan, measure_native
from benches.zk.record import Results, document, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from benches.zk.cases import Entry
    from benches.zk.contenders import Contender
    from benches.zk.record import Native, Row

PEERS: tuple[Kind, ...] = ("dsperse", "ezkl")
# A peer that takes more of the machine than this brings down what measures it.
MEMORY_SHARE = 0.92


@dataclass(slots=True, kw_only=True)
class Findings:
    """All that a report is written from."""

    machine: dict[str, str]
    rows: list[Row] = field(default_factory=list)
    natives: list[Native] = field(default_factory=list)
    not_measured: list[str] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Findings:
        """Read what `write` wrote."""
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        rows, natives = parse(found)
        return cls(
            machine=found["machine"],
            rows=rows,
            natives=natives,
            not_measured=found["not_measured"],
        )

    def text(self, picture: str | None) -> str:
        """Return the tables; `picture` is the plot's file, None if there is nothing to draw."""
        rows = _in_order(self.rows)
        return report.text(self.machine, rows, self.natives, self.not_measured, picture)

    def write(self, output: Path) -> str:
        """Write tables, data and picture beside each other; return the tables."""
        points = plot.lines(self.rows, self.natives)
        output.parent.mkdir(parents=True, exist_ok=True)
        picture = output.with_suffix(".png") if points else None
        if picture is not None:
            plot.draw(points, picture, subtitle=self.machine["processor"])
        text = self.text(None if picture is None else picture.name)
        record = {
            "machine": self.machine,
            "bars": [asdict(judged) for judged in bars.judge(self.rows, self.natives)],
            "overheads": report.overheads(self.rows, self.natives),
            "not_measured": self.not_measured,
            **document(_in_order(self.rows), self.natives),
        }
        output.with_suffix(".md").write_text(text, "utf-8")
        output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
        return text


def _in_order(rows: list[Row]) -> list[Row]:
    """Return rows model by model; of one model, provers stay in the order they were measured."""
    order = {name: i for i, name in enumerate(entries())}
    return sorted(rows, key=lambda row: order[row.model])


def main() -> None:
    """Measure prover by prover, model by model, and report."""
    arguments = _arguments()
    if arguments.report_only is not None:
        print(Findings.load(arguments.report_only).write(arguments.output))
        return
    # Ended politely, it ends what it has started, and leaves the rest for --resume.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    findings = Findings(machine=machine.describe())
    failures = _measure(arguments, findings)
    findings.not_measured += failures
    print(findings.write(arguments.output))
    failures += [f"{row.model}, {row.contender}" for row in findings.rows if row.failure]
    if failures:
        sys.exit(f"not measured: {'; '.join(failures)}")


def _measure(arguments: argparse.Namespace, findings: Findings) -> list[str]:
    """Add what is asked for to the findings; return what failed."""
    chosen = {name: entries()[name] for name in arguments.models or entries()}
    plan = _plan(arguments)
    kinds = [*(() if arguments.without_ours else ("veridical",)), *arguments.peers]
    available, findings.not_measured = _available(contenders(kinds, arguments.dsperse_configs))
    results = Results(CACHE / "results.json")
    if not arguments.resume:
        results.forget(chosen, {contender.name for contender, _ in available})
    (ours,) = contenders(["veridical"], [])
    failures: list[str] = []

    def native(entry: Entry) -> None:
        settings = plan.settings(ours, entry)
        findings.natives += measure_native(entry, settings, results, ours.identity())

    def proofs(entry: Entry, contender: Contender, python: Path) -> None:
        findings.rows += Attempt(contender, entry, plan).measure(results, python)

    for kind, group in groupby(available, key=lambda pair: pair[0].kind):
        members = list(group)
        for name, entry in chosen.items():
            print(f"{name}, {kind} ...", file=sys.stderr, flush=True)
            if kind == available[0][0].kind:
                _guarded(f"{name}, without a proof", failures, lambda: native(entry))  # noqa: B023 - called at once
            for contender, python in members:
                if _is_measured(contender, entry):
                    where = f"{name}, {contender.name}"
                    _guarded(where, failures, lambda: proofs(entry, contender, python))  # noqa: B023 - called at once
        findings.write(arguments.output)
    return failures


def _guarded(where: str, failures: list[str], call: Callable[[], None]) -> None:
    """Call; note an error: what fails on one model must not cost the others."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - of peers, files or ours: all are told in the report
        failures.append(f"{where}: {type(error).__name__}: {error}")
        print(failures[-1], file=sys.stderr, flush=True)


def _is_measured(contender: Contender, entry: Entry) -> bool:
    """Say whether a prover is given a model; a raw proof adds nothing to the plot."""
    return contender.kind in entry.kinds and (entry.width is None or contender.config not in RAW)


def _plan(arguments: argparse.Namespace) -> Plan:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Plan(
        threads=arguments.threads,
        inputs=arguments.inputs,
        repeats=arguments.repeats,
        slow_seconds=arguments.slow_seconds,
        limits=Limits(
            seconds=arguments.time_limit,
            memory_bytes=int(arguments.memory_limit * 1e9) or int(memory * MEMORY_SHARE),
        ),
    )


def _available(wanted: list[Contender]) -> tuple[list[tuple[Contender, Path]], list[str]]:
    """Return the contenders that can be measured here, and a sentence for each that cannot."""
    found: list[tuple[Contender, Path]] = []
    reasons: dict[str, None] = {}
    for contender in wanted:
        try:
            found.append((contender, contender.python()))
        except UnavailableError as error:
            if str(error) not in reasons:
                print(error, file=sys.stderr, flush=True)
            reasons[str(error)] = None
    return found, list(reasons)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benches.zk",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("models", nargs="*", metavar="MODEL", help="all if none is named")
    parser.add_argument("--peers", type=_names, default=list(PEERS), help="empty for none")
    parser.add_argument("--dsperse-configs", type=_names, default=list(DSPERSE_CONFIGS))
    parser.add_argument("--without-ours", action="store_true", help="measure peers only")
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, cores}))
    parser.add_argument(
        "--inputs", nargs="+", type=int, default=[1, 64], help="in one proof of ours"
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument(
        "--slow-seconds", type=float, default=60.0, help="not repeated from here on"
    )
    parser.add_argument("--time-limit", type=float, default=3600.0, help="seconds of one phase")
    parser.add_argument(
        "--memory-limit", type=float, default=0.0, help="GB; 0: most of the machine"
    )
    parser.add_argument(
        "--report-only", type=Path, metavar="JSON", help="measure nothing; report these figures"
    )
    parser.add_argument("--resume", action="store_true", help="keep what is measured already")
    parser.add_argument("--output", type=Path, default=machine.ROOT / "out" / "bench-zk")
    arguments = parser.parse_args()
    for known, named in (
        (tuple(entries()), arguments.models),
        (PEERS, arguments.peers),
        (DSPERSE_CONFIGS, arguments.dsperse_configs),
    ):
        unknown = [name for name in named if name not in known]
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return arguments


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


if __name__ == "__main__":
    main()
