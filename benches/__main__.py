"""Measure the executor beside ONNX Runtime and write the tables.

Run: python -m benches [MODEL ...] [--batch 1 64] [--threads 1 2] [--output out/bench]

Writes OUTPUT.md and OUTPUT.json and prints the tables; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from benches import contest, machine, receipts, table
from examples.zoo import zoo
from veridical.errors import Error


def main() -> None:
    """Run the contest for each model and report."""
    parser = argparse.ArgumentParser(prog="python -m benches", description=__doc__)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names of the zoo; all if none")
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 64])
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, cores}))
    parser.add_argument("--output", type=Path, default=machine.ROOT / "out" / "bench")
    arguments = parser.parse_args()
    cases = zoo()
    unknown = [name for name in arguments.models if name not in cases]
    if unknown:
        parser.error(f"not in the zoo: {', '.join(unknown)}; it has {', '.join(cases)}")

    described = machine.describe()
    latencies: list[contest.Latency] = []
    footprints: list[contest.Footprint] = []
    costs: list[receipts.Cost] = []
    failures: dict[str, str] = {}
    for name in arguments.models or cases:
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="veridical-bench-") as folder:
            batches, threads = arguments.batch, arguments.threads
            try:
                rows, footprint, paid = contest.hold(cases[name], batches, threads, Path(folder))
            except Error as error:  # one model that does not compile must not cost the others
                failures[name] = f"{type(error).__name__}: {error}"
                continue
        latencies += rows
        footprints.append(footprint)
        costs.append(paid)

    text = table.document(described, latencies, footprints, costs, failures)
    record = {
        "machine": described,
        "latency": [asdict(row) for row in latencies],
        "footprint": [asdict(row) for row in footprints],
        "receipts": [asdict(row) for row in costs],
        "failures": failures,
    }
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    arguments.output.with_suffix(".md").write_text(text, "utf-8")
    arguments.output.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n", "utf-8")
    print(text)
    if failures:
        sys.exit(f"not measured: {', '.join(failures)}")


if __name__ == "__main__":
    main()
