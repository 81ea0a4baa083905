"""Processes that end are started again, more and more slowly."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from veridical.serve.supervisor import Supervisor

ENDS = [sys.executable, "-S", "-c", "import sys; sys.exit(3)"]
STAYS = [sys.executable, "-S", "-c", "import sys; sys.stdin.buffer.read()"]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_ends_at_once_is_started_more_and_more_slowly() -> None:
    clock = Clock()
    supervisor = Supervisor(ENDS, b"line\n", count=1, clock=clock)
    waits = []
    for deaths in range(1, 9):
        supervisor.step()
        while supervisor.deaths < deaths:
            time.sleep(0.01)
            supervisor.step()
        started = clock.now
        while not supervisor.pids():
            clock.now += 0.5
            supervisor.step()
        waits.append(clock.now - started)
    supervisor.close()
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_what_ran_for_long_is_started_again_soon() -> None:
    clock = Clock()
    supervisor = Supervisor(STAYS, b"line\n", count=1, clock=clock)
    supervisor.step()
    for deaths in (1, 2):
        clock.now += 1000
        os.kill(supervisor.pids()[0], signal.SIGKILL)
        while supervisor.deaths < deaths:
            time.sleep(0.01)
            supervisor.step()
        clock.now += 0.5
        supervisor.step()
        assert len(supervisor.pids()) == 1
    supervisor.close()


def test_closing_ends_all_and_starts_none() -> None:
    supervisor = Supervisor(STAYS, b"", count=3)
    supervisor.start()
    pids = supervisor.pids()
    assert len(set(pids)) == 3
    supervisor.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert supervisor.deaths == 0


def test_a_command_that_cannot_be_run_is_tried_again() -> None:
    clock = Clock()
    supervisor = Supervisor(["/nowhere/at/all"], b"", count=1, clock=clock)
    supervisor.step()
    assert supervisor.pids() == []
    clock.now = 1.0
    supervisor.step()
    assert supervisor.pids() == []
    supervisor.close()
