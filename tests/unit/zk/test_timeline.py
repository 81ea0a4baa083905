"""Spans: what the prover does is counted, in place and within the time that passed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

import veridical
from tests.repository import ROOT
from tests.toy import NOW, SIGNER
from veridical import zk
from veridical.zk import Span, Timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

X = {"x": np.array([[0.25, -1.5, 0.75]], dtype=np.float32)}


def walk(spans: Iterable[Span]) -> Iterator[Span]:
    for span in spans:
        yield span
        yield from walk(span.children)


@pytest.fixture(scope="module")
def proven() -> tuple[Timeline, float]:
    program = veridical.load(ROOT / "vectors" / "program" / "example.vprog")
    timeline = Timeline()
    begin = time.perf_counter_ns()
    evidence = zk.Zk(timeline=timeline)
    with timeline.span("mine"):
        run = veridical.run(program, X)
        veridical.issue(run, signer=SIGNER, evidence=evidence, nonce="n", issued_at=NOW)
    return timeline, time.perf_counter_ns() - begin


def test_every_stage_is_a_span_within_that_of_the_caller(proven: tuple[Timeline, float]) -> None:
    (mine,) = proven[0].tree()
    names = [span.name for span in mine.children]
    assert mine.name == "mine"
    assert [name for name in names if name in zk.STAGES] == list(zk.STAGES)
    by_name = {span.name: [child.name for child in span.children] for span in mine.children}
    assert {"leaves", "tree", "evaluations"} <= set(by_name["lookups"])
    assert by_name["witness opening"] == ["batching sumcheck", "whir"]
    assert "encode" in by_name["weight commitment"]


def test_times_add_up(proven: tuple[Timeline, float]) -> None:
    timeline, passed = proven
    spans = list(walk(timeline.tree()))
    assert all(span.calls > 0 and span.own_nanoseconds >= 0 for span in spans)
    assert sum(span.nanoseconds for span in timeline.tree()) <= passed
    assert sum(span.own_nanoseconds for span in spans) == sum(
        span.nanoseconds for span in timeline.tree()
    )
    value = timeline.to_value()[0]
    assert value["ms"] == pytest.approx(spans[0].nanoseconds / 1e6)
    assert len(value["children"]) == len(spans[0].children)


def test_events_lie_within_their_parents(proven: tuple[Timeline, float]) -> None:
    timeline, _ = proven
    events = timeline.trace_events()["traceEvents"]
    entries = timeline.core.spans()
    assert len(events) == len(entries) == sum(span.calls for span in walk(timeline.tree()))
    for event, (name, parent, begin, lasted) in zip(events, entries, strict=True):
        assert (event["name"], event["ph"]) == (name, "X")
        assert event["ts"] == pytest.approx(begin / 1e3)
        if parent is not None:
            _, _, outer, outer_lasted = entries[parent]
            assert outer <= begin
            assert begin + lasted <= outer + outer_lasted


def test_spans_of_one_name_are_counted_together() -> None:
    timeline = Timeline()
    for _ in range(3):
        with timeline.span("outer"):
            for _ in range(2):
                with timeline.span("inner"):
                    pass
    (outer,) = timeline.tree()
    (inner,) = outer.children
    assert (outer.calls, inner.calls, inner.name) == (3, 6, "inner")


def test_a_span_ends_where_an_error_leaves_it() -> None:
    timeline = Timeline()
    with pytest.raises(ZeroDivisionError), timeline.span("failing"):
        raise ZeroDivisionError
    with timeline.span("next"):
        pass
    assert [span.name for span in timeline.tree()] == ["failing", "next"]


def test_a_leave_too_much_is_no_error() -> None:
    timeline = Timeline()
    timeline.core.leave()
    assert timeline.tree() == ()


def test_without_a_timeline_the_proof_is_the_same() -> None:
    program = veridical.load(ROOT / "vectors" / "program" / "example.vprog")
    run = veridical.run(program, X)
    receipts = [
        veridical.issue(
            run, signer=SIGNER, evidence=zk.Zk(timeline=timeline), nonce="n", issued_at=NOW
        )
        for timeline in (None, Timeline())
    ]
    assert receipts[0].evidence == receipts[1].evidence
