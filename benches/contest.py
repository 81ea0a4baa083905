"""One model against ONNX Runtime: latency in all settings, then size, memory and accuracy.

The calls of a row are timed in turn in one process (see `timing`); the int8 baseline of a row is
the fastest of the variants in `baseline` for that very row, found by a shorter measurement first.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benches import baseline, memory, receipts, timing
from benches.subject import Subject
from examples.zoo import ModelCase, float_outputs, measure, num_samples, take

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from examples.zoo import Measured, Samples

MAX_JUDGED = 200
SHORTLIST_ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One row: the same inputs through all contenders. Units: seconds per call."""

    model: str
    batch: int
    threads: int
    ours: float
    float32: float
    int8: float | None
    int8_variant: str
    int8_failures: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Size, memory, compile time and closeness to float32 of one model."""

    model: str
    compile_seconds: float
    onnx_bytes: int
    program_bytes: int
    numpy_peak_bytes: int
    ours_peak_bytes: int
    float32_peak_bytes: int
    metric: str
    ours: Measured
    int8: Measured | None
    int8_variant: str


def hold(
    case: ModelCase, batches: Sequence[int], threads: Sequence[int], folder: Path
) -> tuple[list[Latency], Footprint, receipts.Cost]:
    """Measure one model in all settings, the first of which chooses the int8 variant to judge."""
    subject = Subject.compile(case, folder)
    rows: list[Latency] = []
    judged: baseline.Candidate | None = None
    for batch in batches:
        variants, failures = baseline.candidates(case, batch, folder)
        raced = race(case, subject, variants, batch, threads)
        rows += [replace(row, int8_failures=failures) for row in raced]
        if judged is None and batch == 1:
            judged = next((v for v in variants if v.name == raced[0].int8_variant), None)
    question = baseline.repeat(case.test(), 0, 1)
    paid = receipts.cost(subject, case.name, question)
    return rows, _footprint(case, subject, judged, folder), paid


def race(
    case: ModelCase,
    subject: Subject,
    variants: Sequence[baseline.Candidate],
    batch: int,
    threads: Sequence[int],
    *,
    resident: bool = False,
) -> list[Latency]:
    """Time ours, float32 and the fastest int8 variant on the same rows.

    With `resident` ONNX Runtime finds its inputs bound, and pays nothing for a call from Python.
    """
    feed = baseline.repeat(case.test(), 0, batch)
    rows = []
    for count in threads:
        seconds, best = _seconds(subject, variants, feed, count, resident=resident)
        rows.append(
            Latency(
                model=case.name,
                batch=batch,
                threads=count,
                ours=seconds["ours"],
                float32=seconds["float32"],
                int8=seconds.get("int8"),
                int8_variant=best,
            )
        )
    return rows


def _seconds(
    subject: Subject,
    variants: Sequence[baseline.Candidate],
    feed: Samples,
    threads: int,
    *,
    resident: bool,
) -> tuple[dict[str, float], str]:
    """Time a call of each contender; return the seconds and the name of the int8 variant."""
    calls: dict[str, Callable[[], object]] = {
        variant.name: variant.resident(threads, feed)
        if resident
        else partial(variant.session(threads).run, None, feed)
        for variant in variants
    }
    plain = calls.pop("float32")
    quick = timing.interleaved(calls, rounds=SHORTLIST_ROUNDS) if calls else {}
    best = min(quick, key=lambda name: quick[name]) if quick else "none"
    contenders: dict[str, Callable[[], object]] = {
        "ours": partial(subject.runner(threads), feed),
        "float32": plain,
    }
    if quick:
        contenders["int8"] = calls[best]
    return timing.interleaved(contenders), best


def _footprint(
    case: ModelCase, subject: Subject, variant: baseline.Candidate | None, folder: Path
) -> Footprint:
    judged = take(case.test(), slice(0, min(MAX_JUDGED, num_samples(case.test()))))
    expected = _first(float_outputs(case, judged))
    int8 = None
    if variant is not None:
        session = variant.session(1)
        answers = [
            session.run(None, take(judged, slice(i, i + 1)))[0] for i in range(num_samples(judged))
        ]
        int8 = measure(case, expected, np.concatenate(answers))
    sample = folder / "sample.npz"
    np.savez(sample, allow_pickle=False, **take(judged, slice(0, 1)))
    return Footprint(
        model=case.name,
        compile_seconds=subject.compile_seconds,
        onnx_bytes=case.path().stat().st_size,
        program_bytes=subject.path.stat().st_size,
        numpy_peak_bytes=memory.peak_bytes("numpy", case.path(), sample),
        ours_peak_bytes=memory.peak_bytes("veridical", subject.path, sample),
        float32_peak_bytes=memory.peak_bytes("onnxruntime", case.path(), sample),
        metric=case.target.metric,
        ours=measure(case, expected, _first(subject.runner(1)(judged))),
        int8=int8,
        int8_variant=variant.name if variant else "none",
    )


def _first(outputs: dict[str, NDArray[Any]]) -> NDArray[Any]:
    return next(iter(outputs.values()))
