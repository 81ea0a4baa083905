"""Medians of calls that are timed in turn, so that all of them see the same machine."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# One block of calls lasts at least this long, so that the clock's own cost disappears.
BLOCK_SECONDS = 0.02
ROUNDS = 15
# Worker threads of the last contender go on spinning for a while; nobody is timed meanwhile.
REST_SECONDS = 0.01
# Stop early when slow calls would take longer than this altogether.
BUDGET_SECONDS = 30.0
MIN_ROUNDS = 5


def interleaved(
    calls: Mapping[str, Callable[[], object]], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the median seconds of one call, by name.

    Every round times one block of each call; the order turns from round to round, so that nobody
    always runs after the same neighbour.
    """
    names = list(calls)
    repeats = {name: _block_size(calls[name]) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    began = time.perf_counter()
    for i_round in range(rounds):
        if i_round >= MIN_ROUNDS and time.perf_counter() - began > BUDGET_SECONDS:
            break
        turn = i_round % len(names)
        for name in names[turn:] + names[:turn]:
            seconds[name].append(_time_block(calls[name], repeats[name]))
    return {name: statistics.median(values) for name, values in seconds.items()}


def _block_size(call: Callable[[], object]) -> int:
    """Warm the call up and return how many calls fill one block."""
    call()
    repeats = 1
    while (seconds := _time_block(call, repeats) * repeats) < BLOCK_SECONDS:
        repeats = max(repeats * 2, int(repeats * BLOCK_SECONDS / max(seconds, 1e-9)))
    return repeats


def _time_block(call: Callable[[], object], repeats: int) -> float:
    time.sleep(REST_SECONDS)
    if repeats > 1:
        call()  # brings caches and threads back after the rest
    began = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - began) / repeats
