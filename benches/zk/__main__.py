"""Measure succinct proofs: ours, EZKL and DSperse, beside running without a proof.

Run: python -m benches.zk [MODEL ...] [--peers ezkl,dsperse] [--repeats 5] [--resume]

Writes OUTPUT.md, OUTPUT.json and OUTPUT.png and prints the tables; progress goes to stderr. Figures
are kept in .cache/bench-zk: with --resume those of the last 24 hours that were measured on this
machine, from the same files and with the same code, are not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from benches import machine
from benches.zk import plot, report
from benches.zk.cases import Kind, entries
from benches.zk.contenders import DSPERSE_CONFIGS, contenders
from benches.zk.environments import CACHE, UnavailableError
from benches.zk.limits import Limits
from benches.zk.measure import Attempt, Plan, measure_native
from benches.zk.record import Results, document
from veridical.errors import Error

if TYPE_CHECKING:
    from benches.zk.contenders import Contender
    from benches.zk.record import Native, Row

PEERS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "veridical")
# A peer that takes more of the machine than this brings down what measures it.
MEMORY_SHARE = 0.92


def main() -> None:
    """Measure model by model and report."""
    arguments = _arguments()
    # Ended politely, it ends what it has started, and leaves the rest for --resume.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    models = arguments.models or list(entries())
    chosen = {name: entries()[name] for name in models}
    described = machine.describe()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    plan = Plan(
        threads=arguments.threads,
        inputs=arguments.inputs,
        repeats=arguments.repeats,
        slow_seconds=arguments.slow_seconds,
        limits=Limits(
            seconds=arguments.time_limit,
            memory_bytes=int(arguments.memory_limit * 1e9) or int(memory * MEMORY_SHARE),
        ),
    )
    kinds = [*(() if arguments.without_ours else ("veridical",)), *arguments.peers]
    available, remarks = _available(contenders(kinds, arguments.dsperse_configs))
    results = Results(CACHE / "results.json")
    if not arguments.resume:
        results.forget(chosen, {contender.name for contender, _ in available})
    (ours,) = contenders(["veridical"], [])
    rows: list[Row] = []
    natives: list[Native] = []
    failures: list[str] = []
    for name, entry in chosen.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            natives += measure_native(entry, plan.settings(ours, entry), results, ours.identity())
        except Error as error:  # one model that does not compile must not cost the others
            failures.append(f"{name}: {type(error).__name__}: {error}")
            continue
        for contender, python in available:
            if contender.kind in entry.kinds:
                rows += Attempt(contender, entry, plan).measure(results, python)

    points = plot.lines(rows, natives)
    output: Path = arguments.output
    output.parent.mkdir(parents=True, exist_ok=True)
    picture = output.with_suffix(".png") if points else None
    if picture is not None:
        plot.draw(points, picture, subtitle=described["processor"])
    remarks += failures
    name = None if picture is None else picture.name
    text = report.text(described, rows, natives, remarks, name)
    record = {
        "machine": described,
        **document(rows, natives),
        "overheads": report.overheads(rows, natives),
        "not_measured": remarks,
    }
    output.with_suffix(".md").write_text(text, "utf-8")
    output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(text)
    failures += [f"{row.model}, {row.contender}" for row in rows if row.failure is not None]
    if failures:
        sys.exit(f"not measured: {'; '.join(failures)}")


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
