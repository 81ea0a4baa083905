"""The gateway, its workers and its connections are killed: nothing that was accepted is lost.

A sample; tests/accept/test_faults.py has the whole campaign.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.faults import Site, kill, kill_children, require_nothing_lost
from tests.postgres import Server, free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_what_was_handed_out_survives_kills(tmp_path: Path) -> None:
    site = Site(state=tmp_path / "state")
    moments = random.Random(20261122)  # noqa: S311 - the same moments in every run
    process = site.spawn(free_port())
    time.sleep(moments.uniform(0.5, 1.5))
    kill(process)  # at its first start, whatever it had written by then
    port = free_port()
    process = site.start(port, workers=1)
    with site.load(port, upgrades=True):
        site.wait_for_jobs()
        time.sleep(moments.uniform(0.1, 0.4))
        site.note_checkpoint()
        assert kill_children(process, "serve.worker") == 1
        time.sleep(moments.uniform(0.05, 0.4))
        kill(process)  # while it answers and proves
    process = site.spawn(free_port())
    time.sleep(moments.uniform(0.5, 1.5))
    kill(process)  # while it recovers
    assert site.handed.receipts
    assert site.handed.jobs
    held = require_nothing_lost(site)
    assert held.proven >= len(site.handed.jobs)


def test_connections_that_end_under_load_lose_nothing(tmp_path: Path, postgres: Server) -> None:
    database = postgres.new_database()
    site = Site(state=tmp_path / "state", database=database)
    port = free_port()
    process = site.start(port, workers=1)
    ended = 0
    with site.load(port, upgrades=True):
        for _ in range(8):
            time.sleep(0.15)
            ended += postgres.end_connections(database)
        before = site.handed.statuses[200]
        site.wait_for_more(before)
    assert ended > 0
    assert site.handed.statuses[200] > before, "it answers again"
    assert set(site.handed.statuses) <= {200, 503}
    kill(process)
    require_nothing_lost(site)
