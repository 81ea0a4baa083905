"""The results as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benches.contest import Footprint, Latency
    from examples.zoo import Measured


def document(
    machine: Mapping[str, str], latencies: Sequence[Latency], footprints: Sequence[Footprint]
) -> str:
    """Return the whole report."""
    described = "; ".join(f"{name} {value}" for name, value in machine.items() if value)
    parts = [
        "# Benchmark",
        described,
        (
            "Medians of calls timed in turn in one process, from real input values to real output "
            "values. `f32` and `int8` are ONNX Runtime, int8 the fastest of its variants for the row; "
            "ratios below 1 mean that ours is faster."
        ),
        _latency_table(latencies),
        (
            "Compile time at the default precision. Peak memory of a process that loads the model and "
            "answers once, less that of one that only imports numpy. Accuracy against float32: the "
            "metric's mean and its worst sample."
        ),
        _footprint_table(footprints),
    ]
    failures = {
        f"{row.model}, {name}: {reason}"
        for row in latencies
        for name, reason in row.int8_failures.items()
    }
    if failures:
        parts.append("int8 variants that ONNX Runtime could not build:\n")
        parts.append("\n".join(f"* {line}" for line in sorted(failures)))
    return "\n\n".join(parts) + "\n"


def _latency_table(rows: Sequence[Latency]) -> str:
    lines = [
        "| model | batch | threads | ours | f32 | int8 | int8 variant | ours/f32 | ours/int8 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        int8 = "-" if row.int8 is None else _duration(row.int8)
        ratio = "-" if row.int8 is None else f"{row.ours / row.int8:.2f}"
        lines.append(
            f"| {row.model} | {row.batch} | {row.threads} | {_duration(row.ours)} "
            f"| {_duration(row.float32)} | {int8} | {row.int8_variant} "
            f"| {row.ours / row.float32:.2f} | {ratio} |"
        )
    return "\n".join(lines)


def _footprint_table(rows: Sequence[Footprint]) -> str:
    lines = [
        (
            "| model | compile | onnx | program | memory ours | memory f32 | metric | ours "
            "| int8 | int8 variant |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row.model} | {row.compile_seconds:.1f} s | {_size(row.onnx_bytes)} "
            f"| {_size(row.program_bytes)} | {_size(row.ours_peak_bytes - row.numpy_peak_bytes)} "
            f"| {_size(row.float32_peak_bytes - row.numpy_peak_bytes)} | {row.metric} "
            f"| {_closeness(row.ours)} | {_closeness(row.int8)} | {row.int8_variant} |"
        )
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1.0 else f"{seconds:.2f} s"


def _size(count: int) -> str:
    return f"{count / 1e3:.1f} kB" if abs(count) < 1e6 else f"{count / 1e6:.1f} MB"


def _closeness(measured: Measured | None) -> str:
    return "-" if measured is None else f"{measured.mean:.6g} / {measured.worst:.6g}"
