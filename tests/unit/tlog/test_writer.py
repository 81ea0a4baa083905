"""The writer: rules of the log, and what is left after a crash at any moment."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.repository import ROOT
from tests.unit.tlog.logs import (
    LOG_SIGNER,
    NOW,
    ORIGIN,
    chain,
    draft,
    grow,
    make_log,
    private_key,
    served,
    statement,
)
from veridical.errors import ConsistencyError, InputError, LogError
from veridical.tlog import (
    Intent,
    Log,
    Result,
    SignedCheckpoint,
    Void,
    Writer,
    fsck,
    require_extends,
)
from veridical.tlog.storage import STATE, Files, Journal
from veridical.tlog.tree import EMPTY_ROOT

if TYPE_CHECKING:
    from pathlib import Path


def test_a_new_log_is_empty_and_signed(tmp_path: Path) -> None:
    head = make_log(tmp_path / "log").head()
    assert (head.size, head.root, head.checkpoint.origin) == (0, EMPTY_ROOT, ORIGIN)


def test_entries_are_numbered_chained_and_found_again(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", [draft(), draft("other"), draft()])
    first, other, second = (log.entry(leaf) for leaf in range(3))
    assert isinstance(first, Intent)
    assert isinstance(second, Intent)
    assert isinstance(other, Intent)
    assert (first.number, second.number, other.number) == (0, 1, 0)
    assert second.previous == first.digest
    grow(log, [Result(intent=2, statement=statement(1), time=NOW)])
    assert log.find_result(statement(1)) == (3, 2)
    index = log.index()
    assert index.intent_leaf("live", 1) == 2
    assert index.open_intents() == [0, 1]
    index.close()
    with pytest.raises(InputError, match="no result"):
        log.find_result(statement(2))


def test_a_checkpoint_that_is_handed_out_covers_the_entry(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        for count in range(1, 5):
            appended = writer.append(draft())
            assert appended.index == count - 1
            log.prove(appended.index, appended.checkpoint).verify_inclusion()
            assert log.head() == appended.checkpoint


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Result(intent=9, statement=statement(9), time=NOW), "no intent"),
        (Void(intent=1, reason="late", time=NOW), "no intent"),
        (Void(intent=0, reason="late", time=NOW), "closed by leaf 1"),
        (Result(intent=2, statement=statement(0), time=NOW), "is logged at leaf 1"),
        (chain(1)[0], "next intent"),
        (chain(3)[2], "next intent"),
        (draft(stream=""), "at least one"),
        (Void(intent=2, reason="", time=NOW), "at least one"),
    ],
    ids=["ahead", "a_result", "closed", "twice", "number", "chain", "stream", "reason"],
)
def test_what_breaks_a_rule_is_refused_and_the_rest_of_the_batch_goes_on(
    tmp_path: Path, request_: Any, message: str
) -> None:
    log = make_log(tmp_path / "log", [*served(2)])
    with Writer(log.folder, LOG_SIGNER) as writer:
        good, bad, later = writer.submit([draft(), request_, draft()])
        with pytest.raises(InputError, match=message):
            bad.result()
        assert (good.result().index, later.result().index) == (3, 4)
    assert fsck(log).size == 5


def test_one_process_writes(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER), pytest.raises(InputError, match="another process"):
        Writer(log.folder, LOG_SIGNER)


def test_a_writer_that_was_closed_takes_nothing(tmp_path: Path) -> None:
    writer = Writer(make_log(tmp_path / "log").folder, LOG_SIGNER)
    writer.close()
    writer.close()
    with pytest.raises(InputError, match="was closed"):
        writer.append(draft())


def test_only_the_logs_key_writes_and_only_into_a_log(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    with pytest.raises(InputError, match="does not hold"):
        Writer(log.folder, private_key(77))
    with pytest.raises(InputError, match="not a log"):
        Log.open(tmp_path)
    with pytest.raises(InputError, match="not empty"):
        Writer.create(tmp_path, origin=ORIGIN, signer=LOG_SIGNER)


def test_open_intents_are_closed_after_a_crash_of_who_ran_them(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(7))
    with Writer(log.folder, LOG_SIGNER) as writer:
        assert [one.index for one in writer.void_open("restart")] == [13]
        assert writer.void_open("restart") == []
    assert isinstance(log.entry(13), Void)


def test_a_log_of_many_tiles_has_the_tree_of_its_entries(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    heads = [log.head()]
    with Writer(log.folder, LOG_SIGNER, journal_bytes=100_000) as writer:
        heads += [
            writer.submit([draft()] * count)[-1].result().checkpoint
            for count in (1, 254, 1, 1, 255, 300, 700, 24)
        ]
    assert log.head().size == 1536
    assert fsck(log).num_tiles == 7
    assert [path.name for path in (log.folder / "tile/0").glob("*.p")] == []
    for old in heads:
        assert log.follow(old) == log.head()
        require_extends(old, log.head(), log.prove_consistency(old.size, 1536))
    for leaf in (0, 255, 256, 1000, 1535):
        log.prove(leaf).verify_inclusion()
        log.prove(leaf, next(head for head in heads if head.size > leaf)).verify_inclusion()


def copy_mid_flight(log: Log, target: Path, requests: list[Any]) -> list[SignedCheckpoint]:
    """Append batch by batch, copy the folder before it is closed, and return all heads."""
    with Writer(log.folder, LOG_SIGNER, batch_seconds=0) as writer:
        heads = [writer.append(request).checkpoint for request in requests]
        shutil.copytree(log.folder, target)
    return heads


def test_a_journal_that_is_cut_anywhere_leaves_the_last_whole_batch(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(3))
    heads = [log.head(), *copy_mid_flight(log, tmp_path / "copy", [draft() for _ in range(3)])]
    [journal] = (tmp_path / "copy" / STATE).glob("journal-*")
    content = journal.read_bytes()
    sizes = set()
    for cut in [*range(0, len(content), 97), len(content) - 1, len(content)]:
        folder = tmp_path / f"cut-{cut}"
        shutil.copytree(tmp_path / "copy", folder)
        # A torn write may leave other bytes than were written, not only fewer.
        damaged = folder / STATE / journal.name
        damaged.write_bytes(content[:cut] + bytes(min(50, len(content) - cut)))
        whole = Journal.read(damaged)
        # What was not journalled was shown to nobody: neither checkpoint nor index has it.
        (folder / "checkpoint").write_bytes(heads[len(whole)].to_bytes())
        for path in (folder / STATE).glob("index.sqlite*"):
            path.unlink()
        recovered = grow(Log.open(folder), [])
        assert recovered == heads[len(whole)]
        assert fsck(Log.open(folder)).size == recovered.size
        sizes.add(recovered.size)
        shutil.rmtree(folder)
    assert sizes == {head.size for head in heads}


def test_files_that_never_reached_the_disk_are_made_again(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(130))
    base = log.head().size
    synced = {path.relative_to(log.folder) for path in (log.folder / "tile").rglob("*")}
    heads = copy_mid_flight(log, tmp_path / "copy", [draft() for _ in range(9)])
    lost = Log.open(tmp_path / "copy")
    # All that was not synced when the journal began: new files, the checkpoint, the index.
    missing = [
        path
        for path in (lost.folder / "tile").rglob("*")
        if path.is_file() and path.relative_to(lost.folder) not in synced
    ]
    assert len(missing) == 2 * 9
    for path in missing:
        path.unlink()
    (lost.folder / "checkpoint").write_bytes(b"")
    for path in (lost.folder / STATE).glob("index.sqlite*"):
        path.unlink()
    assert grow(lost, []) == heads[-1]
    assert fsck(lost).size == heads[-1].size == base + 9
    assert lost.follow(heads[0]) == heads[-1]
    assert lost.find_result(statement(0)) == (1, 0)


def damaged_copy(tmp_path: Path) -> tuple[Log, Path, list[int]]:
    """Return a log of three journalled batches, its journal, and where each record begins."""
    log = make_log(tmp_path / "log", served(3))
    copy_mid_flight(log, tmp_path / "copy", [draft() for _ in range(3)])
    [journal] = (tmp_path / "copy" / STATE).glob("journal-*")
    starts = [0]
    for batch in Journal.read(journal):
        starts.append(starts[-1] + len(batch.to_record()))
    return Log.open(tmp_path / "copy"), journal, starts


def contents(log: Log) -> dict[Path, bytes]:
    """Return the log's files, but for the index, which SQLite may tidy up."""
    files = [path for path in log.folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if not path.name.startswith("index.")}


