"""The results as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benches.contest import Footprint, Latency
    from benches.receipts import Cost
    from examples.zoo import Measured

LATENCY_NOTE = """\
Medians of calls timed in turn in one process, from real input values to real output values. `f32`
and `int8` are ONNX Runtime, int8 the fastest of its variants for the row. A ratio below 1 means
that ours is faster."""

FOOTPRINT_NOTE = """\
Compile time at the default precision. Memory is the peak of a process that loads the model and
answers once, less that of one that only imports numpy. `ours` and `int8` at the end are accuracy
against float32: the metric's mean and its worst sample."""

RECEIPT_NOTE = """\
Receipts for one question. `answer` is on one thread; `verify` runs the program again, as it does by
itself on all processors. `issue` and `verify` are also given as ratios to the answer."""


def document(
    machine: Mapping[str, str],
    latencies: Sequence[Latency],
    footprints: Sequence[Footprint],
    costs: Sequence[Cost],
    failures: Mapping[str, str],
) -> str:
    """Return the whole report; `failures` are models that could not be measured."""
    not_built = {
        f"* {row.model}, {name}: {reason}"
        for row in latencies
        for name, reason in row.int8_failures.items()
    }
    parts = [
        "# Benchmark",
        "; ".join(f"{name} {value}" for name, value in machine.items() if value),
        LATENCY_NOTE,
        _latency_table(latencies),
        FOOTPRINT_NOTE,
        _footprint_table(footprints),
        RECEIPT_NOTE,
        _receipt_table(costs),
    ]
    if not_built:
        parts += ["int8 variants that ONNX Runtime could not build:", "\n".join(sorted(not_built))]
    if failures:
        lines = (f"* {name}: {reason}" for name, reason in failures.items())
        parts += ["Not measured:", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def _latency_table(rows: Sequence[Latency]) -> str:
    head = ["model", "batch", "threads", "ours", "f32", "int8", "variant", "ours/f32", "ours/int8"]
    return markdown(
        head,
        (
            (
                row.model,
                str(row.batch),
                str(row.threads),
                duration(row.ours),
                duration(row.float32),
                duration(row.int8),
                row.int8_variant,
                f"{row.ours / row.float32:.2f}",
                "-" if row.int8 is None else f"{row.ours / row.int8:.2f}",
            )
            for row in rows
        ),
    )


def _footprint_table(rows: Sequence[Footprint]) -> str:
    head = ("model", "compile", "onnx", "program", "memory", "memory f32", "metric", "ours", "int8")
    return markdown(
        head,
        (
            (
                row.model,
                duration(row.compile_seconds),
                size(row.onnx_bytes),
                size(row.program_bytes),
                size(row.ours_peak_bytes - row.numpy_peak_bytes),
                size(row.float32_peak_bytes - row.numpy_peak_bytes),
                row.metric,
                _closeness(row.ours),
                f"{_closeness(row.int8)} ({row.int8_variant})",
            )
            for row in rows
        ),
    )


def _receipt_table(rows: Sequence[Cost]) -> str:
    head = ("model", "answer", "issue", "issue/answer", "verify", "verify/answer", "receipt")
    return markdown(
        head,
        (
            (
                row.model,
                duration(row.answer),
                duration(row.issue),
                f"{row.issue / row.answer:.2f}",
                duration(row.verify),
                f"{row.verify / row.answer:.2f}",
                size(row.size_bytes),
            )
            for row in rows
        ),
    )


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def duration(seconds: float | None) -> str:
    """Return seconds in a unit that suits them."""
    if seconds is None:
        return "-"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1.0 else f"{seconds:.2f} s"


def size(count: int) -> str:
    """Return bytes in a unit that suits them."""
    return f"{count / 1e3:.1f} kB" if abs(count) < 1e6 else f"{count / 1e6:.1f} MB"


def _closeness(measured: Measured | None) -> str:
    return "-" if measured is None else f"{measured.mean:.6g} / {measured.worst:.6g}"
