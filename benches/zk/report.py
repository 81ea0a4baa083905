"""The results as Markdown."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, get_args

from benches.table import duration, markdown, size
from benches.zk import bars
from benches.zk.contenders import RAW, SUCCINCT
from benches.zk.record import best

# From here on a reader is told that the machine was shared.
NOTABLE_LOAD = 0.05

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benches.zk.record import Native, Row

PROVING_NOTE = """\
Succinct proofs: one process for each phase, one phase at a time. `to prove` is witness and proof
together, the median of the calls, beside it the least, the greatest and how many; a call that
takes over a minute is made once. Ours is verified as a receipt, every check included. `set-up`
makes keys, or commits to the weights; `compile` goes from ONNX to circuit or program, calibration
included; both on most threads. DSperse has no keys. Memory is the peak of the proving process,
interpreter and libraries included. One thread means that the process is pinned to one processor.
Error is against float32: the greatest absolute difference, and the share of samples with the same
greatest output. DSperse returns the float model's output, not its circuit's, so its error cannot
be seen. It is given ReLU as Max(x, 0): as "Relu" it would not prove it. Its verifier reads files
of witnesses beside the proofs; the second number is their size."""

BARS_NOTE = """\
What proving has to reach on two processors, and what was measured here. Peers run on the same
threads and ONNX files. A proof that leaves parts of a model out is not compared."""

LIMITS_NOTE = """\
## What the figures do not show

* Proofs of ours show integrity; they hide nothing. EZKL's system hides what is not public. What
  hiding would cost is not in these figures.
* EZKL's proofs are a few kB and rest on a reference string whose maker could forge: the one used
  here was made on this machine, for measuring only. Ours rest on a hash function, and are larger.
* Soundness is computed for ours alone. DSperse proves slice by slice; that the end of a slice is
  the beginning of the next was not examined, and its raw configurations put all values into the
  proof.
* Every prover is given the first test sample; ours the first 64 as well. One proof of a peer for
  many inputs was not tried.