def rolled_back(log: Log) -> LogError:
    with pytest.raises(LogError) as caught:
        Writer(log.folder, LOG_SIGNER)
    assert caught.value.check == "log.rollback"
    return caught.value


@pytest.mark.parametrize("at", [0, 7, 8, 200], ids=["length", "length_high", "payload", "entry"])
@pytest.mark.parametrize("record", [0, 1])
def test_damage_in_the_middle_of_a_journal_stops_the_writer(
    tmp_path: Path, record: int, at: int
) -> None:
    log, journal, starts = damaged_copy(tmp_path)
    before = contents(log)
    content = bytearray(journal.read_bytes())
    content[starts[record] + at] ^= 0x41
    journal.write_bytes(content)
    assert f"byte {starts[record]}" in rolled_back(log).message
    journal.write_bytes(before[journal])  # nothing was removed or written
    assert contents(log) == before
    assert grow(log, []).size == 8


def test_no_changed_byte_of_a_journal_takes_anything_back(tmp_path: Path) -> None:
    log, journal, _ = damaged_copy(tmp_path)
    content, head = journal.read_bytes(), log.head()
    for at in range(0, len(content), max(len(content) // 40, 1)):
        changed = bytearray(content)
        changed[at] ^= 1 << at % 8
        journal.write_bytes(changed)
        assert rolled_back(log).check == "log.rollback", at
    journal.write_bytes(content)
    assert grow(log, []) == head


def test_a_journal_that_another_follows_has_no_torn_end(tmp_path: Path) -> None:
    log, journal, starts = damaged_copy(tmp_path)
    journal.with_name("journal-999").write_bytes(journal.read_bytes()[starts[2] :])
    journal.write_bytes(journal.read_bytes()[: starts[2] + 9])
    assert rolled_back(log).where == f"{STATE}/{journal.name}"


def test_a_journal_that_is_ready_and_empty_convicts_none(tmp_path: Path) -> None:
    log, journal, _ = damaged_copy(tmp_path)
    size = log.head().size
    journal.with_name("journal-999").write_bytes(b"")
    journal.write_bytes(journal.read_bytes() + b"torn")
    assert grow(log, [draft()]).size == size + 1
    assert fsck(log).size == size + 1


@pytest.mark.parametrize("shown", ["checkpoint", "checkpoint.cosigned", f"{STATE}/index.sqlite"])
def test_what_was_shown_is_never_taken_back(tmp_path: Path, shown: str) -> None:
    log, journal, starts = damaged_copy(tmp_path)
    newest = log.head().to_bytes()
    journal.write_bytes(journal.read_bytes()[: starts[2]])  # cut between two records
    if shown != "checkpoint":
        (log.folder / "checkpoint").write_bytes(b"")
    if shown == "checkpoint.cosigned":
        (log.folder / shown).write_bytes(newest)
    if not shown.endswith("sqlite"):
        for path in (log.folder / STATE).glob("index.sqlite*"):
            path.unlink()
    assert rolled_back(log).where == shown


def test_a_copy_that_was_brought_back_and_went_on_is_a_fork(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(3))
    shutil.copytree(log.folder, tmp_path / "copy")
    grow(log, [draft("lost")])
    log.publish_cosigned(log.head())
    copy = Log.open(tmp_path / "copy")
    grow(copy, [draft("other"), draft("other")])  # nothing told it what was lost
    shutil.copy(log.folder / "checkpoint.cosigned", copy.folder)  # as cosigners would
    with pytest.raises(ConsistencyError) as caught:
        Writer(copy.folder, LOG_SIGNER)
    assert (caught.value.check, caught.value.where) == ("log.consistency", "checkpoint.cosigned")


def test_a_run_of_zeros_is_a_torn_end(tmp_path: Path) -> None:
    log, journal, starts = damaged_copy(tmp_path)
    heads = log.head()
    journal.write_bytes(journal.read_bytes() + bytes(200_000))
    started = time.monotonic()
    assert len(Journal.read(journal)) == len(starts) - 1
    assert time.monotonic() - started < 3
    assert grow(log, []) == heads


def test_a_disk_that_is_full_closes_a_journal_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal-0")
    journal.close()
    with (tmp_path / "other").open("wb") as other:  # may get the same number
        journal.close()
        other.write(b"still open")


def test_an_index_that_is_behind_is_brought_to_the_log(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(3))
    shutil.copytree(log.folder, tmp_path / "old")
    grow(log, [draft(), draft()])
    index = log.folder / STATE / "index.sqlite"
    shutil.copy(tmp_path / "old" / STATE / "index.sqlite", index)
    grow(log, [])
    assert fsck(log).has_index


def test_an_index_that_fits_no_entry_is_made_again(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(3))
    index = log.folder / STATE / "index.sqlite"
    with closing(sqlite3.connect(index)) as connection, connection:
        connection.execute("UPDATE state SET size = 2")  # what is in it goes further
    grow(log, [draft()])
    assert fsck(log).size == 6
    with closing(sqlite3.connect(index)) as connection, connection:
        connection.execute("DROP TABLE results")
    with pytest.raises(LogError, match="index"):
        log.find_result(statement(0))


def test_a_damaged_index_is_found_and_made_again(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(3))
    (log.folder / STATE / "index.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(LogError) as caught:
        fsck(log)
    assert caught.value.check == "log.index"
    grow(log, [draft()])
    assert fsck(log).size == 6
    assert log.find_result(statement(0)) == (1, 0)


def test_an_entry_that_nobody_waits_for_is_logged_and_harms_nobody(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    with Writer(log.folder, LOG_SIGNER) as writer:
        left, waited = writer.submit([draft(), draft()])
        assert not left.cancel()
        assert waited.result().index == 1
        assert writer.append(draft()).index == 2


@pytest.mark.parametrize("step", ["journal", "files", "index"])
def test_a_failure_at_any_step_tells_the_caller_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    log = make_log(tmp_path / "log", served(3))
    before = log.head()
    writer = Writer(log.folder, LOG_SIGNER)

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if step == "journal":
            patch.setattr(Journal, "append", fail)
        elif step == "files":
            patch.setattr(Files, "put", fail)
        else:
            patch.setattr("veridical.tlog.index.Index.commit", fail)
        with pytest.raises(LogError, match="No space"):
            writer.append(draft())
    with pytest.raises(LogError, match="No space"):  # until it is opened again
        writer.append(draft())
    writer.close()
    after = grow(log, [draft()])
    # What the journal holds counts, though its caller could not be told.
    assert after.size == before.size + (1 if step == "journal" else 2)
    assert fsck(log).size == after.size
    assert log.follow(before) == after


def append_often(writer: Writer) -> None:
    for _ in range(1000):
        writer.append(draft())


def test_a_disk_that_fails_in_the_background_stops_the_writer_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = make_log(tmp_path / "log")
    writer = Writer(log.folder, LOG_SIGNER, journal_bytes=1)

    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Files, "sync", fail)
        writer.append(draft())  # its journal is synced; only its tiles are not
        with pytest.raises(LogError, match="Input/output"):
            append_often(writer)  # the journal changes hands meanwhile
    size = log.head().size
    writer.close()
    assert len(list((log.folder / STATE).glob("journal-*"))) > 1
    assert grow(log, [draft()]).size == size + 1
    assert list((log.folder / STATE).glob("journal-*")) == []
    assert fsck(log).size == size + 1


def test_files_that_contradict_the_checkpoint_stop_the_writer(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log", served(3))
    tile = log.folder / "tile/0/000.p/5"
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    with pytest.raises(LogError) as caught:
        Writer(log.folder, LOG_SIGNER)
    assert caught.value.check == "log.root"
    with pytest.raises(LogError):  # the lock was given back
        Writer(log.folder, LOG_SIGNER)


APPENDER = """
import sys
from tests.unit.tlog.logs import LOG_SIGNER, draft
from veridical.tlog import Writer
with Writer(sys.argv[1], LOG_SIGNER, batch_seconds=0.001, journal_bytes=200_000) as writer:
    print("ready", flush=True)
    while True:
        opened = [f.result() for f in writer.submit([draft(request_id="killed")] * 7)]
        last = writer.append(draft("other"))
        print(last.index, last.checkpoint.to_bytes().hex(), flush=True)
"""


@pytest.mark.slow
def test_kill_9_at_any_moment_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    log = make_log(tmp_path / "log")
    heads = [log.head()]
    for round_ in range(6):
        command = [sys.executable, "-c", APPENDER, str(log.folder)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(0.2 + 0.137 * round_)
            process.kill()
            lines = process.stdout.read().splitlines()
        acknowledged = [line.split() for line in lines if line.count(" ") == 1]
        parsed = [SignedCheckpoint.from_bytes(bytes.fromhex(text)) for _, text in acknowledged[:-1]]
        heads += parsed[:: max(len(parsed) // 5, 1)]
        recovered = grow(log, [])
        assert fsck(log).size == recovered.size
        for head in heads:
            assert log.follow(head) == recovered
    assert heads[-1].size > 100
