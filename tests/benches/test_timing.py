from __future__ import annotations

import time

from benches.timing import interleaved


def test_slower_call_takes_longer_and_every_call_is_timed() -> None:
    seconds = interleaved(
        {"slow": lambda: time.sleep(0.02), "fast": lambda: time.sleep(0.002)}, rounds=3
    )
    assert set(seconds) == {"slow", "fast"}
    assert 0.02 <= seconds["slow"] < 0.5
    assert 0.002 <= seconds["fast"] < seconds["slow"]


def test_calls_take_turns() -> None:
    order: list[str] = []

    def call(name: str) -> None:
        order.append(name)
        time.sleep(0.025)

    interleaved({"a": lambda: call("a"), "b": lambda: call("b")}, rounds=2)
    # Warm-up and sizing first, then one block each per round, the order turned in the second.
    assert order[-4:] == ["a", "b", "b", "a"]