* The models of the plot have random weights and are measured for their width alone.
* One machine with few processors: nothing here says how a prover scales to many.
* A figure of a single call has no spread. Where the remarks name other processes, take it as an
  upper bound."""

RATIO_NOTE = """\
Times to prove on the same threads. DSperse is in the faster of its configurations with a polynomial
commitment; the raw ones put all values into the proof. A ratio above 1 means that ours is faster. A
star means that slices of the model are not proved."""

OVERHEAD_NOTE = """\
Overhead: time to prove over the time of the same model on the same inputs without a proof, on as
many threads. The executor is ours; int8 is the fastest of ONNX Runtime's variants, whose files are
given the number of inputs as their batch and whose inputs are bound beforehand. `overhead` is over
the fastest of the three, beside it ours over each. Where a run takes microseconds the ratio
says little: look at the time to prove."""


def text(
    machine: Mapping[str, str],
    rows: Sequence[Row],
    natives: Sequence[Native],
    unavailable: Iterable[str],
    picture: str | None,
) -> str:
    """Return the whole report."""
    done = [row for row in rows if row.prove_seconds]
    times = sorted({e.measured_at for e in rows} | {e.measured_at for e in natives})
    parts = [
        "# Succinct proofs: measurements",
        "Written by `make bench-zk` on the machine named here; on another one compare the ratios.",
        "; ".join(f"{name} {value}" for name, value in machine.items() if value),
    ]
    if times:
        parts.append(f"Measured from {times[0]} to {times[-1]}.")
    versions = sorted({f"{row.kind} {row.version}" for row in rows})
    if versions:
        parts.append(f"Contenders: {'; '.join(versions)}.")
    parts += ["## Bars", BARS_NOTE, *_bars(bars.judge(rows, natives))]
    parts += ["## Time, size, memory", PROVING_NOTE, _proving(done)]
    parts += ["## Beside the others", RATIO_NOTE, _ratios(done)]
    parts += ["## Overhead", OVERHEAD_NOTE, _overheads(done, natives)]
    if picture is not None:
        parts.append(f"![overhead against width]({picture})")
    remarks = [*_remarks(rows), *(f"* {reason}" for reason in unavailable)]
    if remarks:
        parts += ["## Remarks", "\n".join(remarks)]
    parts.append(LIMITS_NOTE)
    return "\n\n".join(parts) + "\n"


def _bars(judged: Sequence[bars.Judged]) -> tuple[str, str]:
    """Return a sentence that counts, and the table."""
    counts = Counter(entry.outcome for entry in judged)
    head = ("bar", "required", "measured", "")
    lines = ((entry.item, entry.required, entry.measured, entry.outcome) for entry in judged)
    counted = ", ".join(f"{counts[name]} {name}" for name in get_args(bars.Outcome))
    return f"{len(judged)} lines: {counted}.", markdown(head, lines)


def overhead(row: Row, native: Native | None) -> float | None:
    """Return the time to prove over the fastest run without a proof."""
    total = row.median("total")
    return None if native is None or total is None else total / native.fastest


def _proving(rows: Sequence[Row]) -> str:
    head = (
        *("model", "prover", "threads", "inputs", "to prove", "least-greatest (calls)", "verify"),
        *("proof", "memory", "set-up", "compile", "error, top 1 (samples)"),
    )
    return markdown(head, (_proving_cells(row) for row in rows))


def _proving_cells(row: Row) -> Sequence[str]:
    totals = row.prove_seconds
    peak = row.peak_bytes.get("prove")
    return (
        row.model,
        row.contender + ("" if row.is_complete else " *"),
        str(row.threads),
        str(row.inputs),
        duration(row.median("total")),
        f"{duration(min(totals))}-{duration(max(totals))} ({len(totals)})",
        duration(row.median("verify")),
        _proof_size(row),
        "-" if peak is None else size(peak),
        duration(row.median("setup")),
        duration(row.median("compile")),
        _error(row),
    )


def _proof_size(row: Row) -> str:
    proof, beside = row.facts.get("proof_bytes"), row.facts.get("witness_bytes")
    if proof is None:
        return "-"
    return size(proof) if beside is None else f"{size(proof)} + {size(beside)}"


def _error(row: Row) -> str:
    if row.closeness is None:
        return "-"
    top1 = row.closeness.top1_agreement
    shown = "" if top1 is None else f", {top1:.3g}"
    return f"{row.closeness.max_abs_error:.2g}{shown} ({row.closeness.samples})"


def _ratios(rows: Sequence[Row]) -> str:
    head = (
        "model",
        "threads",
        "ours",
        "EZKL",
        "EZKL/ours",
        "DSperse",
        "DSperse/ours",
        "DSperse raw",
        "raw/ours",
    )
    single = [row for row in rows if row.inputs == 1]
    lines = []
    for model, threads in dict.fromkeys((row.model, row.threads) for row in single):
        here = [row for row in single if (row.model, row.threads) == (model, threads)]
        ours = next((row for row in here if row.kind == "veridical"), None)
        ezkl = next((row for row in here if row.kind == "ezkl"), None)
        cells = [model, str(threads), "-" if ours is None else duration(ours.median("total"))]
        for peer in (ezkl, best(here, SUCCINCT), best(here, RAW)):
            cells += _against(ours, peer)
        if any(row.kind != "veridical" for row in here):
            lines.append(cells)
    return markdown(head, lines)


def _against(ours: Row | None, peer: Row | None) -> tuple[str, str]:
    if peer is None:
        return "-", "-"
    total = peer.median("total")
    own = None if ours is None else ours.median("total")
    config = peer.config and f" ({peer.config}{'' if peer.is_complete else ' *'})"
    ratio = "-" if own is None or total is None else f"{total / own:.3g}"
    return duration(total) + config, ratio


def overheads(rows: Sequence[Row], natives: Sequence[Native]) -> list[dict[str, object]]:
    """Return each setting with what running without a proof takes, and the ratios to it."""
    found: list[dict[str, object]] = []
    for native in natives:
        model, threads, inputs = native.setting
        timed = native.latency
        for row in rows:
            total = row.median("total")
            if (row.model, row.threads, row.inputs) != native.setting or total is None:
                continue
            baselines = {"float32": timed.float32, "int8": timed.int8, "executor": timed.ours}
            found.append(
                {
                    "model": model,
                    "threads": threads,
                    "inputs": inputs,
                    "prover": row.contender,
                    "is_complete": row.is_complete,
                    "prove_seconds": total,
                    "without_proof_seconds": baselines,
                    "overhead": total / native.fastest,
                    "overhead_of": {
                        name: None if value is None else total / value
                        for name, value in baselines.items()
                    },
                }
            )
    return found


def _overheads(rows: Sequence[Row], natives: Sequence[Native]) -> str:
    head = (
        *("model", "inputs", "threads", "float32", "int8", "executor", "to prove", "overhead"),
        *("/float32", "/int8", "/executor", "EZKL's", "DSperse's"),
    )
    lines = []
    for native in natives:
        model, threads, inputs = native.setting
        here = [row for row in rows if (row.model, row.threads, row.inputs) == native.setting]
        ours = next((row for row in here if row.kind == "veridical"), None)
        ezkl = next((row for row in here if row.kind == "ezkl"), None)
        timed = native.latency
        total = None if ours is None else ours.median("total")
        lines.append(
            (
                model,
                str(inputs),
                str(threads),
                duration(timed.float32),
                f"{duration(timed.int8)} ({timed.int8_variant})",
                duration(timed.ours),
                duration(total),
                _times(ours, native),
                *(_over(total, base) for base in (timed.float32, timed.int8, timed.ours)),
                *(_times(row, native) for row in (ezkl, best(here, SUCCINCT))),
            )
        )
    return markdown(head, lines)


def _over(total: float | None, base: float | None) -> str:
    return "-" if total is None or base is None else f"{total / base:.3g}"


def _times(row: Row | None, native: Native) -> str:
    value = None if row is None else overhead(row, native)
    return "-" if row is None or value is None else f"{value:.3g}{'' if row.is_complete else ' *'}"


def _remarks(rows: Sequence[Row]) -> list[str]:
    remarks: dict[str, None] = {}
    for row in rows:
        where = f"{row.model}, {row.contender}"
        for note in row.notes:
            remarks[f"* {where}: {note}"] = None
        if not row.is_complete:
            proved, slices = row.facts.get("slices_proved"), row.facts.get("slices")
            remarks[f"* {where}: {proved} of {slices} slices are proved, the others only run"] = (
                None
            )
        if "verifier_key_bytes" in row.facts and "logrows" in row.facts:
            key, rows_log = size(row.facts["verifier_key_bytes"]), row.facts["logrows"]
            remarks[f"* {where}: 2^{rows_log} rows, verifier's key {key}"] = None
        if row.failure is not None:
            where = f"{where}, {row.threads} thread(s), {row.inputs} input(s)"
            remarks[f"* {where}: not measured: {row.failure}"] = None
    return [*remarks, *_extremes(rows)]


def _extremes(rows: Sequence[Row]) -> list[str]:
    """Return the least soundness and the greatest load by others, over all settings of a pair."""
    bits: dict[str, int] = {}
    loads: dict[str, float] = {}
    for row in rows:
        where = f"{row.model}, {row.contender}"
        if "soundness_bits" in row.facts:
            bits[where] = min(row.facts["soundness_bits"], bits.get(where, sys.maxsize))
        foreign = max(row.foreign_load.values(), default=0.0)
        if foreign > NOTABLE_LOAD:
            loads[where] = max(foreign, loads.get(where, 0.0))
    lines = [
        f"* {where}: {least} bits of soundness, by the union bound" for where, least in bits.items()
    ]
    lines += [
        f"* {where}: other processes took up to {load:.0%} of the machine meanwhile"
        for where, load in loads.items()
    ]
    return lines
