"""What proving has to reach, and whether measured figures do.

The bars hold on two processors; time to prove is witness and proof together, medians.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from benches.table import duration, size
from benches.zk.cases import SIX
from benches.zk.contenders import RAW, SUCCINCT
from benches.zk.record import best

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from benches.zk.record import Native, Row

Outcome = Literal["met", "missed", "not measured", "not comparable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Most that one input may take. Units: seconds, bytes."""

    prove: float
    verify: float
    proof: float
    memory: float | None = None
    """Peak of the proving process."""


BARS: Final = {
    "alloc_softmax": Bar(prove=0.050, verify=0.015, proof=300e3),
    "tiny_sigmoid": Bar(prove=0.050, verify=0.015, proof=300e3),
    "mlp100k": Bar(prove=0.060, verify=0.015, proof=300e3),
    "lenet": Bar(prove=0.200, verify=0.025, proof=500e3),
    "mlp1m": Bar(prove=0.150, verify=0.025, proof=500e3),
    "tblock": Bar(prove=0.150, verify=0.025, proof=500e3),
    "minilm": Bar(prove=4.0, verify=0.060, proof=1e6, memory=4e9),
}
#: Seconds for each of many inputs in one proof, by model.
EACH: Final = {("mlp1m", 64): 0.005}
#: Overhead over the fastest run without a proof, by model and inputs in one proof.
OVERHEADS: Final = {("minilm", 1): 400.0, ("lenet", 64): 100.0}
EZKL_RATIO: Final = 200.0
DSPERSE_RATIO: Final = 1.0
MIN_BITS: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One bar, what was measured, and how that compares."""

    item: str
    required: str
    measured: str
    outcome: Outcome


def judge(rows: Sequence[Row], natives: Sequence[Native]) -> list[Judged]:
    """Hold the figures against every bar; a figure that is missing is named as such."""
    threads = max((row.threads for row in rows if row.kind == "veridical"), default=0)
    return [
        *_single(rows, threads),
        *_each(rows, threads),
        *_overheads(rows, natives),
        *_bits(rows),
        *_peers(rows, threads),
    ]


def ours(rows: Iterable[Row], model: str, threads: int, inputs: int = 1) -> Row | None:
    """Return our row of a setting, if it has figures."""
    for row in rows:
        if row.setting == (model, "veridical", threads, inputs) and row.prove_seconds:
            return row
    return None


def _judged(item: str, required: str, measured: str | None, *, is_met: bool) -> Judged:
    outcome: Outcome = "met" if is_met else "missed"
    if measured is None:
        outcome = "not measured"
    return Judged(item=item, required=required, measured=measured or "-", outcome=outcome)


def _single(rows: Sequence[Row], threads: int) -> Iterator[Judged]:
    for model, bar in BARS.items():
        row = ours(rows, model, threads)
        facts = {} if row is None else row.facts
        peaks = {} if row is None else row.peak_bytes
        found: list[tuple[str, float | None, float | None, Callable[[Any], str]]] = [
            ("to prove", bar.prove, None if row is None else row.median("total"), duration),
            ("to verify", bar.verify, None if row is None else row.median("verify"), duration),
            ("proof", bar.proof, facts.get("proof_bytes"), size),
            ("memory", bar.memory, peaks.get("prove"), size),
        ]
        for name, most, value, shown in found:
            if most is not None:
                yield _judged(
                    f"{model}: {name}",
                    f"at most {shown(most)}",
                    None if value is None else shown(value),
                    is_met=value is not None and value <= most,
                )


def _each(rows: Sequence[Row], threads: int) -> Iterator[Judged]:
    for (model, inputs), most in EACH.items():
        row = ours(rows, model, threads, inputs)
        total = None if row is None else row.median("total")
        each = None if total is None else total / inputs
        yield _judged(
            f"{model}: to prove each of {inputs} inputs in one proof",
            f"at most {duration(most)}",
            None if each is None else duration(each),
            is_met=each is not None and each <= most,
        )


def _overheads(rows: Sequence[Row], natives: Sequence[Native]) -> Iterator[Judged]:
    counts = sorted({native.setting[1] for native in natives}) or [0]
    for (model, inputs), most in OVERHEADS.items():
        for threads in counts:
            row = ours(rows, model, threads, inputs)
            found = [native for native in natives if native.setting == (model, threads, inputs)]
            total = None if row is None else row.median("total")
            value = None if total is None or not found else total / found[0].fastest
            counted = "1 input" if inputs == 1 else f"each of {inputs} inputs in one proof"
            yield _judged(
                f"{model}: overhead of {counted}, {threads} thread(s)",
                f"at most {most:g} times",
                None if value is None else f"{value:.3g} times",
                is_met=value is not None and value <= most,
            )


def _bits(rows: Sequence[Row]) -> Iterator[Judged]:
    bits = [row.facts["soundness_bits"] for row in rows if "soundness_bits" in row.facts]
    yield _judged(
        "soundness of every proof, union bound",
        f"at least {MIN_BITS} bits",
        f"{min(bits)} bits" if bits else None,
        is_met=bool(bits) and min(bits) >= MIN_BITS,
    )


def _peers(rows: Sequence[Row], threads: int) -> Iterator[Judged]:
    for model in SIX:
        here = [row for row in rows if (row.model, row.threads, row.inputs) == (model, threads, 1)]
        own = ours(here, model, threads)
        ezkl = next((row for row in here if row.kind == "ezkl"), None)
        yield _against(model, "EZKL", own, ezkl, EZKL_RATIO)
        yield _against(model, "DSperse", own, best(here, SUCCINCT), DSPERSE_RATIO)
        raw = best(here, RAW)
        if raw is not None:  # no bar: it is neither succinct nor hiding
            shown = _ratio(own, raw)
            yield Judged(
                item=f"{model}: against DSperse {raw.config}, which is not succinct",
                required="reported",
                measured="-" if shown is None else f"{shown:.3g} times faster",
                outcome="not comparable",
            )


def _ratio(own: Row | None, peer: Row | None) -> float | None:
    mine = None if own is None else own.median("total")
    total = None if peer is None else peer.median("total")
    return None if mine is None or total is None else total / mine


def _against(model: str, name: str, own: Row | None, peer: Row | None, least: float) -> Judged:
    ratio = _ratio(own, peer)
    config = "" if peer is None or not peer.config else f" {peer.config}"
    measured = None if ratio is None else f"{ratio:.3g} times faster"
    if measured is None and peer is not None and peer.failure is not None:
        measured = peer.failure
    required = f"at least {least:g} times faster" if least > 1 else "faster"
    found = _judged(
        f"{model}: against {name}{config}",
        required,
        measured,
        is_met=ratio is not None and (ratio >= least if least > 1 else ratio > least),
    )
    if peer is None or (ratio is not None and peer.is_complete):
        return found
    outcome: Outcome = "not measured" if ratio is None else "not comparable"
    if not peer.is_complete and peer.prove_seconds:
        proved, slices = peer.facts.get("slices_proved"), peer.facts.get("slices")
        measured = f"{measured}; it proves {proved} of {slices} slices"
    return Judged(item=found.item, required=required, measured=measured or "-", outcome=outcome)
