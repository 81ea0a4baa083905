"""Kills at random moments, at every stage of a gateway: nothing that was accepted is lost."""

from __future__ import annotations

import random
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance import RecordCriterion
from tests.faults import Site, children, kill, kill_children, require_nothing_lost
from tests.postgres import Server, free_port

pytestmark = [pytest.mark.accept, pytest.mark.timeout(3600)]

KILLS = 50
SEED = 20261122


def site_on(backend: str, folder: Path, request: pytest.FixtureRequest) -> Site:
    if backend == "sqlite":
        return Site(state=folder / "state")
    server: Server = request.getfixturevalue("postgres")
    return Site(state=folder / "state", database=server.new_database())


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_kills_of_a_gateway(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest, criterion: RecordCriterion
) -> None:
    site = site_on(backend, tmp_path, request)
    moments = random.Random(SEED)  # noqa: S311 - the same moments in every run
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        # Most kills are under load; every fifth one is at a start, which has to recover first.
        if number % 5 == 0:
            process = site.spawn(free_port(), workers=1)
            time.sleep(moments.uniform(0.2, 2.5))
            kill(process)
            killed["first start" if number == 0 else "recovery"] += 1
            continue
        port = free_port()
        is_proving = number % 2 == 1
        process = site.start(port, workers=1)
        before = site.handed.statuses[200]
        with site.load(port, upgrades=is_proving):
            if number % 4:  # else at any moment, perhaps before the first answer
                site.wait_for_more(before)
            time.sleep(moments.uniform(0.02, 1.0))
            site.note_checkpoint()
            if number % 7 == 0 and is_proving:
                killed["worker"] += kill_children(process, "serve.worker")
            if number % 9 == 0 and is_proving:
                site.wait_until(lambda process=process: children(process.pid, "serve.checker"))  # type: ignore[misc]
                killed["checker"] += kill_children(process, "serve.checker")
            time.sleep(moments.uniform(0.0, 0.2))
            kill(process)
        killed["proving" if is_proving else "load"] += 1
    assert site.handed.receipts
    held = require_nothing_lost(site)
    shown = ", ".join(f"{count} at {what}" for what, count in sorted(killed.items()))
    criterion(
        f"kill -9 of gateway and workers on {backend}, {sum(killed.values())} times",
        required="no accepted request without intent, no intent open, every checkpoint kept, "
        "every receipt served and verified, every proof made once",
        measured=f"{shown}; {len(site.handed.receipts)} receipts, {len(site.handed.jobs)} proofs, "
        f"{len(site.handed.checkpoints)} checkpoints held; {held.entries} log entries",
    )
    assert held.proven >= len(site.handed.jobs)


def test_kills_at_the_first_start(tmp_path: Path, criterion: RecordCriterion) -> None:
    moments = random.Random(SEED)  # noqa: S311 - as above
    count = 20
    for number in range(count):
        site = Site(state=tmp_path / f"state-{number}")
        process = site.spawn(free_port())
        time.sleep(moments.uniform(0.5, 2.0))
        kill(process)
        port = free_port()
        process = site.start(port)
        with site.load(port):
            time.sleep(0.2)
        site.note_checkpoint()
        kill(process)
        require_nothing_lost(site)
    criterion(
        f"kill -9 at the first start, {count} state folders",
        required="each starts again and serves",
        measured=f"{count} of {count}",
    )


def test_connections_that_end(tmp_path: Path, postgres: Server, criterion: RecordCriterion) -> None:
    database = postgres.new_database()
    site = Site(state=tmp_path / "state", database=database)
    moments = random.Random(SEED)  # noqa: S311 - as above
    port = free_port()
    process = site.start(port, workers=1)
    ended = 0
    with site.load(port, upgrades=True):
        for _ in range(KILLS):
            time.sleep(moments.uniform(0.02, 0.4))
            ended += postgres.end_connections(database)
        before = site.handed.statuses[200]
        site.wait_for_more(before)
    kill(process)
    held = require_nothing_lost(site)
    criterion(
        f"connections to PostgreSQL ended {KILLS} times under load",
        required="statuses 200 and 503 alone, answers again, nothing lost",
        measured=f"{ended} connections; {dict(sorted(site.handed.statuses.items()))}; "
        f"{held.entries} log entries, {held.proven} proofs",
    )
    assert site.handed.statuses[200] > before
    assert set(site.handed.statuses) <= {200, 503}
