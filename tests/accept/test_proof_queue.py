"""Two hundred answers of one consumer, proven later and together: what each of them takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accept.conftest import CompiledPath
from tests.accept.proof_scenario import REQUESTS, run
from tests.acceptance import RecordCriterion
from tests.faults import Site, kill
from tests.postgres import free_port

pytestmark = [pytest.mark.accept, pytest.mark.timeout(900)]

MAX_MILLISECONDS = 5.0


@pytest.mark.parametrize("name", ["alloc_softmax", "tiny_sigmoid", "mlp100k"])
def test_proofs_of_one_consumer(
    name: str, compiled: CompiledPath, tmp_path: Path, criterion: RecordCriterion
) -> None:
    site = Site(state=tmp_path / "state", model=compiled(name))
    port = free_port()
    process = site.start(port, workers=1)
    try:
        outcome = run(site, process, port, name)
    finally:
        kill(process)
    sizes = ", ".join(f"{count} x {size}" for size, count in sorted(outcome.batches.items()))
    criterion(
        f"proof queue: {REQUESTS} requests of one consumer, {name}, one worker",
        required=f"<= {MAX_MILLISECONDS:g} ms of proving each",
        measured=f"{outcome.milliseconds_each:.2f} ms of processor time each by the jobs' records, "
        f"proofs of {sizes} receipts; all signed for after {outcome.seconds:.1f} s",
    )
    assert outcome.milliseconds_each <= MAX_MILLISECONDS
    shared = {job.evidence: job.cost for job in outcome.jobs}
    assert all(job.cost == shared[job.evidence] for job in outcome.jobs), "shared evenly"
