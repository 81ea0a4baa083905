"""Checking a log: every damaged file is named, every broken rule is found."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.toy import NONCE, SIGNER, toy_run
from tests.unit.tlog.logs import (
    NOW,
    ORIGIN,
    chain,
    draft,
    grow,
    make_log,
    served,
    signed_head,
    statement,
)
from veridical.errors import (
    CheckpointError,
    ConsistencyError,
    LogError,
    MalformedError,
    VerificationError,
)
from veridical.receipt import issue
from veridical.tlog import Entry, Intent, Log, Result, Void, audit, compare, fsck
from veridical.tlog.frontier import Frontier
from veridical.tlog.storage import STATE
from veridical.tlog.tiles import bundle_path, parse_bundle, tile_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return make_log(tmp_path_factory.mktemp("whole") / "log", served(301))


@pytest.fixture
def log(whole: Log, tmp_path: Path) -> Log:
    import shutil

    shutil.copytree(whole.folder, tmp_path / "log")
    return Log.open(tmp_path / "log")


def test_a_whole_log_passes(whole: Log) -> None:
    done: list[tuple[int, int]] = []
    checked = fsck(whole, on_progress=lambda *counts: done.append(counts))
    assert (checked.size, checked.num_bundles, checked.num_tiles) == (601, 3, 4)
    assert checked.root == whole.head().root
    assert done == [(256, 601), (512, 601), (601, 601)]


def test_paths_are_those_of_tlog_tiles() -> None:
    assert tile_path(3, 1234067) == "tile/3/x001/x234/067"
    assert tile_path(0, 5, 12) == "tile/0/005.p/12"
    assert bundle_path(1000, 255) == "tile/entries/x001/000.p/255"


def change(path: str, at: int) -> Callable[[Log], None]:
    def apply(log: Log) -> None:
        content = bytearray((log.folder / path).read_bytes())
        content[at] ^= 1
        (log.folder / path).write_bytes(content)

    return apply


def cut(path: str, by: int) -> Callable[[Log], None]:
    def apply(log: Log) -> None:
        content = (log.folder / path).read_bytes()
        (log.folder / path).write_bytes(content[:-by])

    return apply


def remove(path: str) -> Callable[[Log], None]:
    return lambda log: (log.folder / path).unlink()


def swap_entries(log: Log) -> None:
    path = log.folder / "tile/entries/001"
    entries = parse_bundle(path.read_bytes(), where="test")
    entries[4], entries[6] = entries[6], entries[4]
    from veridical.tlog.tiles import encode_bundle

    path.write_bytes(encode_bundle(entries))


def swap_tiles(log: Log) -> None:
    first, second = (log.folder / f"tile/0/00{n}" for n in (0, 1))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)


def rewrite_history(log: Log) -> None:
    """Exchange entries and every tile over them, as a thief of the disk would."""
    entries = [entry for _, entry in log.reader().entries()]
    entries[4], entries[6] = entries[6], entries[4]
    for path, content in Frontier().append(entries).items():
        (log.folder / path).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "where", "check"),
    [
        (change("tile/entries/001", 700), "tile/entries/001", "log.entry"),
        (swap_entries, "tile/entries/001", "log.entry"),
        (change("tile/0/000", 32 * 9), "tile/entries/000", "log.entry"),
        (swap_tiles, "tile/entries/000", "log.entry"),
        (change("tile/1/000.p/2", 40), "tile/1/000.p/2", "log.tile"),
        (cut("tile/0/001", 32), "tile/0/001", "log.tile"),
        (cut("tile/0/002.p/89", 1), "tile/0/002.p/89", "log.tile"),
        (cut("tile/entries/000", 1), "tile/entries/000", "log.bundle"),
        (cut("tile/entries/002.p/89", 300), "tile/entries/002.p/89", "log.bundle"),
        (remove("tile/0/001"), "tile/0/001", "log.tile"),
        (remove("tile/entries/002.p/89"), "tile/entries/002.p/89", "log.tile"),
        (rewrite_history, "checkpoint", "log.root"),
    ],
    ids=lambda value: value if isinstance(value, str) else getattr(value, "__name__", ""),
)
def test_the_first_broken_file_is_named(
    log: Log, damage: Callable[[Log], None], where: str, check: str
) -> None:
    damage(log)
    with pytest.raises(LogError) as caught:
        fsck(log)
    assert (caught.value.where, caught.value.check) == (where, check)


def test_the_entry_that_was_exchanged_is_named(log: Log) -> None:
    swap_entries(log)
    with pytest.raises(LogError, match="entry 260 does not have the hash"):
        fsck(log)


def test_a_proof_from_damaged_tiles_is_not_handed_out(log: Log) -> None:
    change("tile/0/000", 32 * 9)(log)
    with pytest.raises(LogError):
        log.prove(8)


def test_a_checkpoint_that_is_not_the_logs_stops_everything(log: Log) -> None:
    (log.folder / "checkpoint").write_bytes(signed_head([b"x"], origin="other").to_bytes())
    with pytest.raises(CheckpointError):
        fsck(log)
    (log.folder / "checkpoint").write_bytes(b"x" * 100_000)
    with pytest.raises(MalformedError):
        fsck(log)
    (log.folder / "checkpoint").unlink()
    with pytest.raises(VerificationError):
        fsck(log)


def test_an_index_of_another_log_is_found(log: Log, tmp_path: Path) -> None:
    other = make_log(tmp_path / "other", [draft("other")] * 601)
    for path in (log.folder / STATE).glob("index.sqlite*"):
        path.unlink()
    (log.folder / STATE / "index.sqlite").write_bytes(
        (other.folder / STATE / "index.sqlite").read_bytes()
    )
    with pytest.raises(LogError) as caught:
        fsck(log)
    assert caught.value.check == "log.index"


def test_an_honest_log_has_no_findings(whole: Log) -> None:
    report = audit(entry for _, entry in whole.reader().entries())
    assert report.findings == []
    [stream] = report.streams.values()
    assert (len(stream.intents), stream.num_results, stream.num_voids) == (301, 240, 60)
    assert stream.void_rate == 0.2
    assert stream.reasons == {"timeout": 60}
    assert [one.number for one in stream.open_intents] == [300]
    assert report.overdue(before=NOW) == []
    assert [name for name, _ in report.overdue(before=NOW + 1)] == ["live"]
    value = json.loads(json.dumps(report.to_value()))
    assert value["streams"][0]["open_leaves"] == [600]


def test_every_broken_rule_is_found_and_nothing_else() -> None:
    first, second, third, *_, sixth = chain(6)
    result = Result(intent=0, statement=statement(1), time=NOW)
    forged = draft().numbered(2, first.digest, origin=ORIGIN, time=NOW)
    cases: dict[str, list[Entry]] = {
        "gap": [first, second, sixth],
        "duplicate": [first, second, second],
        "order": [first, third, second],
        "chain": [first, second, forged],
        "closed_twice": [first, result, Void(intent=0, reason="no", time=NOW)],
        "dangling": [first, Void(intent=1, reason="no", time=NOW)],
        "statement_twice": [
            first,
            second,
            result,
            Result(intent=1, statement=statement(1), time=NOW + 1),
        ],
        "origin": [first, draft("b").numbered(0, "", origin="log.b", time=NOW)],
    }
    for kind, entries in cases.items():
        report = audit((entry.to_bytes() for entry in entries), origin=ORIGIN, now=NOW)
        assert [finding.kind for finding in report.findings] == [kind]
        assert json.dumps(report.to_value())
    report = audit([first.to_bytes(), b"{}", b"\xff"])
    assert [(finding.kind, finding.leaf) for finding in report.findings] == [
        ("unknown", 1),
        ("unknown", 2),
    ]


def intent(stream: str = "live", *, time: int = NOW, number: int = 0, **changes: Any) -> Intent:
    """Return an intent whose chain nobody looks at."""
    asked = replace(draft(stream, request_id="order-1"), **changes)
    previous = f"sha256:{number:064x}" if number else ""
    return asked.numbered(number, previous, origin=ORIGIN, time=time)


def kinds(*entries: Entry, now: int | None = None) -> list[tuple[str, int]]:
    report = audit((entry.to_bytes() for entry in entries), origin=ORIGIN, now=now)
    return [(one.kind, one.leaf) for one in report.findings if one.kind != "chain"]


def test_a_question_that_was_run_again_is_found_in_any_stream() -> None:
    closed = Result(intent=0, statement=statement(0), time=NOW)
    assert kinds(intent(), closed, intent("backup")) == [("repeated", 2)]
    assert kinds(intent(), closed, intent(number=1)) == [("repeated", 2)]
    # Nothing to compare: another member of the question.
    for name, value in (
        ("model", "sha256:" + "1a" * 32),
        ("input", "sha256:" + "1b" * 32),
        ("parameters", "sha256:" + "1c" * 32),
        ("request_id", "order-2"),
    ):
        changes: dict[str, Any] = {name: value}
        assert kinds(intent(), intent("backup", **changes)) == []
    # Who has neither nonce nor seed gets the same answer each time, so it is only counted.
    assert kinds(intent(request_id=""), intent("backup", request_id="")) == []
    report = audit(one.to_bytes() for one in (intent(request_id=""), intent("b", request_id="")))
    assert report.streams["b"].num_repeats == 1
    assert report.to_value()["streams"][1]["repeats"] == 1  # type: ignore[index]
    seeded: dict[str, Any] = {"request_id": "", "seed": "vrf", "seed_key": "0a" * 32}
    assert kinds(intent(**seeded), intent("backup", **seeded)) == [("repeated", 1)]
    # A second key for the same question is one more draw.
    other = {**seeded, "seed_key": "0b" * 32}
    assert kinds(intent(**seeded), intent("backup", **other)) == [("repeated", 1)]


def test_times_that_go_back_or_lie_ahead_are_found() -> None:
    later: dict[str, Any] = {"request_id": "order-2"}
    assert kinds(intent(), intent(number=1, time=NOW - 2, **later)) == []
    assert kinds(intent(), intent(number=1, time=NOW - 3, **later)) == [("time", 1)]
    assert kinds(intent(), intent("other", time=NOW - 3, **later)) == []
    assert kinds(intent(), Void(intent=0, reason="no", time=NOW - 2)) == []
    assert kinds(intent(), Void(intent=0, reason="no", time=NOW - 3)) == [("time", 1)]
    assert kinds(intent(time=NOW + 60), now=NOW) == []
    ahead = Result(intent=0, statement=statement(0), time=NOW + 61)
    assert kinds(intent(time=NOW + 61), ahead, now=NOW) == [("time", 0), ("time", 1)]


def test_files_that_are_longer_than_their_width_are_found(log: Log) -> None:
    for path in ("tile/0/002.p/89", "tile/entries/002.p/89", "tile/0/001", "tile/entries/001"):
        content = (log.folder / path).read_bytes()
        (log.folder / path).write_bytes(content + content[:32] * (2 if "0/" in path else 1))
        with pytest.raises(LogError) as caught:
            fsck(log)
        assert caught.value.where == path
        (log.folder / path).write_bytes(content)
    fsck(log)


def test_a_log_that_left_a_cosigned_head_behind_is_found(log: Log) -> None:
    entries = [entry for _, entry in log.reader().entries()]
    log.publish_cosigned(signed_head(entries[:300]))
    assert fsck(log).num_cosigned == 2
    for content, check in (
        (signed_head([*entries[:299], b"{}"]), "log.consistency"),
        (signed_head([*entries, b"{}"]), "log.rollback"),
    ):
        for name in ("cosigned/300", "checkpoint.cosigned"):
            path = log.folder / name
            before = path.read_bytes()
            path.write_bytes(content.to_bytes())
            with pytest.raises(ConsistencyError) as caught:
                fsck(log)
            assert (caught.value.check, caught.value.where) == (check, name)
            path.write_bytes(before)


def test_a_receipt_of_another_history_is_found(log: Log, tmp_path: Path) -> None:
    plain = issue(toy_run(), signer=SIGNER, nonce=NONCE, issued_at=NOW)
    proofs = tuple(log.prove(leaf).to_bytes() for leaf in (0, 600))
    assert compare(replace(plain, evidence=(*proofs, b"something else")), log) == 2
    other = make_log(tmp_path / "other", [draft("hidden")] * 700)
    for size in (256, 512, 700):  # the tiles of other sizes were never written
        head = signed_head([entry for _, entry in other.reader().entries()][:size])
        forked = replace(plain, evidence=(other.prove(3, head).to_bytes(),))
        with pytest.raises(ConsistencyError) as caught:
            compare(forked, log)
        assert caught.value.check == ("log.rollback" if size > 601 else "log.consistency")
    with pytest.raises(LogError, match="no proof of this log"):
        compare(plain, log)


def test_retries_that_are_logged_are_all_seen(tmp_path: Path) -> None:
    # A provider asks its model a hundred times and shows the answer that it likes.
    log = make_log(tmp_path / "log", [draft(request_id="order-1")] * 100)
    grow(log, [Result(intent=41, statement=statement(41), time=NOW)])
    [stream] = audit(entry for _, entry in log.reader().entries()).streams.values()
    assert len(stream.open_intents) == 99
    grow(log, [Void(intent=i, reason="discarded", time=NOW) for i in range(100) if i != 41])
    [stream] = audit(entry for _, entry in log.reader().entries()).streams.values()
    assert (stream.num_voids, stream.void_rate) == (99, 0.99)
